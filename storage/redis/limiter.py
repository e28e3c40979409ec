"""The limiter (发送节奏): one pace per account over all processes on all machines.

Sends are given out one after the other, evenly spaced, in groups of at most 5 ms: no burst, no
credit for idle time, so that no window of one second holds more than the rate. Two per cent are
kept back for jitter between the permission and the wire. A permission that could not be used
in time because this process was busy is thrown away and asked for again, once.

When Redis does not answer, nothing may be sent: `StoreAway` travels up.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

from redis.asyncio import Redis

from domain.errors import TemporaryDeliveryError
from domain.ids import AccountId
from storage.redis.scripts import Script, asked

KEPT_BACK = 0.98
GROUP_SECONDS = 0.005
AHEAD = timedelta(milliseconds=200)
LATE = 0.012  # seconds between permission and use that the kept-back share covers
SHORT_HOLD = timedelta(seconds=1.5)  # a hold up to this long is waited for


class Held(TemporaryDeliveryError):
    """The account may not send before `retry_after` is over (throttled, or its day is used up)."""


class Limiter:
    """Gives out sends at a fixed pace per account."""

    prefix = "wz:pace:"
    hold_prefix = "wz:pace-hold:"

    def __init__(self, redis: Redis, *, per_second: int) -> None:
        self._redis = redis
        self._pace = Script(redis, "pace")
        self._hold = Script(redis, "hold")
        self._rate = f"{max(per_second * KEPT_BACK, 0.5):.6f}"
        self._group = max(1, int(per_second * GROUP_SECONDS))
        self._now: Callable[[], float] = time.monotonic

    async def acquire(self, account: AccountId, wanted: int) -> int:
        """Wait for the account's turn and return how many sends may start now, at least one.

        Raises `Held`, or `StoreAway` when Redis does not answer.
        """
        number = min(wanted, self._group)
        for attempt in (1, 2):
            slot = await self._reserve(account, number)
            pause = slot - self._now()
            if pause > 0.0005:
                await asyncio.sleep(pause)
            if attempt == 2 or self._now() - slot <= LATE:
                break
        return number

    async def hold(self, account: AccountId, pause: timedelta) -> None:
        """Stop the account in all processes for a while."""
        milliseconds = max(1, int(pause.total_seconds() * 1000))
        await self._hold([self.hold_prefix + account], milliseconds)

    async def held_for(self, account: AccountId) -> timedelta:
        """Return how long the account is still held; zero when it is not."""
        async with asked():
            left = await self._redis.pttl(self.hold_prefix + account)
        return timedelta(milliseconds=max(0, int(left)))

    async def _reserve(self, account: AccountId, number: int) -> float:
        """Return the moment (of this process's own clock) from which the sends may start."""
        keys = [self.prefix + account, self.hold_prefix + account]
        while True:
            asked_at = self._now()
            kind, wait = await self._pace(
                keys, self._rate, number, int(AHEAD.total_seconds() * 1e6)
            )
            seconds = wait / 1e6
            if kind == 1:
                # Redis chose the slot somewhere between question and answer; the earlier
                # estimate makes lateness visible instead of hiding it
                return float(asked_at + seconds)
            if kind == -1 and seconds > SHORT_HOLD.total_seconds():
                raise Held(f"account {account} is held", retry_after=timedelta(seconds=seconds))
            await asyncio.sleep(max(seconds, 0.001))
