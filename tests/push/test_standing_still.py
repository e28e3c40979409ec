"""What stands still or cannot be worked on is in nobody else's way."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from domain.broadcast import Audience, Counts
from domain.delivery import SendFailed
from domain.ids import BroadcastId
from push import recovery
from push.sender import PutOff, Sender
from storage.mongo.ledger import MAX_STALLS
from storage.redis.limiter import Limiter
from storage.redis.ring import notices_queue, queue_of
from tests.push.conftest import MakeEngine
from tests.support.platform import Platform
from tests.support.push import CITY, Engine, FlowingClock, until


async def _was_begun(engine: Engine, clock: FlowingClock, broadcast: BroadcastId) -> None:
    """Let a worker die with the broadcast's first batch."""
    now = clock.now()
    assert await engine.ledger.claim([f"{broadcast}:0"], owner="dying", now=now, until=now)
    clock.advance(1)
    await engine.ledger.expire_leases(clock.now())


async def test_a_broadcast_that_cannot_be_read_keeps_nobody_waiting_and_is_buried(
    make_engine: MakeEngine, clock: FlowingClock
):
    engine = await make_engine(lease=0.2)
    people = await engine.follow(3)
    broken = await engine.begin(Audience(openids=(people[0],)))
    other = await engine.begin(Audience(openids=(people[1],)))
    await engine.database["broadcasts"].update_one({"_id": broken}, {"$unset": {"content": ""}})
    await _was_begun(engine, clock, broken)
    await _was_begun(engine, clock, other)

    async with engine.working():
        counts = await engine.finished(other)
        await until(lambda: _is(engine, broken, "paused"))

    assert counts == Counts(audience=1, sent=1)
    (dead,) = await engine.dead.list_all(CITY)
    assert (dead.broadcast, dead.attempts) == (broken, MAX_STALLS)


async def test_a_cancelled_broadcast_that_cannot_be_read_keeps_no_other_one_open(
    engine: Engine, clock: FlowingClock
):
    people = await engine.follow(2)
    broken, other = [await engine.begin(Audience(openids=(openid,))) for openid in people]
    await engine.database["broadcasts"].update_one({"_id": broken}, {"$unset": {"content": ""}})
    for broadcast in (broken, other):
        await engine.broadcasts.cancel(broadcast)

    await engine.recovery.tick()

    assert await engine.store.find_totals(broken) is None
    assert await engine.counts(other) == Counts(audience=1, skipped=1)


async def test_a_large_cancelled_broadcast_takes_many_ticks_and_no_tick_for_itself(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recovery, "WRITE_OFF", 0.0)
    engine = await make_engine(batch_size=2)
    await engine.follow(6)
    broadcast = await engine.begin()
    await engine.broadcasts.cancel(broadcast)

    skipped = []
    for _ in range(3):
        await engine.recovery.tick()
        skipped.append((await engine.ledger.totals(broadcast)).skipped)

    assert skipped == [2, 4, 6]
    assert await engine.counts(broadcast) == Counts(audience=6, skipped=6)
    assert await engine.store.find_totals(broadcast) is not None


async def test_a_queue_that_outlived_its_broadcast_is_forgotten(
    engine: Engine, clock: FlowingClock
):
    people = await engine.follow(2)
    over, going = [await engine.begin(Audience(openids=(openid,))) for openid in people]
    await engine.broadcasts.cancel(over)
    await engine.recovery.tick()
    await engine.ring.add(queue_of(CITY, over), "normal", [f"{over}:0"])  # by a slow expansion
    await engine.ring.add(notices_queue(CITY), "normal", ["nt_1:0"])

    clock.advance(61)
    await engine.recovery.tick()

    assert set(await engine.ring.active()) == {queue_of(CITY, going), notices_queue(CITY)}


async def test_any_number_of_paused_broadcasts_hides_nobody_who_may_go_on(
    engine: Engine, clock: FlowingClock
):
    people = await engine.follow(2)
    paused = await engine.begin(Audience(openids=(people[0],)))
    await _was_begun(engine, clock, paused)
    await engine.broadcasts.pause(paused)
    await _multiply(engine, paused, 900)
    other = await engine.begin(Audience(openids=(people[1],)))
    clock.advance(1)
    await _was_begun(engine, clock, other)

    async with engine.working(recovering=False):
        counts = await engine.finished(other)
        await engine.broadcasts.resume(paused)
        resumed = await engine.finished(paused)

    assert counts == resumed == Counts(audience=1, sent=1)


async def test_what_went_on_while_it_was_being_set_aside_is_taken_up_at_once(
    engine: Engine, clock: FlowingClock
):
    await engine.follow(1)
    broadcast = await engine.begin()
    await _was_begun(engine, clock, broadcast)
    await engine.broadcasts.pause(broadcast)
    await engine.ledger.begun.set_aside({broadcast}, clock.now())

    await engine.broadcasts.resume(broadcast)

    assert await engine.ledger.begun.list_(clock.now(), lanes=(), limit=10) != []


async def test_an_account_that_is_held_again_and_again_does_not_make_its_batches_grow(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    people = await engine.follow(4)
    broadcast = await engine.begin()

    async with engine.working():
        for _ in range(6):
            await engine.limiter.hold(CITY, timedelta(seconds=30))
            await asyncio.sleep(0.3)
            clock.advance(31)
        await engine.redis.delete(engine.limiter.hold_prefix + CITY)
        counts = await engine.finished(broadcast)

    (batch,) = await engine.database["batches"].find({"broadcast": broadcast}).to_list()
    assert set(batch["chunks"]) == {"0"}
    assert counts == Counts(audience=4, sent=4)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_stop_at_a_slow_pace_leaves_nobody_in_doubt(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(per_second=4, chunk_size=10)
    await engine.follow(20)
    await engine.begin()
    stop = asyncio.Event()
    worker = asyncio.create_task(engine.new_worker().run(stop))
    await until(lambda: _has_sent(platform))

    begun = time.monotonic()
    stop.set()
    await worker

    assert time.monotonic() - begun < 3
    (batch,) = await engine.database["batches"].find({}).to_list()
    assert batch["state"] == "ready"
    assert batch["counts"]["sent"] == len(platform.cards) < 20
    assert not [one for one in batch["chunks"].values() if "i" in one and "d" not in one]


@pytest.mark.parametrize("errcode", [45009, 45011, 44990])
async def test_a_throttled_answer_while_redis_is_away_puts_off_and_disturbs_no_other_send(
    engine: Engine, errcode: int
):
    (openid,) = await engine.follow(1)
    async with Redis(port=1) as nowhere:
        sender = Sender({}, Limiter(nowhere, per_second=10), engine.subscriptions, engine.clock)
        error = SendFailed(errcode, "slower", "retry_later")
        result = await sender.conclude(CITY, openid, error)

    assert isinstance(result, PutOff)
    assert not result.counts


async def _multiply(engine: Engine, broadcast: BroadcastId, number: int) -> None:
    """Write the broadcast and its only batch that many times more."""
    copies: list[dict[str, Any]] = []
    batches: list[dict[str, Any]] = []
    original = await engine.database["broadcasts"].find_one({"_id": broadcast})
    batch = await engine.database["batches"].find_one({"broadcast": broadcast})
    assert original is not None
    assert batch is not None
    for copy in range(number):
        name = f"bc_copy{copy}"
        copies.append(original | {"_id": name})
        batches.append(batch | {"_id": f"{name}:0", "broadcast": name, "queue": f"city:{name}"})
    await engine.database["broadcasts"].insert_many(copies)
    await engine.database["batches"].insert_many(batches)


async def _is(engine: Engine, broadcast: BroadcastId, state: str) -> bool:
    return await engine.state(broadcast) == state


async def _has_sent(platform: Platform) -> bool:
    return bool(platform.cards)
