"""The limiter: never above the rate in any second, over all processes."""

import asyncio
import time
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from domain.ids import AccountId
from storage.redis.limiter import Held, Limiter

CITY, OTHER = AccountId("city"), AccountId("other")


async def _send(limiter: Limiter, until: float, sends: list[float]) -> None:
    while time.monotonic() < until:
        number = await limiter.acquire(CITY, 25)
        sends.extend([time.monotonic()] * number)


def _most_in_a_second(sends: list[float]) -> int:
    ordered, most, start = sorted(sends), 0, 0
    for end, moment in enumerate(ordered):
        while moment - ordered[start] >= 1.0:
            start += 1
        most = max(most, end - start + 1)
    return most


@pytest.mark.faults
@pytest.mark.parametrize("rate", [20, 200, 1000])
async def test_no_second_holds_more_than_the_rate(redis: Redis, rate: int):
    limiters = [Limiter(redis, per_second=rate) for _ in range(2)]
    sends: list[float] = []
    seconds = 3.0
    await limiters[0].acquire(CITY, 1)  # an empty Redis makes the first one wait
    until = time.monotonic() + seconds

    await asyncio.gather(*(_send(limiter, until, sends) for limiter in limiters for _ in range(4)))

    within = [moment for moment in sends if moment < until]
    assert _most_in_a_second(sends) <= rate
    assert len(within) >= rate * seconds / 2  # how close it comes is measured by `make bench`


async def test_idle_time_earns_no_burst(redis: Redis):
    limiter = Limiter(redis, per_second=100)
    await limiter.acquire(CITY, 1)
    await asyncio.sleep(0.5)
    started = time.monotonic()

    for _ in range(20):
        await limiter.acquire(CITY, 1)

    assert time.monotonic() - started >= 0.17


async def test_a_hold_stops_the_account_in_every_process_and_no_other(redis: Redis):
    await Limiter(redis, per_second=100).hold(CITY, timedelta(minutes=1))
    other_process = Limiter(redis, per_second=100)

    with pytest.raises(Held) as held:
        await other_process.acquire(CITY, 5)

    assert timedelta(seconds=55) < held.value.retry_after <= timedelta(minutes=1)
    assert await other_process.acquire(OTHER, 5) >= 1


async def test_a_shorter_hold_does_not_end_a_longer_one(redis: Redis):
    limiter = Limiter(redis, per_second=100)
    await limiter.hold(CITY, timedelta(hours=10))

    await limiter.hold(CITY, timedelta(minutes=1))

    assert await limiter.held_for(CITY) > timedelta(hours=9)


async def test_a_flushed_redis_gives_no_burst_either(redis: Redis):
    limiter = Limiter(redis, per_second=100)
    started = time.monotonic()

    for number in range(20):
        await limiter.acquire(CITY, 1)
        if number == 10:
            await redis.flushdb()
            await redis.script_flush()

    assert time.monotonic() - started >= 0.16
