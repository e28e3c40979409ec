"""A batch that keeps killing its worker is seen, replayed, and sends to nobody twice."""

import pytest

from domain.broadcast import Counts
from domain.errors import NotFound, StateError
from domain.ids import AccountId, BroadcastId
from storage.mongo.ledger import MAX_STALLS
from tests.support.platform import Platform
from tests.support.push import CITY, Engine, FlowingClock


async def _die(engine: Engine, clock: FlowingClock, broadcast: BroadcastId, seq: int = 0) -> str:
    name = f"{broadcast}:{seq}"
    for _ in range(MAX_STALLS + 1):
        now = clock.now()
        await engine.ledger.claim([name], owner="dying", now=now, until=now)
        clock.advance(1)
        await engine.recovery.tick()
    return name


async def test_a_dead_batch_is_listed_for_its_account_only(engine: Engine, clock: FlowingClock):
    await engine.follow(5)
    broadcast = await engine.begin()
    name = await _die(engine, clock, broadcast)

    (batch,) = await engine.dead.list_of(broadcast, CITY)
    assert (batch.id, batch.size, batch.concluded, batch.attempts) == (name, 5, 0, MAX_STALLS)
    assert batch.died_at is not None
    assert await engine.dead.list_all(CITY) == await engine.dead.list_all() == [batch]
    assert await engine.dead.list_all(AccountId("other")) == []
    with pytest.raises(NotFound):
        await engine.dead.list_of(broadcast, AccountId("other"))
    with pytest.raises(NotFound):
        await engine.dead.replay(broadcast, AccountId("other"))


async def test_a_replay_lets_the_broadcast_go_on_and_a_second_one_changes_nothing(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    people = await engine.follow(5)
    broadcast = await engine.begin()
    name = await _die(engine, clock, broadcast)
    assert await engine.state(broadcast) == "paused"

    first = await engine.dead.replay_named(name)
    second = await engine.dead.replay_named(broadcast)
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (first.batches, first.state) == (1, "sending")
    assert (second.batches, second.state) == (0, "sending")
    assert counts == Counts(audience=5, sent=5)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_broadcast_that_a_person_paused_stays_paused_after_a_replay(
    engine: Engine, clock: FlowingClock
):
    await engine.follow(5)
    broadcast = await engine.begin()
    await _die(engine, clock, broadcast)
    await engine.broadcasts.resume(broadcast)
    await _die(engine, clock, broadcast)
    await engine.store.move(broadcast, {"paused"}, "paused", reason="paused by a person")

    done = await engine.dead.replay(broadcast)

    assert (done.batches, done.state) == (1, "paused")


async def test_one_batch_can_be_replayed_while_another_stays_aside(
    engine: Engine, clock: FlowingClock
):
    await engine.follow(25)
    broadcast = await engine.begin()
    first = await _die(engine, clock, broadcast, 0)
    second = await _die(engine, clock, broadcast, 1)

    await engine.dead.replay_named(second)

    assert [batch.id for batch in await engine.dead.list_all()] == [first]
    assert await engine.state(broadcast) == "sending"


async def test_what_is_over_is_not_replayed(engine: Engine, clock: FlowingClock):
    await engine.follow(5)
    broadcast = await engine.begin()
    await _die(engine, clock, broadcast)
    await engine.broadcasts.cancel(broadcast)

    with pytest.raises(StateError, match="已取消"):
        await engine.dead.replay(broadcast)
