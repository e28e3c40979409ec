"""From the minutes of several processes to the days of the dashboard."""

from datetime import datetime, timedelta

import pytest

from console.rolling_up import RollingUp
from domain.broadcast import Audience
from domain.figures import Figures, day_of, minute_of
from domain.ids import AccountId
from storage.mongo.figures import MongoFigures
from storage.redis.figures import MinuteFigures
from tests.support.clock import FakeClock

CITY, PLAIN = AccountId("city"), AccountId("plain")


class Followers:
    """Counts as a test wants, and how often it was asked."""

    def __init__(self) -> None:
        self.people = 1000
        self.asked = 0

    async def count(self, account: AccountId, audience: Audience) -> int:
        self.asked += 1
        return self.people


@pytest.fixture
def followers() -> Followers:
    return Followers()


@pytest.fixture
async def store(mongo) -> MongoFigures:
    await mongo[MongoFigures.collection].create_indexes(list(MongoFigures.indexes))
    return MongoFigures(mongo)


def rolling(redis, store, followers, clock) -> RollingUp:
    return RollingUp(MinuteFigures(redis), store, followers, (CITY, PLAIN), clock)


async def counted(redis, clock, **numbers: int) -> None:
    """Let a process count and hand over."""
    figures = Figures(clock)
    for name, number in numbers.items():
        figures.add(CITY, name, number)
    await MinuteFigures(redis).add(figures.take())


async def today(store: MongoFigures, clock: FakeClock, account: AccountId = CITY):
    return (await store.days(account, [day_of(clock.now())]))[0]


async def test_two_processes_are_added_up_and_looking_again_changes_nothing(
    redis, store, followers, clock
):
    await counted(redis, clock, calls=3, follow=1)
    await counted(redis, clock, calls=2)
    ups = [rolling(redis, store, followers, clock) for _ in range(2)]

    for each in (*ups, *ups):
        await each.tick()

    found = await today(store, clock)
    assert found.counts == {"calls": 5, "follow": 1}
    assert (await today(store, clock, PLAIN)).counts == {}


async def test_what_comes_late_is_seen_and_what_redis_forgot_is_kept(
    redis, store, followers, clock
):
    up = rolling(redis, store, followers, clock)
    await counted(redis, clock, calls=3)
    await up.tick()
    late = clock.now()
    clock.advance(timedelta(minutes=5))
    await MinuteFigures(redis).add({(CITY, minute_of(late)): {"calls": 4}})
    await up.tick()
    assert (await today(store, clock)).counts == {"calls": 7}

    await redis.flushdb()
    clock.advance(timedelta(minutes=1))
    await counted(redis, clock, calls=1)
    await up.tick()

    assert (await today(store, clock)).counts == {"calls": 8}


async def test_a_scheduler_that_was_away_for_hours_catches_up(redis, store, followers, clock):
    for _ in range(5):
        await counted(redis, clock, calls=1)
        clock.advance(timedelta(hours=1))

    await rolling(redis, store, followers, clock).tick()

    assert (await today(store, clock)).counts == {"calls": 5}


async def test_the_last_minutes_of_yesterday_are_still_counted_after_midnight(
    redis, store, followers, clock
):
    clock.advance(timedelta(hours=13, minutes=59))  # 23:59 in Beijing
    yesterday = day_of(clock.now())
    await counted(redis, clock, calls=2)
    clock.advance(timedelta(minutes=2))

    await rolling(redis, store, followers, clock).tick()

    assert [day.counts for day in await store.days(CITY, [yesterday])] == [{"calls": 2}]
    assert (await today(store, clock)).counts == {}


async def test_yesterday_is_completed_by_a_scheduler_that_was_away_over_midnight(
    redis, store, followers, clock
):
    up = rolling(redis, store, followers, clock)
    clock.advance(timedelta(hours=13))  # 23:00 in Beijing
    yesterday = day_of(clock.now())
    await counted(redis, clock, calls=1)
    await up.tick()
    clock.advance(timedelta(minutes=40))
    await counted(redis, clock, calls=2)  # and the scheduler is away
    clock.advance(timedelta(hours=3))

    await up.tick()

    assert [day.counts for day in await store.days(CITY, [yesterday])] == [{"calls": 3}]


async def test_days_that_could_not_be_summed_are_summed_the_next_time(
    redis, store, followers, clock
):
    up = rolling(redis, store, followers, clock)
    clock.advance(timedelta(hours=13))  # 23:00 in Beijing
    yesterday = day_of(clock.now())
    await counted(redis, clock, calls=2)
    clock.advance(timedelta(hours=3))
    up._store = Failing(store._figures.database)
    with pytest.raises(TimeoutError):
        await up.tick()
    up._store = store
    clock.advance(timedelta(minutes=20))

    await up.tick()

    assert [day.counts for day in await store.days(CITY, [yesterday])] == [{"calls": 2}]


class Failing(MongoFigures):
    """Takes minutes and sums no day."""

    async def sum_day(self, account: AccountId, day: datetime) -> None:
        raise TimeoutError


async def test_followers_are_counted_once_an_hour_whoever_looks(redis, store, followers, clock):
    ups = [rolling(redis, store, followers, clock) for _ in range(2)]
    for each in ups:
        await each.tick()
    assert followers.asked == 2  # one for each account

    followers.people = 1010
    clock.advance(timedelta(hours=1, minutes=1))
    for each in ups:
        await each.tick()

    assert followers.asked == 4
    assert (await today(store, clock)).followers == 1010


async def test_figures_expire_by_themselves(redis, store, followers, clock, mongo):
    await counted(redis, clock, calls=1)
    await rolling(redis, store, followers, clock).tick()

    kept = {row["span"]: row["expire_at"] - row["at"] async for row in mongo.figures.find()}

    assert kept == {"hour": timedelta(days=14), "day": timedelta(days=395)}
    [key] = [key async for key in redis.scan_iter("wz:figures:*")]
    assert 0 < await redis.ttl(key) <= 26 * 3600
