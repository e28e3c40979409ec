"""Tries to sign in (登录尝试), counted in Redis for all processes; they outlive a restart.

A counter allows some tries at once, then demands a delay that doubles up to a ceiling, and
forgets everything when nothing was tried for its life. Names and addresses stand in the keys as
digests only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis

from storage.redis.keys import digest
from storage.redis.scripts import Script, asked

PREFIX = "wz:console:tries:"
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Patience:
    """How much one kind of counter bears."""

    free: int
    first: timedelta
    longest: timedelta
    life: timedelta


@dataclass(frozen=True, slots=True)
class Counter:
    """What is counted: `kind` and whose."""

    kind: str
    whose: str
    patience: Patience

    @property
    def key(self) -> str:
        """Where it lies."""
        return f"{PREFIX}{self.kind}:{digest(self.whose)}"


class Attempts:
    """Counts tries and says how long to wait."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._attempt = Script(redis, "attempt")
        self._forgive = Script(redis, "forgive")

    async def begin(self, counters: Sequence[Counter], now: datetime) -> timedelta:
        """Count a try; returns zero, or how long to wait, and then nothing was counted."""
        numbers: list[int] = []
        for counter in counters:
            bears = counter.patience
            numbers.append(bears.free)
            numbers += [each // _MILLISECOND for each in (bears.first, bears.longest, bears.life)]
        moment = int(now.timestamp() * 1000)
        wait = await self._attempt([each.key for each in counters], moment, *numbers)
        return timedelta(milliseconds=int(wait))

    async def forget(self, counter: Counter) -> None:
        """Start a counter anew: its owner proved who they are."""
        async with asked():
            await self._redis.delete(counter.key)

    async def take_back(self, counter: Counter) -> None:
        """Take one try back from a counter that others share."""
        await self._forgive([counter.key], counter.patience.free)
