"""Outage news (停水停电停气, domain.md 3.1): announced, 12 h before, changed, restored, cancelled.

One item per interruption remembers the newest revision, when and where it is, and the keys of
what went out. A revision that changes neither time nor place says nothing; an older revision, or
the same again, does nothing. What is outdated is withdrawn before the new word goes out: a card
that still waits (quiet hours, a long audience) must not name the old time. The reminder is not
scheduled ahead, for the same reason: it is made when it is due, from the newest revision, and
only after the department has answered in the same run.

The first look of all (no cursor) sets the baseline: what was announced, changed and ended before
the trigger was switched on was told by other means. Reminders, and what becomes of it later, are
news.
What is over when it is first seen says nothing.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

from connectors.outage_feed import OutageFeed, OutagePage
from domain.broadcast import Audience
from domain.ids import AccountId, RegionCode, TopicId
from domain.outage import OVER, Outage, Utility
from push.orders import BroadcastOrder
from push.triggers.outage_texts import PHASES, Phase, words
from push.triggers.ports import Outcome, Visit
from push.triggers.reading import read_pages
from storage.mongo.triggers import Item

log = logging.getLogger(__name__)

NAME = "outage"
BEFORE = timedelta(hours=12)
NEWS_OF_END = timedelta(hours=6)  # how long after the end "restored" is still worth a card
LATE = timedelta(hours=24)  # a delayed one goes on after its planned end
KEPT = timedelta(days=60)  # after the end: a late revision still finds what was said
PAGES = 5  # per run
TEMPLATE = "outage_notice"
_WHY = "部门已发布更新的信息，旧消息停止发送"


class Items(Protocol):
    """Where the trigger remembers (`storage.mongo.triggers`)."""

    async def find(self, account: AccountId, trigger: str, items: list[str]) -> dict[str, Item]: ...

    async def put(self, account: AccountId, trigger: str, item: Item) -> bool: ...

    async def due(
        self, account: AccountId, trigger: str, now: datetime, *, limit: int = 100
    ) -> list[Item]: ...


class OutageTrigger:
    """The companies' feed, said to those who follow the topic in the regions concerned."""

    name = NAME
    every = timedelta(seconds=60)

    def __init__(self, feed: OutageFeed, items: Items, *, pages: int = PAGES) -> None:
        self._feed = feed
        self._items = items
        self._pages = pages

    async def run(self, visit: Visit) -> Outcome:
        """Read the pages that are new, then remind of what begins within twelve hours."""

        async def ask(since: str, etag: str) -> OutagePage:
            return await self._feed.changes(since=since, etag=etag)

        async def hear(page: OutagePage, is_first: bool) -> int:
            for outage in page.outages:
                await self._hear(visit, outage, is_first=is_first)
            return len(page.outages)

        outcome = await read_pages(visit, ask, hear, trigger=NAME, pages=self._pages)
        if not outcome.more:
            await self._remind(visit)
        return outcome

    # --- one revision ---------------------------------------------------------------------

    async def _hear(self, visit: Visit, outage: Outage, *, is_first: bool) -> None:
        event = event_of(outage)
        memory = await self._recall(visit.account, outage)
        if outage.revision <= memory.revision:
            return  # heard before, or late
        if memory.is_replaced and outage.status in OVER:
            return  # only its number is closed: what took its place goes on
        # this run may be a repetition
        own = {visit.emit.key(event, outage.revision, phase) for phase in PHASES}
        before = [key for key in memory.keys if key not in own]
        known = memory.known(before)
        phase = None if is_first else phase_of(known, outage, visit.now)
        is_outdated = known is not None and (
            phase is not None or outage.status in OVER or known.print_ != print_of(outage)
        )
        possible = (phase, "announced") if phase == "changed" else (phase,)
        mine = [visit.emit.key(event, outage.revision, each) for each in possible if each]
        keys = (*memory.keys, *mine)
        news = memory.with_news(outage, known, keys, visit.now, is_first=is_first)
        if memory.former is not None:  # before the new one is kept, or a crash would forget it
            replaced = {**memory.former.state, "is_replaced": True}
            await self._put(visit, replace(memory.former, state=replaced, due_at=None))
        if mine or (is_outdated and before):
            # noted before anything is withdrawn or said, so that a later revision finds it even
            # after a crash; what people know then is uncertain, so whatever that one says is news
            noted = memory.own or replace(news, revision=0, due_at=None)
            uncertain = {**noted.state, "keys": list(keys), "print": ""}
            await self._put(visit, replace(noted, state=uncertain))
        if known is not None and is_outdated:
            told = [await visit.emit.withdraw(key, reason=_WHY) for key in before]
            if not (known.is_baseline or any(told)):  # nobody has heard of it yet
                phase = "announced" if phase == "changed" else None
        if phase == "announced" and outage.missing_notice:
            _warn(visit, event, outage)
        if phase is not None:
            card = words(outage, phase)
            order = _order(visit.account, outage.utility, regions_of(outage), card.title, card.data)
            order = replace(order, expires_at=_stale_at(outage, phase, known))
            await visit.emit.broadcast(order, event=event, revision=outage.revision, phase=phase)
        await self._put(visit, news)

    async def _recall(self, account: AccountId, outage: Outage) -> "_Memory":
        event = event_of(outage)
        replaced = f"{outage.utility}/{outage.supersedes}" if outage.supersedes else ""
        items = await self._items.find(account, NAME, [event, replaced] if replaced else [event])
        former = items.get(replaced) if replaced != event else None
        return _Memory(own=items.get(event), former=former)

    async def _put(self, visit: Visit, item: Item) -> None:
        await self._items.put(visit.account, NAME, item)

    # --- twelve hours before --------------------------------------------------------------

    async def _remind(self, visit: Visit) -> None:
        for item in await self._items.due(visit.account, NAME, visit.now):
            state = item.state
            revision = state["timed_by"]  # the same reminder, however often the text is revised
            key = visit.emit.key(item.id, revision, "soon")
            if await self._waits(visit, state["keys"]):
                await self._put(visit, replace(item, due_at=None))
                continue
            noted = replace(item, state={**state, "keys": [*state["keys"], key]})
            await self._put(visit, noted)
            card = state["reminder"]
            order = _order(
                visit.account, card["utility"], card["regions"], card["title"], card["data"]
            )
            order = replace(order, expires_at=card["start"])
            await visit.emit.broadcast(order, event=item.id, revision=revision, phase="soon")
            await self._put(visit, replace(noted, due_at=None))

    @staticmethod
    async def _waits(visit: Visit, keys: Sequence[str]) -> bool:
        """Whether the announcement itself still waits, for the morning or for approval.

        Then it is the reminder: two cards at seven o'clock say no more than one.
        """
        return bool(keys) and not any([await visit.emit.was_heard(key) for key in keys])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What was known of an interruption before the revision at hand."""

    is_over: bool
    print_: str
    end: datetime
    is_baseline: bool  # people heard of it before the trigger existed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """An interruption's item, and the item of the one that it replaces (`supersedes`)."""

    own: Item | None
    former: Item | None

    @property
    def revision(self) -> int:
        return self.own.revision if self.own else 0

    @property
    def is_replaced(self) -> bool:
        """Whether another interruption has taken its place."""
        return self.own is not None and bool(self.own.state.get("is_replaced"))

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of everything that may have gone out about it."""
        items = (self.former, self.own)
        return tuple(dict.fromkeys(key for item in items if item for key in item.state["keys"]))

    def known(self, before: Sequence[str]) -> _Known | None:
        """Return what was known before the revision at hand, which is not among the keys.

        An item of revision 0 was noted, and its run died: it counts if it is of another revision.
        """
        item = self.own
        if item is None or (item.revision == 0 and not set(item.state["keys"]) & set(before)):
            item = self.former
        if item is None:
            return None
        return _Known(
            is_over=item.state["is_over"],
            print_=item.state["print"],
            end=item.state["end"],
            is_baseline=item.state["is_baseline"],
        )

    def with_news(
        self,
        outage: Outage,
        known: _Known | None,
        keys: Sequence[str],
        now: datetime,
        *,
        is_first: bool,
    ) -> Item:
        """Return the item as it is after this revision."""
        mine, is_over = print_of(outage), outage.status in OVER
        due_at, timed_by = outage.start - BEFORE, outage.revision
        is_due = due_at > now
        own = self.own if self.revision else None
        if own is not None and own.state["print"] == mine and not own.state["is_over"]:
            timed_by, is_due = own.state["timed_by"], own.due_at is not None
        card = words(outage, "soon")
        return Item(
            id=event_of(outage),
            revision=outage.revision,
            state={
                "is_over": is_over,
                "print": mine,
                "end": outage.end,
                "is_baseline": known.is_baseline if known else is_first,
                "keys": list(dict.fromkeys(keys)),
                "timed_by": timed_by,
                "reminder": {
                    "utility": outage.utility,
                    "regions": list(regions_of(outage)),
                    "title": card.title,
                    "data": dict(card.data),
                    "start": outage.start,
                },
            },
            due_at=due_at if is_due and not is_over else None,
            expires_at=outage.end + KEPT,
        )


def phase_of(known: _Known | None, outage: Outage, now: datetime) -> Phase | None:
    """Return what a new revision gives to say, if anything."""
    if outage.status in OVER:
        if known is None or known.is_over:
            return None
        if outage.status == "restored":
            return "restored" if now < outage.end + NEWS_OF_END else None
        return "cancelled" if now < known.end else None
    if not outage.is_relevant(now):
        return None
    if known is None:
        return "announced"
    return "changed" if known.is_over or known.print_ != print_of(outage) else None


def event_of(outage: Outage) -> str:
    """Return the interruption's name over all companies."""
    return f"{outage.utility}/{outage.id}"


def print_of(outage: Outage) -> str:
    """Return a fingerprint of time and place: what people must be told again when it changes."""
    times = [(p.mode, p.start.isoformat(), p.end.isoformat()) for p in outage.phases]
    places = sorted((a.region, a.street, a.detail) for a in outage.areas)
    content = json.dumps([times, places, outage.planned_end.isoformat()], ensure_ascii=False)
    return sha256(content.encode()).hexdigest()[:32]


def regions_of(outage: Outage) -> tuple[RegionCode, ...]:
    """Return the regions concerned, each once."""
    return tuple(sorted({area.region for area in outage.areas}))


def _warn(visit: Visit, event: str, outage: Outage) -> None:
    """Tell the person on call that a company broke its duty; people are told all the same."""
    log.warning(
        "outage.announced_late",
        extra={
            "account": visit.account,
            "event": event,
            "kind": outage.kind,
            "issuer": outage.issuer,
            "late_hours": round(outage.missing_notice.total_seconds() / 3600, 1),
        },
    )


def _stale_at(outage: Outage, phase: Phase, known: _Known | None) -> datetime:
    if phase == "restored":
        return outage.end + NEWS_OF_END
    if phase == "cancelled" and known is not None:
        return known.end
    return outage.end + LATE if outage.status == "delayed" else outage.end


def _order(
    account: AccountId,
    utility: Utility,
    regions: Sequence[RegionCode],
    title: str,
    data: Mapping[str, str],
) -> BroadcastOrder:
    topic = TopicId(f"outage.{utility}")
    return BroadcastOrder(
        account=account,
        title=title,
        topic=topic,
        audience=Audience(topics=(topic,), regions=tuple(regions)),
        template=TEMPLATE,
        data=data,
    )
