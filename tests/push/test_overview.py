"""The overview: from the ledger, by account, bounded in age, honest about what it cannot read."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from domain.ids import AccountId
from domain.overview import AccountView
from push.overview import Overviews
from storage.mongo.ledger import SWEPT
from storage.mongo.overview import MongoOverview
from storage.redis.processes import Processes
from tests.push.conftest import MakeEngine
from tests.support.clock import FakeClock
from tests.support.push import CITY, Engine

PLAIN = AccountId("plain")


@pytest.fixture
async def still(make_engine: MakeEngine) -> Engine:
    """An engine with fifty people in batches of twenty; nobody works."""
    engine = await make_engine()
    await engine.follow(50)
    return engine


@pytest.fixture
def overviews(still: Engine) -> Overviews:
    return Overviews(
        MongoOverview(still.database),
        still.ledger,
        still.limiter,
        Processes(still.redis),
        (CITY, PLAIN),
        still.clock,
    )


async def _city(overviews: Overviews) -> AccountView:
    city, plain = (await overviews.read()).accounts
    assert (city.account, plain.account) == (CITY, PLAIN)
    assert not any(plain.batches.values())  # nothing of another account
    return city


async def test_what_waits_counts_as_ready_and_lags_from_its_due_time(still, overviews):
    await still.begin()
    still.clock.advance(30)

    city = await _city(overviews)

    assert city.batches == {"ready": 3, "waiting": 0, "leased": 0, "dead": 0}
    assert (city.running, city.paused) == (1, 0)
    assert timedelta(seconds=30) <= city.lag < timedelta(seconds=60)


async def test_a_paused_broadcast_does_not_lag(still, overviews):
    broadcast = await still.begin()
    await still.broadcasts.pause(broadcast)
    still.clock.advance(30)

    city = await _city(overviews)

    assert (city.running, city.paused) == (0, 1)
    assert city.lag == timedelta(0)


async def test_a_batch_that_is_not_due_yet_waits_and_does_not_lag(still, overviews):
    broadcast = await still.begin()
    now = still.clock.now()
    until = now + timedelta(seconds=5)
    (batch,) = await still.ledger.claim([f"{broadcast}:0"], owner="host:1:x", now=now, until=until)
    await still.ledger.release(batch, now + timedelta(minutes=1))
    await still.ledger.claim([f"{broadcast}:1"], owner="host:1:x", now=now, until=until)

    city = await _city(overviews)

    assert city.batches == {"ready": 1, "waiting": 1, "leased": 1, "dead": 0}


async def test_a_broadcast_shows_its_sums_while_it_runs(still, overviews):
    broadcast = await still.begin()
    async with still.working():
        await still.finished(broadcast)
    second = await still.begin()

    (running,) = (await overviews.read()).running

    assert running.id == second  # what is finished is history
    assert (running.expected, running.people, running.totals.concluded) == (50, 50, 0)


async def test_processes_are_shown_with_the_batches_they_hold(still, overviews):
    broadcast = await still.begin()
    now = still.clock.now()
    until = now + timedelta(seconds=5)
    await Processes(still.redis).beat("host:1", "push", now)
    await still.ledger.claim([f"{broadcast}:0"], owner="host:1:ab12", now=now, until=until)
    await still.ledger.claim([f"{broadcast}:1"], owner="host:2:cd34", now=now, until=until)

    alive, unheard = (await overviews.read()).processes

    assert (alive.name, alive.roles, alive.batches) == ("host:1", "push", 1)
    assert (unheard.name, unheard.batches, unheard.ago) == ("host:2", 1, timedelta.max)


async def test_a_scrape_is_at_most_five_seconds_old(still, overviews):
    first = await overviews.cached()
    await still.begin()

    assert await overviews.cached() is first
    overviews._now = lambda: 1e9
    assert (await overviews.cached()).accounts[0].batches["ready"] == 3


async def test_counting_what_is_open_does_not_look_at_documents(still):
    await still.begin()

    plan = await still.database.command(
        "explain",
        {
            "find": "batches",
            "filter": {"state": {"$in": ["ready", "leased", "dead"]}},
            "projection": {"_id": 0, "state": 1, "queue": 1, "broadcast": 1, "due_at": 1},
            "hint": dict(SWEPT),
        },
        verbosity="executionStats",
    )

    assert plan["executionStats"]["totalDocsExamined"] == 0


async def test_a_process_is_forgotten_after_a_minute(redis: Redis):
    clock, processes = FakeClock(), Processes(redis)
    await processes.beat("host:1", "web", clock.now())
    clock.advance(61)
    await processes.beat("host:2", "push,scheduler", clock.now())

    (seen,) = await processes.seen(clock.now())

    assert (seen.name, seen.roles) == ("host:2", "push,scheduler")
    await processes.leave("host:2", "push,scheduler")
    assert await processes.seen(clock.now()) == []
