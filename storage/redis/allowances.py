"""So many times in so long (限次): a count per person and act over all processes."""

from datetime import timedelta

from redis.asyncio import Redis

from storage.redis.keys import digest
from storage.redis.scripts import asked


class Allowances:
    """Counts acts in windows that begin with the first one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def take(self, act: str, whose: str, *, most: int, within: timedelta) -> bool:
        """Count one more; False when it is one too many. `StoreAway` when nobody can tell."""
        key = f"wz:allowance:{act}:{digest(whose)}"
        async with asked(), self._redis.pipeline(transaction=True) as pipe:
            pipe.set(key, 0, ex=within, nx=True)
            pipe.incr(key)
            _, used = await pipe.execute()
        return int(used) <= most
