"""The day's quota: granted in MongoDB before it is used, so that no crash oversends."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.asynchronous.database import AsyncDatabase
from redis.asyncio import Redis

from domain.allowance import PlatformQuota, block_size, day_number, quota_of_the_day
from domain.ids import AccountId
from storage.mongo.quotas import MongoQuotas
from storage.redis.limiter import DayUsedUp, Limiter
from storage.redis.scripts import StoreAway
from tests.support.clock import FakeClock

CITY, OTHER = AccountId("city"), AccountId("other")

Database = AsyncDatabase[dict[str, Any]]


def _limiter(redis: Redis, mongo: Database, clock: FakeClock, quota: int | None) -> Limiter:
    store = MongoQuotas(mongo, clock, {CITY: quota})
    return Limiter(redis, per_second=50_000, allowance=store, clock=clock)


async def _send_all(limiter: Limiter, *, rank: Any = "bulk", most: int = 100_000) -> int:
    """Send until the day is used up; return how many went out."""
    sent = 0
    while sent < most:
        try:
            sent += await limiter.acquire(CITY, min(7, most - sent), rank=rank)
        except DayUsedUp:
            break
    return sent


async def test_bulk_leaves_a_share_of_the_day_to_urgent(
    redis: Redis, mongo: Database, clock: FakeClock
):
    limiter = _limiter(redis, mongo, clock, 200)

    bulk = await _send_all(limiter)
    personal = await _send_all(limiter, rank="personal")
    urgent = await _send_all(limiter, rank="urgent")

    assert (bulk, personal, urgent) == (190, 0, 10)


async def test_the_day_that_is_used_up_is_asked_again_soon_and_just_after_midnight_in_china(
    redis: Redis, mongo: Database, clock: FakeClock
):
    limiter = _limiter(redis, mongo, clock, 20)
    await _send_all(limiter)

    with pytest.raises(DayUsedUp) as held:
        await limiter.acquire(CITY, 1)

    assert held.value.retry_after == timedelta(minutes=10)
    clock.advance(14 * 3600 - 60)
    with pytest.raises(DayUsedUp) as held:
        await limiter.acquire(CITY, 1)
    assert held.value.retry_after == timedelta(minutes=1)
    clock.advance(held.value.retry_after)
    assert await _send_all(limiter) == 19


async def test_several_processes_together_send_no_more_than_the_day_allows(
    redis: Redis, mongo: Database, clock: FakeClock
):
    limiters = [_limiter(redis, mongo, clock, 300) for _ in range(4)]

    sent = await asyncio.gather(*(_send_all(each, rank="urgent") for each in limiters))

    assert sum(sent) == 300


@pytest.mark.parametrize("lost", [1, 77, 150, 298])
async def test_losing_redis_oversends_nothing_and_wastes_at_most_a_block(
    redis: Redis, mongo: Database, clock: FakeClock, lost: int
):
    before = await _send_all(_limiter(redis, mongo, clock, 300), rank="urgent", most=lost)
    await redis.flushdb()

    after = await _send_all(_limiter(redis, mongo, clock, 300), rank="urgent")

    assert 300 - block_size(300) <= before + after <= 300


async def test_a_restarted_redis_that_remembers_less_is_not_trusted(
    redis: Redis, mongo: Database, clock: FakeClock
):
    limiter = _limiter(redis, mongo, clock, 100)
    await _send_all(limiter, rank="urgent", most=60)
    await redis.hset(f"{limiter.prefix}{CITY}", mapping={"used": 3, "run": "another"})

    assert await _send_all(limiter, rank="urgent") <= 40


async def test_without_mongodb_no_further_block_is_granted(
    redis: Redis, mongo: Database, clock: FakeClock
):
    class Away:
        async def extend(self, account: AccountId, day: int) -> Any:
            raise StoreAway("nobody grants anything")

    limiter = Limiter(redis, per_second=1000, allowance=Away(), clock=clock)

    with pytest.raises(StoreAway):
        await limiter.acquire(CITY, 1)


async def test_a_process_with_a_slow_clock_does_not_reopen_yesterday(
    redis: Redis, mongo: Database, clock: FakeClock
):
    clock.advance(timedelta(hours=14))
    ahead = _limiter(redis, mongo, clock, 100)
    await _send_all(ahead, rank="urgent", most=90)
    slow = FakeClock()
    slow.advance(timedelta(hours=13, minutes=59))

    behind = _limiter(redis, mongo, slow, 100)

    assert await _send_all(behind, rank="urgent") == 10


async def test_what_others_sent_through_the_account_is_used_too(
    redis: Redis, mongo: Database, clock: FakeClock
):
    store = MongoQuotas(mongo, clock, {})
    limiter = Limiter(redis, per_second=50_000, allowance=store, clock=clock)
    await limiter.acquire(CITY, 5)
    said = PlatformQuota(daily_limit=1000, used=900)

    await store.learn(CITY, day_number(clock.now()), said, quota=1000)
    await limiter.learn(CITY, used=900, quota=1000, per_second=None)

    assert await _send_all(limiter, rank="urgent") == 100


async def test_a_rate_that_the_platform_names_is_heeded_and_survives_redis(
    redis: Redis, mongo: Database, clock: FakeClock
):
    store = MongoQuotas(mongo, clock, {})
    limiter = Limiter(redis, per_second=500, allowance=store, clock=clock)
    said = PlatformQuota(daily_limit=0, used=0, per_second=40.0)
    await store.learn(CITY, day_number(clock.now()), said, quota=None)
    await limiter.learn(CITY, used=0, quota=None, per_second=40.0)
    assert (await limiter.pace(CITY)).per_second == 40.0

    await redis.flushdb()
    await limiter.acquire(CITY, 1)

    assert (await limiter.pace(CITY)).per_second == 40.0
    assert (await limiter.pace(OTHER)).per_second == 500.0


async def test_one_process_in_ten_minutes_asks_the_platform(mongo: Database, clock: FakeClock):
    store = MongoQuotas(mongo, clock, {})
    every = timedelta(minutes=10)

    turns = await asyncio.gather(*(store.take_turn(CITY, every) for _ in range(5)))
    clock.advance(every)

    assert sorted(turns) == [False, False, False, False, True]
    assert await store.take_turn(CITY, every)


async def test_our_own_quota_bounds_the_platforms(mongo: Database, clock: FakeClock):
    day = day_number(clock.now())
    store = MongoQuotas(mongo, clock, {CITY: 50})
    await store.learn(CITY, day, PlatformQuota(daily_limit=1000, used=0), quota=1000)
    await store.learn(OTHER, day, PlatformQuota(daily_limit=1000, used=0), quota=1000)

    assert (await store.quota(CITY, day), await store.quota(OTHER, day)) == (50, 1000)
    assert await store.quota(CITY, day + 1) == 50  # known from the day before
    assert await store.quota(OTHER, day + 1) == 1000


@given(
    limit=st.integers(1, 5_000),
    grants=st.lists(st.sampled_from(["extend", "learn"]), min_size=1, max_size=12),
    used=st.integers(0, 5_000),
)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_what_is_granted_never_goes_back_and_blocks_never_overlap(
    mongo: Database, clock: FakeClock, limit: int, grants: list[str], used: int
):
    await mongo[MongoQuotas.collection].delete_many({})
    store = MongoQuotas(mongo, clock, {CITY: limit})
    end = 0

    for each in grants:
        if each == "learn":
            await store.learn(
                CITY, 20261124, PlatformQuota(daily_limit=limit, used=used), quota=limit
            )
            end = max(end, used)
            continue
        block = await store.extend(CITY, 20261124)

        assert block.before == end
        assert end <= block.after <= max(end, limit)
        end = block.after


def test_a_platform_that_counts_clearly_fewer_than_we_do_was_cleared():
    said = PlatformQuota(daily_limit=100_000, used=0)

    assert quota_of_the_day(said, 400) == 100_000  # under way
    nearly = PlatformQuota(daily_limit=100_000, used=94_200)
    assert quota_of_the_day(nearly, 94_700) == 100_000
    assert quota_of_the_day(nearly, 95_000) == 100_800  # blocks that were lost with Redis
    assert quota_of_the_day(said, 90_000) == 190_000
    assert quota_of_the_day(PlatformQuota(daily_limit=0, used=0), 5) is None
