"""What a trigger is, what it is given for a run, and what it may do.

A trigger asks one department what is new since its cursor and says it through `Emit`. Everything
it emits is named by (trigger, event, revision, phase), so a run that died halfway, or two at
once, are repeated without saying anything twice. It never keeps time itself: the engine does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.ids import AccountId, TopicId
from push.notices import NoticeOrder
from push.orders import BroadcastOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a trigger has read: the department's mark, and the ETag of its last answer there."""

    since: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a good run ends with. `more`: there is more to read, come again at once."""

    cursor: Cursor
    seen: int = 0  # pieces of news read
    unchanged: bool = False  # the department answered 304
    more: bool = False


class Emit(Protocol):
    """The only way out for a trigger. Every call may be repeated at will."""

    async def broadcast(
        self, order: BroadcastOrder, *, event: str, revision: int, phase: str
    ) -> str | None:
        """Say something to many; returns the key to `withdraw` it by.

        None when it came too late (`expires_at` has passed) or its data cannot be made into a
        message: that is written to the log, and the next piece of news is not kept waiting.
        """
        ...

    async def notice(self, order: NoticeOrder) -> int:
        """Tell whoever bound the subject; the order's `event_id` makes it unique."""
        ...

    async def was_announced(self, topic: TopicId, event_id: str) -> bool:
        """Whether a notice of this event was made."""
        ...

    async def withdraw(self, key: str, *, reason: str) -> bool:
        """Stop what was said under this key; True when somebody may have received it."""
        ...

    async def was_heard(self, key: str) -> bool:
        """Whether somebody may have received what was said under this key."""
        ...

    def key(self, event: str, revision: int, phase: str) -> str:
        """Return the key under which a broadcast goes out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One run of one trigger for one account. `cursor` is None before the first good run."""

    account: AccountId
    now: datetime
    cursor: Cursor | None
    emit: Emit
    save: Callable[[Cursor], Awaitable[None]]  # once everything of a page has been emitted


class Trigger(Protocol):
    """One kind of news. `every` is how often it is asked for unless the settings say otherwise."""

    @property
    def name(self) -> str: ...

    @property
    def every(self) -> timedelta: ...

    async def run(self, visit: Visit) -> Outcome:
        """Read what is new, a bounded part of it, and say it.

        Raises whatever the department's connector raises: the engine comes again later.
        """
        ...
