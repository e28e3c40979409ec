"""Numbers by minute of all processes together (运行数据), until they are rolled up into MongoDB.

One hash for each account and minute. Every process adds what it has gathered, in one batch every
few seconds. When an answer gets lost the batch may be added twice: these are figures for people
who look, and nothing decides by them.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import cast

from redis.asyncio import Redis

from domain.figures import Gathered
from domain.ids import AccountId
from storage.redis.scripts import asked

KEPT = timedelta(hours=26)


class MinuteFigures:
    """Hashes `wz:figures:{account}:{minute}`, minutes since 1970."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, gathered: Gathered) -> None:
        """Add what a process has gathered; raises `StoreAway` when Redis does not answer."""
        if not gathered:
            return
        pipe = self._redis.pipeline(transaction=False)
        for (account, minute), counts in gathered.items():
            key = _key(account, minute)
            for name, number in counts.items():
                pipe.hincrby(key, name, number)
            pipe.expire(key, KEPT)
        async with asked():
            await pipe.execute()

    async def read(self, account: AccountId, minutes: Iterable[int]) -> dict[int, Counter[str]]:
        """Return the numbers of those of the minutes in which there was something."""
        wanted = list(minutes)
        pipe = self._redis.pipeline(transaction=False)
        for minute in wanted:
            pipe.hgetall(_key(account, minute))
        async with asked():
            rows = cast(list[dict[bytes, bytes]], await pipe.execute())
        return {
            minute: Counter({name.decode(): int(number) for name, number in row.items()})
            for minute, row in zip(wanted, rows, strict=True)
            if row
        }


def _key(account: AccountId, minute: int) -> str:
    return f"wz:figures:{account}:{minute}"
