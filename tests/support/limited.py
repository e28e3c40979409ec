"""A process that sends as fast as the limiter lets it: `python -m tests.support.limited …`.

It says "ready" and waits to be told until when. Then it prints the moment of every send, on the
clock that all processes of a machine share, and how many went out at that moment. A sluggish one
is stopped by other work now and then.
"""

import asyncio
import random
import sys
import time

from redis.asyncio import Redis

from domain.ids import AccountId
from storage.redis.limiter import Limiter

ACCOUNT = AccountId("city")


async def _lane(limiter: Limiter, until: float, wanted: int) -> None:
    while time.monotonic() < until:
        number = await limiter.acquire(ACCOUNT, wanted)
        sys.stdout.write(f"{time.monotonic():.6f} {number}\n")


async def _be_busy(until: float) -> None:
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(0, 0.1))
        time.sleep(random.uniform(0, 0.08))  # noqa: ASYNC251 - nothing of this process may run


async def main(
    socket: str, rate: int, until: float, lanes: int, wanted: int, sluggish: bool
) -> None:
    redis = Redis(unix_socket_path=socket)
    limiter = Limiter(redis, per_second=rate)
    busy = [_be_busy(until)] if sluggish else []
    await asyncio.gather(*(_lane(limiter, until, wanted) for _ in range(lanes)), *busy)
    await redis.aclose()


if __name__ == "__main__":
    where, rate, lanes, wanted, mood = sys.argv[1:]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    until = float(sys.stdin.readline())
    asyncio.run(main(where, int(rate), until, int(lanes), int(wanted), mood == "sluggish"))
