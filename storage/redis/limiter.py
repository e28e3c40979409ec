"""The limiter (发送节奏): one pace per account over all processes on all machines.

Sends are given out one after the other, evenly spaced, in groups of at most 5 ms: no burst, no
credit for idle time, so that no window of one second holds more than the rate. Two per cent are
kept back for jitter between the permission and the wire. A permission that could not be used in
time, because this process or Redis was busy, is paid for with a second one: whoever holds two
slots and sends once, at any time between them, is in every window at most what the slots were.

Urgent sends may reserve further ahead than personal ones, and those further than bulk: so a
queue of bulk cannot keep an urgent send waiting longer than bulk may reserve. In one process,
the sends of one rank ask in the order in which they came.

Every send is counted for the account's day, within a block that MongoDB has granted (`Allowance`):
losing Redis loses at most the rest of a block, and never sends more than the day allows.

When Redis does not answer, nothing may be sent: `StoreAway` travels up. Being told to wait
(`Held`) is no attempt.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from redis.asyncio import Redis

from domain.allowance import NORMAL_SHARE, URGENT_SHARE, Block, day_number
from domain.broadcast import Rank
from domain.clock import Clock, SystemClock
from domain.errors import TemporaryDeliveryError
from domain.ids import AccountId
from domain.schedule import next_midnight
from storage.redis.scripts import Script, asked

KEPT_BACK = 0.98
GROUP_SECONDS = 0.005
AHEAD: dict[Rank, timedelta] = {
    "urgent": timedelta(milliseconds=200),
    "personal": timedelta(milliseconds=150),
    "bulk": timedelta(milliseconds=100),
}
LATE = 0.012  # seconds between permission and use that the kept-back share covers
PAYS = 0.7  # seconds between two slots that can pay for one send: within any window of one second
LONGEST_LEAD = 0.5
SHORT_HOLD = timedelta(seconds=1.5)  # a hold up to this long is waited for
RECOVERY = timedelta(minutes=10)  # from nothing to the full pace; from a half, five minutes
CUT = 0.5
AGAIN = timedelta(seconds=2)  # answers to what was under way when the pace was cut
DAY_AGAIN = timedelta(minutes=10)  # a used-up day is asked again: the platform may say otherwise
RATE_HOLDS = timedelta(minutes=30)  # how long a rate that the platform named is heeded


class Held(TemporaryDeliveryError):
    """The account may not send before `retry_after` is over (throttled, or its day is used up)."""


class DayUsedUp(Held):
    """This rank's share of the day is used up; a more urgent one may still send."""


class Allowance(Protocol):
    """Where the day's sends are granted, in blocks that no crash forgets."""

    async def extend(self, account: AccountId, day: int) -> Block:
        """Grant the next block of the day."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """How many answers within what time, and what share of the sends, mean that we are too fast."""

    number: int
    within: timedelta
    share: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """An account's pace at this moment; `ceiling` is what it recovers to. None: not known."""

    per_second: float
    ceiling: float
    held_for: timedelta
    used: int | None = None
    quota: int | None = None


@dataclass(frozen=True, slots=True)
class _Slot:
    """A permission. Redis chose it between question and answer, so its moment is a span."""

    number: int
    earliest: float
    latest: float


class Limiter:
    """Gives out sends at a fixed pace per account."""

    prefix = "wz:bucket:"
    hold_prefix = "wz:pace-hold:"
    storm_prefix = "wz:pace-storm:"

    def __init__(
        self,
        redis: Redis,
        *,
        per_second: int,
        allowance: Allowance | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._redis = redis
        self._script = Script(redis, "pace")
        self._per_second = per_second
        self._group = max(1, int(per_second * GROUP_SECONDS))
        self._allowance = allowance
        self._clock = clock or SystemClock()
        self._turns: dict[tuple[AccountId, Rank], asyncio.Lock] = {}
        self._now: Callable[[], float] = time.monotonic

    async def acquire(self, account: AccountId, wanted: int, *, rank: Rank = "bulk") -> int:
        """Wait for the account's turn and return how many sends may start now, at least one.

        Raises `Held`, or `StoreAway` when Redis does not answer.
        """
        slot = await self._reserve(account, min(wanted, self._group), rank)
        await self._wait(slot)
        begun = slot.earliest
        while (late := self._now() - slot.earliest) > LATE:
            slot = await self._reserve(
                account, slot.number, rank, lead=min(2 * late, LONGEST_LEAD), counts=False
            )
            if slot.latest - begun > PAYS:  # the first one lies too far back to pay for this
                await self._wait(slot)
                begun = slot.earliest
        return slot.number

    async def hold(self, account: AccountId, pause: timedelta) -> None:
        """Stop the account in all processes for a while."""
        await self._slow(account, pause, factor=1.0)

    async def held_for(self, account: AccountId) -> timedelta:
        """Return how long the account is still held; zero when it is not."""
        async with asked():
            left = await self._redis.pttl(self.hold_prefix + account)
        return timedelta(milliseconds=max(0, int(left)))

    async def slow_down(self, account: AccountId, pause: timedelta = timedelta(0)) -> bool:
        """Cut the pace of all processes by half, after a hold; True when it was cut.

        It recovers evenly. A second call on account of the same burst changes nothing.
        """
        return await self._slow(account, pause, factor=CUT)

    async def note_trouble(self, account: AccountId, kind: str, storm: Storm) -> bool:
        """Count an answer that, often enough, means that we are too fast; True when it did."""
        return await self._slow(account, timedelta(0), factor=CUT, kind=kind, storm=storm)

    async def pace(self, account: AccountId) -> Pace:
        """Return the account's pace at this moment, and how much of its day is used."""
        rate, ceiling, held, used, _, quota, _ = await self._ask(account, "look")
        return Pace(
            per_second=float(rate),
            ceiling=float(ceiling),
            held_for=timedelta(microseconds=held),
            used=used if used >= 0 else None,
            quota=quota if quota >= 0 else None,
        )

    async def learn(
        self,
        account: AccountId,
        *,
        used: int,
        quota: int | None,
        per_second: float | None,
    ) -> None:
        """Heed what the platform says of the account: its day, and its rate for a while."""
        await self._ask(
            account,
            "learn",
            used,
            "" if quota is None else quota,
            "",
            f"{per_second or 0:.6f}",
            int(RATE_HOLDS.total_seconds() * 1000),
        )

    # --- inside ---------------------------------------------------------------------------

    async def _reserve(
        self, account: AccountId, number: int, rank: Rank, *, lead: float = 0.0, counts: bool = True
    ) -> _Slot:
        """Obtain a slot, at least `lead` seconds from now; one question at a time per rank."""
        turn = self._turns.setdefault((account, rank), asyncio.Lock())
        async with turn:
            while True:
                asked_at = self._now()
                kind, *rest = await self._ask(
                    account,
                    "take",
                    number,
                    _microseconds(AHEAD[rank]),
                    int(lead * 1e6),
                    f"{GROUP_SECONDS}",
                    int(counts),
                    f"{URGENT_SHARE if rank == 'urgent' else NORMAL_SHARE}",
                )
                if kind == 1:
                    wait = rest[0] / 1e6
                    return _Slot(rest[1], asked_at + wait, self._now() + wait)
                await self._refused(account, kind, rest)

    async def _refused(self, account: AccountId, kind: int, rest: list[int]) -> None:
        """Do what has to be done before asking again, or raise."""
        if kind == -2:
            await self._extend(account, rest[0])
        elif kind == -3:
            now = self._clock.now()
            reason = f"account {account}: the day's quota is used up"
            raise DayUsedUp(reason, retry_after=min(next_midnight(now) - now, DAY_AGAIN))
        else:
            wait = timedelta(microseconds=rest[0])
            if kind == -1 and wait > SHORT_HOLD:
                raise Held(f"account {account} is held", retry_after=wait)
            await asyncio.sleep(max(wait.total_seconds(), 0.001))

    async def _extend(self, account: AccountId, day: int) -> None:
        if self._allowance is None:
            raise RuntimeError("sends are counted, and nobody grants them")
        block = await self._allowance.extend(account, day)
        await self._ask(
            account,
            "grant",
            block.before,
            block.after,
            "" if block.quota is None else block.quota,
            f"{block.per_second or 0:.6f}",
            int(RATE_HOLDS.total_seconds() * 1000),
            day=day,
        )

    async def _wait(self, slot: _Slot) -> None:
        pause = slot.latest - self._now()
        if pause > 0.0005:
            await asyncio.sleep(pause)

    async def _slow(
        self,
        account: AccountId,
        pause: timedelta,
        *,
        factor: float,
        kind: str = "",
        storm: Storm | None = None,
    ) -> bool:
        storm = storm or Storm(number=1, within=timedelta(0))
        return bool(
            await self._ask(
                account,
                "slow",
                f"{factor}",
                max(0, int(pause.total_seconds() * 1000)),
                f"{self.storm_prefix}{account}:{kind}",
                storm.number,
                max(1, int(storm.within.total_seconds() * 1000)),
                _microseconds(AGAIN),
                f"{storm.share}",
            )
        )

    async def _ask(
        self, account: AccountId, verb: str, *arguments: str | int, day: int | None = None
    ) -> Any:
        return await self._script(
            [self.prefix + account, self.hold_prefix + account],
            verb,
            self._per_second,
            f"{KEPT_BACK}",
            int(RECOVERY.total_seconds()),
            self._day() if day is None else day,
            _microseconds(max(AHEAD.values())),
            *arguments,
        )

    def _day(self) -> int:
        return 0 if self._allowance is None else day_number(self._clock.now())


def _microseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1e6)
