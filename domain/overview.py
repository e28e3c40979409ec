"""The sending engine at one moment (发送概况): what the person on call looks at.

Everything comes from the ledger and from Redis's pace, never from a queue's length.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from domain.broadcast import BroadcastState, Kind, Priority
from domain.ids import AccountId, BroadcastId
from domain.ledger import Totals

# `waiting` batches are ready and not due yet (throttled, quiet hours); done ones are history
BatchState = Literal["ready", "waiting", "leased", "dead"]
BATCH_STATES: tuple[BatchState, ...] = ("ready", "waiting", "leased", "dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A broadcast that is being sent or paused. `expected` is None while it is expanded."""

    id: BroadcastId
    account: AccountId
    title: str
    kind: Kind
    priority: Priority
    state: BroadcastState
    started_at: datetime | None = None
    expected: int | None = None
    totals: Totals = field(default_factory=Totals)
    reason: str = ""

    @property
    def people(self) -> int:
        """How many people are known to be meant by now."""
        return self.totals.people if self.expected is None else self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """One account's batches, lag and pace."""

    account: AccountId
    batches: Mapping[BatchState, int]
    running: int = 0  # broadcasts and notices being sent
    paused: int = 0
    lag: timedelta = timedelta(0)  # how long the oldest due batch of a running broadcast waits
    per_second: float | None = None  # None: Redis does not say
    held_for: timedelta = timedelta(0)
    used_today: int | None = None
    quota: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A process of ours, and when it last said that it lives."""

    name: str  # host:pid
    roles: str
    ago: timedelta
    batches: int = 0  # leased by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at one moment. `troubles` says what could not be read."""

    at: datetime
    accounts: tuple[AccountView, ...] = ()
    running: tuple[Running, ...] = ()
    processes: tuple[Seen, ...] = ()
    troubles: tuple[str, ...] = ()
