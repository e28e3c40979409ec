"""Which processes of ours are alive (进程): each says so every few seconds.

For people who look, and nothing else: leases decide who may work. A process that died is shown
for a minute with the time since it was last heard.
"""

from datetime import datetime, timedelta
from typing import cast

from redis.asyncio import Redis

from domain.overview import Seen
from storage.redis.scripts import asked

KEPT = timedelta(minutes=1)


class Processes:
    """One sorted set: member `host:pid roles`, score the Unix time in milliseconds."""

    key = "wz:processes"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def beat(self, name: str, roles: str, now: datetime) -> None:
        """Say that a process lives, and forget those not heard of for a minute."""
        async with asked():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zadd(self.key, {f"{name} {roles}": _score(now)})
            pipe.zremrangebyscore(self.key, "-inf", _score(now - KEPT))
            await pipe.execute()

    async def leave(self, name: str, roles: str) -> None:
        """Forget a process that stops in order."""
        async with asked():
            await self._redis.zrem(self.key, f"{name} {roles}")

    async def seen(self, now: datetime) -> list[Seen]:
        """Return those heard of within the last minute, by name."""
        async with asked():
            rows = cast(
                list[tuple[bytes, float]],
                await self._redis.zrangebyscore(
                    self.key, _score(now - KEPT), "+inf", withscores=True
                ),
            )
        found = []
        for member, score in rows:
            name, _, roles = member.decode().partition(" ")
            ago = timedelta(milliseconds=max(0, _score(now) - int(score)))
            found.append(Seen(name=name, roles=roles, ago=ago))
        return sorted(found, key=lambda each: each.name)


def _score(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
