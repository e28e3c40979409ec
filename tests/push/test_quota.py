"""Learning the day's quota from the platform, by one process at a time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain.allowance import PlatformQuota, day_number
from domain.broadcast import Counts
from domain.delivery import SendFailed
from domain.ids import AccountId, OpenId
from push.quota import EVERY, Quotas
from storage.redis.scripts import StoreAway
from tests.push.conftest import MakeEngine
from tests.support.platform import Platform
from tests.support.push import CITY, Engine, FlowingClock, until

PLAIN = AccountId("plain")


class Source:
    """A platform that answers one question."""

    def __init__(self, answer: PlatformQuota | SendFailed) -> None:
        self.answer = answer
        self.asked = 0

    async def quota(self) -> PlatformQuota:
        self.asked += 1
        if isinstance(self.answer, SendFailed):
            raise self.answer
        return self.answer


def _quotas(engine: Engine, **sources: Source) -> Quotas:
    return Quotas(
        engine.quota_store,
        engine.limiter,
        engine.store,
        engine.ledger,
        {AccountId(name): source for name, source in sources.items()},
        engine.clock,
    )


async def test_what_the_platform_says_is_heeded_by_every_process(engine: Engine):
    city = Source(PlatformQuota(daily_limit=1000, used=20, per_second=30.0))

    await _quotas(engine, city=city).tick()

    day = await engine.quotas.day(CITY, engine.clock.now())
    assert (day.limit, day.used) == (1000, 20)
    assert (await engine.limiter.pace(CITY)).per_second == 30.0
    assert (await engine.limiter.pace(PLAIN)).per_second == 50_000


async def test_the_platform_is_asked_once_in_ten_minutes_by_all_processes(
    engine: Engine, clock: FlowingClock
):
    city = Source(PlatformQuota(daily_limit=1000, used=0))
    processes = [_quotas(engine, city=city) for _ in range(3)]

    for quotas in processes:
        await quotas.tick()
        await quotas.tick()
    assert city.asked == 1

    clock.advance(EVERY)
    for quotas in processes:
        quotas._look_at.clear()
        await quotas.tick()
    assert city.asked == 2


async def test_an_account_that_may_not_ask_goes_on_as_before_and_stops_no_other(engine: Engine):
    refused = Source(SendFailed(48001, "api unauthorized", "config"))
    plain = Source(PlatformQuota(daily_limit=500, used=0))

    await _quotas(engine, city=refused, plain=plain).tick()

    assert (await engine.quotas.day(CITY, engine.clock.now())).limit is None
    assert (await engine.quotas.day(PLAIN, engine.clock.now())).limit == 500


async def test_without_redis_the_day_counts_everything_granted(engine: Engine, clock: FlowingClock):
    await engine.limiter.acquire(CITY, 5)

    async def away(*_: Any) -> Any:
        raise StoreAway("redis is away")

    engine.limiter.pace = away  # type: ignore[method-assign]
    city = Source(PlatformQuota(daily_limit=5000, used=0))
    await _quotas(engine, city=city).learn(CITY)

    day = await engine.quotas.day(CITY, clock.now())
    assert (day.limit, day.used) == (5000, 1000)  # one block


async def test_a_cleared_counter_of_the_platform_opens_the_day_again(
    engine: Engine, clock: FlowingClock
):
    number = day_number(clock.now())
    await engine.quota_store.learn(
        CITY, number, PlatformQuota(daily_limit=2000, used=1900), quota=2000
    )
    await engine.limiter.acquire(CITY, 1, rank="urgent")
    before = (await engine.quotas.day(CITY, clock.now())).open_to("urgent")

    await _quotas(engine, city=Source(PlatformQuota(daily_limit=2000, used=0))).learn(CITY)

    after = (await engine.quotas.day(CITY, clock.now())).open_to("urgent")
    assert before == pytest.approx(99, abs=1)
    assert after == pytest.approx(2000, abs=1)


async def test_what_was_lost_with_redis_is_sent_the_same_day_once_the_platform_tells(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(lease=100_000, per_second=50)
    people = [OpenId(f"p{number:027d}") for number in range(60)]
    await engine.add_people(people, account=PLAIN)
    says = Source(PlatformQuota(daily_limit=60, used=0))
    quotas = _quotas(engine, plain=says)
    await quotas.learn(PLAIN)
    broadcast = await engine.begin(account=PLAIN, priority="urgent")

    async def has_stopped() -> bool:
        before = len(platform.cards)
        await asyncio.sleep(0.5)
        return 15 <= before == len(platform.cards)

    async def has_begun() -> bool:
        return len(platform.cards) >= 15

    async with engine.working():
        await until(has_begun)
        await engine.redis.flushdb()
        await until(has_stopped)
        assert len(platform.cards) < 60
        says.answer = PlatformQuota(daily_limit=60, used=len(platform.cards))
        await quotas.learn(PLAIN)
        clock.advance(timedelta(minutes=11))
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=60, sent=60)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_new_day_starts_with_the_quota_known_from_the_day_before(
    engine: Engine, clock: FlowingClock
):
    await _quotas(engine, city=Source(PlatformQuota(daily_limit=2000, used=1900))).tick()

    clock.advance(timedelta(hours=15))

    day = await engine.quotas.day(CITY, clock.now())
    assert (day.limit, day.used) == (2000, 0)
