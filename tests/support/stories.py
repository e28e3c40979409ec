"""Stand-ins in memory for what a trigger has around it, and a process that may die anywhere.

With them hypothesis lives through hundreds of stories in seconds; the real ones have tests of
their own.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from connectors.feeds import MarkUnknown
from domain.ids import AccountId, TopicId
from push.notices import NoticeOrder
from push.orders import BroadcastOrder
from push.triggers.ports import Cursor, Outcome, Trigger, Visit
from storage.mongo.triggers import Item
from tests.support.clock import START

CITY = AccountId("city")
PAGE = 2


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Lets the process die before the n-th thing it does to the outside."""

    left: int | None = None
    after_speaking = False

    def spoken(self) -> None:
        if self.after_speaking:
            raise Killed
        self.burn()

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


class Feed:
    """A department that keeps everything, forgets its marks, or is built anew; `page` reads it."""

    def __init__(self, page: Callable[..., Any]) -> None:
        self.entries: list[Any] = []
        self.epoch = 0
        self._page = page

    def forget(self, *but: Any) -> None:
        """Be built anew, with these entries only."""
        self.entries = list(but)
        self.epoch += 1

    async def changes(self, *, since: str, etag: str) -> Any:
        epoch, _, number = since.partition("-")
        if since and int(epoch) != self.epoch:
            raise MarkUnknown
        start = int(number or 0)
        found = tuple(self.entries[start : start + PAGE])
        reached = start + len(found)
        return self._page(
            found,
            next=f"{self.epoch}-{reached}",
            etag="",
            more=reached < len(self.entries),
            is_unchanged=False,
        )


class Items:
    def __init__(self, fuse: Fuse) -> None:
        self.kept: dict[str, Item] = {}
        self.fuse = fuse

    async def find(self, account: AccountId, trigger: str, items: list[str]) -> dict[str, Item]:
        return {name: self.kept[name] for name in items if name in self.kept}

    async def put(self, account: AccountId, trigger: str, item: Item) -> bool:
        self.fuse.burn()
        if item.id in self.kept and self.kept[item.id].revision > item.revision:
            return False
        self.kept[item.id] = item
        return True

    async def due(
        self, account: AccountId, trigger: str, now: datetime, *, limit: int = 100
    ) -> list[Item]:
        return [item for item in self.kept.values() if item.due_at and item.due_at <= now]


@dataclass
class Said:
    phase: str
    order: BroadcastOrder
    is_heard: bool = False
    is_stopped: bool = False


class Voice:
    """`Emit` in memory; `now` is the machine's."""

    def __init__(self, fuse: Fuse) -> None:
        self.said: dict[str, Said] = {}
        self.announced: list[NoticeOrder] = []
        self.fuse = fuse
        self.now = START

    def key(self, event: str, revision: int, phase: str) -> str:
        return f"{event}:{revision}:{phase}"

    async def broadcast(
        self, order: BroadcastOrder, *, event: str, revision: int, phase: str
    ) -> str | None:
        key = self.key(event, revision, phase)
        if key not in self.said:
            if order.expires_at is not None and order.expires_at <= self.now:
                return None
            self.fuse.burn()
            self.said[key] = Said(phase, order)
            self.fuse.spoken()
        return key

    async def withdraw(self, key: str, *, reason: str) -> bool:
        found = self.said.get(key)
        if found is None:
            return False
        self.fuse.burn()
        found.is_stopped = True
        return found.is_heard

    async def was_heard(self, key: str) -> bool:
        return key in self.said and self.said[key].is_heard

    async def notice(self, order: NoticeOrder) -> int:
        if not await self.was_announced(order.topic, order.event_id):
            self.fuse.burn()
            self.announced.append(order)
            self.fuse.spoken()
        return 1

    async def was_announced(self, topic: TopicId, event_id: str) -> bool:
        return any(order.event_id == event_id for order in self.announced)


def at_once(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Run a coroutine that never really waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited for something")


class Mortal(RuleBasedStateMachine):
    """Any story of a process that may die anywhere; `live` is what it does in one run."""

    def __init__(self) -> None:
        super().__init__()
        self.fuse = Fuse()
        self.voice = Voice(self.fuse)
        self.has_died = False  # in its last run

    def live(self) -> None:
        raise NotImplementedError

    @rule(fuse=st.one_of(st.none(), st.integers(0, 12)))
    def run(self, fuse: int | None) -> None:
        self.fuse.left, self.has_died = fuse, False
        try:
            self.live()
        except* Killed:
            self.has_died = True
        finally:
            self.fuse.left = None

    @rule()
    def die_just_after_speaking(self) -> None:
        self.fuse.after_speaking = True
        try:
            self.run(None)
        finally:
            self.fuse.after_speaking = False

    @rule()
    def deliver(self) -> None:
        for said in self.going_out:
            if (said.order.at or self.voice.now) <= self.voice.now:
                said.is_heard = True

    @property
    def going_out(self) -> list[Said]:
        return [said for said in self.voice.said.values() if not said.is_stopped]


class Told(Mortal):
    """A feed with one thing in it, and a trigger that reads it; `page` makes the feed's pages."""

    trigger: Trigger
    page: Callable[..., Any]

    def __init__(self) -> None:
        super().__init__()
        self.feed, self.items = Feed(self.page), Items(self.fuse)
        self.cursor: Cursor | None = None
        self.is_read = False  # all of it, and nothing has happened since

    def publish(self, one: Any, *, forgets: bool = False) -> None:
        self.newest = one
        if forgets:  # the feed was rebuilt and holds the newest revision only
            self.feed.forget()
        self.feed.entries.append(one)
        self.is_read = False

    @rule(back=st.integers(1, 3))
    def repeat_something_old(self, back: int) -> None:
        self.feed.entries.append(self.feed.entries[-min(back, len(self.feed.entries))])
        self.is_read = False

    @rule()
    def reset(self) -> None:
        self.feed.epoch += 1

    def live(self) -> None:
        self.is_read = False
        outcome = at_once(self.trigger.run(self.visit()))
        self.cursor, self.is_read = outcome.cursor, not outcome.more

    def visit(self) -> Visit:
        async def save(cursor: Cursor) -> None:
            self.fuse.burn()
            self.cursor = cursor

        return Visit(
            account=CITY, now=self.voice.now, cursor=self.cursor, emit=self.voice, save=save
        )
