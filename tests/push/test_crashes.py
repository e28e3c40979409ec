"""Processes die, Redis forgets, schedulers meet: nobody is lost and nobody gets two cards."""

import asyncio
import random

import pytest

from domain.broadcast import Counts
from domain.ids import BroadcastId
from storage.mongo.ledger import MAX_STALLS
from tests.push.conftest import MakeEngine
from tests.support.platform import ANSWER_LOST, SWALLOWED, Platform
from tests.support.push import Engine, FlowingClock, until


class Killer:
    """Runs workers and kills them at random moments, wherever they stand: nothing is given back."""

    def __init__(self, engine: Engine, seed: int, *, longest: float = 0.3) -> None:
        self._engine = engine
        self._random = random.Random(seed)
        self._longest = longest
        self.kills = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            worker = self._engine.new_worker()
            task = asyncio.create_task(worker.run(asyncio.Event()))
            await asyncio.sleep(self._random.uniform(0.01, self._longest))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.kills += 1


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_workers_killed_at_random_moments_lose_and_double_nobody(
    make_engine: MakeEngine, platform: Platform, seed: int
):
    engine = await make_engine(lease=0.5)
    people = await engine.follow(300)
    platform.latency = 0.01
    broadcast = await engine.begin()
    killer, stop = Killer(engine, seed), asyncio.Event()

    killing = asyncio.create_task(killer.run(stop))
    await asyncio.sleep(2.5)
    stop.set()
    await killing
    async with engine.working(workers=2):
        counts = await engine.finished(broadcast)

    assert killer.kills > 10
    assert platform.cards_per_person == dict.fromkeys(people, 1)
    assert counts == Counts(audience=300, sent=300)


@pytest.mark.faults
async def test_answers_that_get_lost_double_nobody_and_lose_nobody(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine()
    people = await engine.follow(100)
    chance = random.Random(5)
    platform.fault = lambda _, number: (
        chance.choice([SWALLOWED, ANSWER_LOST, None]) if number < 3 else None
    )

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert platform.cards_per_person == dict.fromkeys(people, 1)
    assert counts == Counts(audience=100, sent=100)


async def test_a_crash_after_the_safe_window_makes_unknown_and_never_a_second_card(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(lease=2.0)
    await engine.follow(5)
    platform.latency = 60.0  # the cards are delivered, the answers never come in time
    broadcast = await engine.begin()
    worker = asyncio.create_task(engine.new_worker().run(asyncio.Event()))

    async def all_carried_out() -> bool:
        return len(platform.cards) == 5

    await until(all_carried_out)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    clock.advance(11 * 60)
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=5, unknown=5)
    assert len(platform.cards) == 5


async def test_a_crash_inside_the_window_is_repeated_with_the_first_intent(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(lease=2.0)
    people = await engine.follow(5)
    platform.latency = 60.0
    broadcast = await engine.begin()
    worker = asyncio.create_task(engine.new_worker().run(asyncio.Event()))

    async def all_carried_out() -> bool:
        return len(platform.cards) == 5

    await until(all_carried_out)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    platform.latency = 0.0
    clock.advance(8 * 60)
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=5, sent=5)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


@pytest.mark.faults
async def test_redis_flushed_in_the_middle_only_delays(make_engine: MakeEngine, platform: Platform):
    engine = await make_engine()
    people = await engine.follow(200)
    platform.latency = 0.02
    broadcast = await engine.begin()

    async with engine.working():
        for _ in range(4):
            await asyncio.sleep(0.1)
            await engine.redis.flushdb()
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=200, sent=200)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_an_entry_read_by_a_worker_that_died_before_claiming_is_rung_again(engine: Engine):
    await engine.follow(5)
    broadcast = await engine.begin()
    assert await engine.ring.take("dead", free=5)

    await engine.ring.rescue(stale_ms=0)

    (ticket,) = await engine.ring.take("alive", free=5)
    assert ticket.batch == f"{broadcast}:0"


@pytest.mark.faults
async def test_two_planners_and_two_recoveries_at_once_make_one_of_everything(
    engine: Engine, platform: Platform
):
    people = await engine.follow(90)
    broadcast = await engine.order()
    other = engine.new_planner()

    await asyncio.gather(engine.planner.tick(), other.tick(), engine.planner.tick(), other.tick())
    await engine.planner.settle()
    await other.settle()
    async with engine.working(workers=2):
        await asyncio.gather(*(engine.recovery.tick() for _ in range(4)))
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=90, sent=90)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


@pytest.mark.parametrize("batches_before_the_crash", [0, 1, 3])
async def test_an_expansion_that_crashed_goes_on_behind_the_last_batch(
    engine: Engine, clock: FlowingClock, batches_before_the_crash: int
):
    people = await engine.follow(95)
    broadcast = await engine.order()
    write, written = engine.ledger.add, 0

    async def add_or_die(batches):  # the process ends between two batches
        nonlocal written
        for batch in batches:
            if written == batches_before_the_crash:
                raise asyncio.CancelledError
            await write([batch])
            written += 1

    engine.ledger.add = add_or_die
    await engine.plan()
    engine.ledger.add = write
    clock.advance(60)
    await engine.add_people([f"o{index:027d}" for index in range(-3, 0)])  # not in the snapshot
    await engine.plan()

    found = await _people_in_ledger(engine, broadcast)
    assert [openid for openid in found if openid in set(people)] == people
    assert len(found) == len(set(found))


async def test_a_lost_lease_stops_a_slow_worker_from_writing(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(lease=30.0)
    people = await engine.follow(5)
    platform.latency = 0.5
    broadcast = await engine.begin()
    slow, stop = engine.new_worker(), asyncio.Event()
    task = asyncio.create_task(slow.run(stop))

    async def has_arrived() -> bool:
        return bool(platform.arrivals)

    await until(has_arrived)
    clock.advance(60)  # it was suspended for a minute; somebody else takes over
    async with engine.working():
        counts = await engine.finished(broadcast)
    stop.set()
    await task

    assert counts == Counts(audience=5, sent=5)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_batch_that_keeps_killing_its_worker_is_set_aside_and_pauses_the_broadcast(
    engine: Engine, clock: FlowingClock
):
    await engine.follow(5)
    broadcast = await engine.begin()
    for _ in range(MAX_STALLS + 1):
        now = clock.now()
        await engine.ledger.claim([f"{broadcast}:0"], owner="dying", now=now, until=now)
        clock.advance(1)
        await engine.recovery.tick()

    found = await engine.find(broadcast)
    assert found.state == "paused"
    assert "again and again" in found.reason

    await engine.broadcasts.resume(broadcast)
    async with engine.working():
        assert (await engine.finished(broadcast)).sent == 5


async def test_a_dead_workers_batch_goes_before_the_rest_of_a_long_broadcast(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(per_second=200, lease=1.0)
    people = await engine.follow(400)  # twenty batches: two seconds of sending
    broadcast = await engine.begin()
    now = clock.now()
    assert await engine.ledger.claim([f"{broadcast}:19"], owner="dying", now=now, until=now)

    async with engine.working():
        await until(lambda: _has_card(platform, people[-1]))

    assert len(platform.cards) < 300


async def _has_card(platform: Platform, openid: str) -> bool:
    return openid in platform.cards_per_person


async def _people_in_ledger(engine: Engine, broadcast: BroadcastId) -> list[str]:
    batches = engine.database[engine.ledger.collection].find({"broadcast": broadcast})
    lists = [batch["people"] async for batch in batches.sort("seq", 1)]
    people = engine.database[engine.ledger.people_collection]
    found: list[str] = []
    for list_id in lists:
        document = await people.find_one({"_id": list_id})
        found += document["openids"].split("\n")
    return found


async def test_one_worker_takes_over_all_that_many_have_left(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(batch_size=1, lease=30.0)
    await engine.follow(150)
    platform.latency = 60.0  # nothing ends, no room is made
    broadcast = await engine.begin()
    now = clock.now()
    batches = [f"{broadcast}:{number}" for number in range(150)]
    assert len(await engine.ledger.claim(batches, owner="dying", now=now, until=now)) == 150
    clock.advance(1)
    await engine.ledger.expire_leases(clock.now())

    async def all_taken_over() -> bool:
        found = {"broadcast": broadcast, "state": "leased", "owner": {"$ne": "dying"}}
        return await engine.database["batches"].count_documents(found) == 150

    async with engine.working():
        await until(all_taken_over)
