"""Bulletins: news that appears, changes, and ends (bus detours, policies), said to many.

One item per event remembers the newest revision and the keys of what went out, as outages do.
A revision that changes nothing people see says nothing; an older one, or the same again, does
nothing. What is outdated is withdrawn before the new word goes out. The end is told only if
somebody may have heard the beginning, and a change before that is an announcement. The first look
of all sets the baseline: what was announced, changed and ended before the trigger was switched on
was told by other means.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, Literal, Protocol, TypeVar, get_args

from connectors.news_feed import NewsFeed, NewsPage
from domain.ids import AccountId
from push.orders import BroadcastOrder
from push.triggers.ports import Outcome, Visit
from push.triggers.reading import read_pages
from storage.mongo.triggers import Item

News = TypeVar("News")
Phase = Literal["announced", "changed", "ended"]
PHASES: tuple[Phase, ...] = get_args(Phase)
PAGES = 5  # per run
KEPT = timedelta(days=60)  # after the end: a late revision still finds what was said
_WHY = "部门已发布更新的信息，旧消息停止发送"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """One revision of a piece of news, as the trigger needs it."""

    id: str
    revision: int
    is_over: bool
    print_: str  # the same as long as people need not be told again
    stale_at: datetime  # no longer news
    order: Callable[[AccountId, Phase], BroadcastOrder]


class Items(Protocol):
    """Where the trigger remembers (`storage.mongo.triggers`)."""

    async def find(self, account: AccountId, trigger: str, items: list[str]) -> dict[str, Item]: ...

    async def put(self, account: AccountId, trigger: str, item: Item) -> bool: ...


class BulletinTrigger(Generic[News]):
    """One feed of bulletins; `make` knows what they are about."""

    def __init__(
        self,
        name: str,
        feed: NewsFeed[News],
        items: Items,
        make: Callable[[News, datetime], Bulletin],
        *,
        every: timedelta = timedelta(minutes=5),
        pages: int = PAGES,
    ) -> None:
        self.name = name
        self.every = every
        self._feed = feed
        self._items = items
        self._make = make
        self._pages = pages

    async def run(self, visit: Visit) -> Outcome:
        """Read the pages that are new and say what is news."""

        async def ask(since: str, etag: str) -> NewsPage[News]:
            return await self._feed.changes(since=since, etag=etag)

        async def hear(page: NewsPage[News], is_first: bool) -> int:
            for news in page.news:
                await self._hear(visit, self._make(news, visit.now), is_first=is_first)
            return len(page.news)

        return await read_pages(visit, ask, hear, trigger=self.name, pages=self._pages)

    async def _hear(self, visit: Visit, news: Bulletin, *, is_first: bool) -> None:
        found = await self._items.find(visit.account, self.name, [news.id])
        known = found.get(news.id)
        if known is not None and news.revision <= known.revision:
            return  # heard before, or late
        state = known.state if known else {}
        keys: list[str] = list(state.get("keys", []))
        # this run may be a repetition
        own = {visit.emit.key(news.id, news.revision, phase) for phase in PHASES}
        before = [key for key in keys if key not in own]
        # an item of revision 0 only holds keys: its run died before it kept the rest, and what it
        # said of another revision may be going out
        is_known = known is not None and (known.revision > 0 or bool(before))
        is_baseline = bool(state.get("is_baseline")) if is_known else is_first
        was_over = bool(state.get("is_over")) if is_known else True
        is_changed = is_known and state.get("print") != news.print_
        phase = _phase(news, visit.now, is_known=is_known, was_over=was_over, changed=is_changed)
        if is_first:
            phase = None
        is_outdated = is_known and (phase is not None or news.is_over or is_changed)
        possible = (phase, "announced") if phase == "changed" else (phase,)
        mine = [visit.emit.key(news.id, news.revision, each) for each in possible if each]
        keys = list(dict.fromkeys([*keys, *mine]))
        if mine or (is_outdated and before):
            # noted before anything is withdrawn or said, so that a later revision finds it even
            # after a crash; what people know then is uncertain, so whatever that one says is news
            unsaid = known or Item(id=news.id, revision=0, expires_at=news.stale_at + KEPT)
            noted = {**unsaid.state, "keys": keys, "print": ""}
            await self._items.put(visit.account, self.name, replace(unsaid, state=noted))
        if is_outdated:
            told = [await visit.emit.withdraw(key, reason=_WHY) for key in before]
            if not (is_baseline or any(told)):  # nobody has heard of it yet
                phase = "announced" if phase == "changed" else None
        if phase is not None:
            await visit.emit.broadcast(
                news.order(visit.account, phase),
                event=news.id,
                revision=news.revision,
                phase=phase,
            )
        await self._items.put(
            visit.account,
            self.name,
            Item(
                id=news.id,
                revision=news.revision,
                state={
                    "print": news.print_,
                    "is_over": news.is_over,
                    "is_baseline": is_baseline,
                    "keys": keys,
                },
                expires_at=max(news.stale_at, visit.now) + KEPT,
            ),
        )


def _phase(
    news: Bulletin, now: datetime, *, is_known: bool, was_over: bool, changed: bool
) -> Phase | None:
    if news.is_over:
        return "ended" if is_known and not was_over else None
    if news.stale_at <= now:
        return None
    if not is_known:
        return "announced"
    return "changed" if was_over or changed else None
