"""The pace gives way when the platform says so, in all processes, and recovers by itself."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase
from redis.asyncio import Redis

from domain.ids import AccountId
from storage.mongo.quotas import MongoQuotas
from storage.redis.limiter import RECOVERY, Held, Limiter, Storm
from storage.redis.scripts import StoreAway
from tests.support.clock import FakeClock

CITY, OTHER = AccountId("city"), AccountId("other")
STORM = Storm(number=5, within=timedelta(seconds=10))


async def _let_pass(redis: Redis, limiter: Limiter, span: timedelta) -> None:
    """Let that time pass since the pace was cut (Redis's own clock cannot be moved)."""
    key = f"{limiter.prefix}{CITY}"
    since = int(await redis.hget(key, "pace_from") or 0)
    await redis.hset(key, "pace_from", str(since - int(span.total_seconds() * 1e6)))


async def test_a_cut_halves_the_pace_for_every_process_and_no_other_account(redis: Redis):
    assert await Limiter(redis, per_second=200).slow_down(CITY)

    other_process = Limiter(redis, per_second=200)

    assert (await other_process.pace(CITY)).per_second == pytest.approx(100, abs=1)
    assert (await other_process.pace(CITY)).ceiling == 200
    assert (await other_process.pace(OTHER)).per_second == 200


async def test_what_was_under_way_when_the_pace_was_cut_does_not_cut_it_again(redis: Redis):
    limiter = Limiter(redis, per_second=200)

    cuts = await asyncio.gather(
        *(limiter.slow_down(CITY, timedelta(seconds=60)) for _ in range(20))
    )

    assert sum(cuts) == 1
    assert (await limiter.pace(CITY)).per_second == pytest.approx(100, abs=1)


async def test_a_second_burst_after_the_hold_cuts_again(redis: Redis):
    limiter = Limiter(redis, per_second=200)
    await limiter.slow_down(CITY)
    await _let_pass(redis, limiter, timedelta(seconds=3))

    assert await limiter.slow_down(CITY)
    assert (await limiter.pace(CITY)).per_second == pytest.approx(50, abs=2)


async def test_the_pace_recovers_evenly_up_to_the_ceiling(redis: Redis):
    limiter = Limiter(redis, per_second=200)
    await limiter.slow_down(CITY)

    await _let_pass(redis, limiter, RECOVERY / 4)
    half_way = (await limiter.pace(CITY)).per_second
    await _let_pass(redis, limiter, RECOVERY / 4)

    assert half_way == pytest.approx(150, abs=1)
    assert (await limiter.pace(CITY)).per_second == 200


async def test_the_pace_never_falls_below_one_a_second(redis: Redis):
    limiter = Limiter(redis, per_second=10)
    for _ in range(8):
        await limiter.slow_down(CITY)
        await _let_pass(redis, limiter, timedelta(seconds=3))

    assert 1.0 <= (await limiter.pace(CITY)).per_second < 2.0


async def test_a_slow_pace_is_kept_and_recovery_waits_for_the_end_of_the_hold(redis: Redis):
    limiter = Limiter(redis, per_second=200)
    await limiter.slow_down(CITY, timedelta(seconds=1))
    assert (await limiter.pace(CITY)).held_for > timedelta(milliseconds=500)
    await limiter.acquire(CITY, 1)  # waits for the short hold
    started = time.monotonic()

    for _ in range(30):
        await limiter.acquire(CITY, 1)

    assert time.monotonic() - started >= 0.28


async def test_a_storm_of_answers_cuts_the_pace_and_a_few_do_not(redis: Redis):
    limiter = Limiter(redis, per_second=200)

    few = [await limiter.note_trouble(CITY, "-1", STORM) for _ in range(4)]
    others = [await limiter.note_trouble(OTHER, "-1", STORM) for _ in range(4)]
    fifth = await limiter.note_trouble(CITY, "-1", STORM)

    assert not any([*few, *others])
    assert fifth
    assert (await limiter.pace(CITY)).per_second == pytest.approx(100, abs=1)
    assert (await limiter.pace(OTHER)).per_second == 200


async def test_a_platform_that_is_busy_now_and_then_is_no_storm(
    redis: Redis, mongo: AsyncDatabase[dict[str, Any]], clock: FakeClock
):
    quotas = MongoQuotas(mongo, clock, {})
    limiter = Limiter(redis, per_second=50_000, allowance=quotas, clock=clock)

    cuts = []
    for _ in range(8):  # one of sixty sends fails
        for _ in range(6):
            await limiter.acquire(CITY, 10)
        cuts.append(await limiter.note_trouble(CITY, "-1", STORM))

    assert not any(cuts)


async def test_a_hold_alone_cuts_nothing_and_the_next_burst_does(redis: Redis):
    limiter = Limiter(redis, per_second=200)
    await limiter.hold(CITY, timedelta(seconds=5))
    assert (await limiter.pace(CITY)).per_second == 200

    assert await limiter.slow_down(CITY, timedelta(seconds=60))

    with pytest.raises(Held) as held:
        await limiter.acquire(CITY, 1)
    assert held.value.retry_after > timedelta(seconds=50)


async def test_urgent_does_not_queue_behind_what_bulk_has_reserved(redis: Redis):
    limiter = Limiter(redis, per_second=200)
    until = time.monotonic() + 2.0

    async def bulk() -> None:
        while time.monotonic() < until:
            await limiter.acquire(CITY, 25)

    hogs = [asyncio.create_task(bulk()) for _ in range(60)]
    await asyncio.sleep(1.0)
    waits = []
    for rank in ("urgent", "personal") * 4:
        asked_at = time.monotonic()
        await limiter.acquire(CITY, 1, rank=rank)
        waits.append(time.monotonic() - asked_at)
    await asyncio.gather(*hogs)

    assert sorted(waits)[len(waits) // 2] < 0.2  # bulk reserves 100 ms ahead; 60 lanes would be 0.3


async def test_a_redis_that_does_not_answer_gives_no_permission():
    nowhere = Redis(unix_socket_path="/tmp/wz-nobody-listens-here.sock")
    limiter = Limiter(nowhere, per_second=200)

    answers = await asyncio.gather(
        limiter.acquire(CITY, 1),
        limiter.acquire(CITY, 1, rank="urgent"),
        limiter.slow_down(CITY),
        limiter.pace(CITY),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers] == [StoreAway] * 4
    await nowhere.aclose()


async def test_a_clock_that_was_put_back_does_not_stop_the_account(redis: Redis):
    limiter = Limiter(redis, per_second=200)
    await limiter.acquire(CITY, 1)
    hours_ahead = str(int((time.time() + 7200) * 1e6))
    await redis.hset(f"{limiter.prefix}{CITY}", "free", hours_ahead)

    async with asyncio.timeout(2):
        assert await limiter.acquire(CITY, 1) == 1


async def test_processes_whose_clocks_differ_keep_one_pace(redis: Redis):
    """A process only ever learns how long to wait: its own clock may show anything."""
    limiters = [Limiter(redis, per_second=100) for _ in range(3)]
    for number, limiter in enumerate(limiters):
        limiter._now = lambda ahead=number * 1e6: time.monotonic() + ahead
    await limiters[0].acquire(CITY, 1)
    started = time.monotonic()

    for number in range(30):
        await limiters[number % 3].acquire(CITY, 1)

    assert time.monotonic() - started >= 0.28
