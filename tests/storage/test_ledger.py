"""The ledger: written once, leased to one, fenced by the attempt."""

import asyncio
from datetime import timedelta

import bson
import pytest

from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Chunk, NewBatch, Totals
from storage.mongo.begun import ASIDE
from storage.mongo.ledger import MAX_STALLS, LeaseLost, MongoLedger, SeqTaken

BROADCAST = BroadcastId("bc_1")
LEASE = timedelta(seconds=10)


def _batch(clock, seq: int = 0, people: int = 7) -> NewBatch:
    return NewBatch(
        broadcast=BROADCAST,
        account=AccountId("city"),
        seq=seq,
        people=tuple(OpenId(f"o{seq}-{number}") for number in range(people)),
        cursor=f"c{seq}",
        queue="city:bc_1",
        priority="normal",
        due_at=clock.now(),
    )


@pytest.fixture
async def ledger(mongo) -> MongoLedger:
    ledger = MongoLedger(mongo, chunk_size=3)
    await ledger.create_indexes()
    return ledger


async def _claim(ledger: MongoLedger, clock, owner: str = "w", seq: int = 0):
    now = clock.now()
    name = f"{BROADCAST}:{seq}"
    batches = await ledger.claim([name], owner=owner, now=now, until=now + LEASE)
    return batches[0] if batches else None


async def test_a_batch_number_is_written_once_and_the_rest_of_the_page_is_not(ledger, mongo, clock):
    await ledger.add([_batch(clock, 0), _batch(clock, 1)])

    with pytest.raises(SeqTaken):
        await ledger.add([_batch(clock, 1, people=2), _batch(clock, 2)])

    assert await ledger.last(BROADCAST) == (1, "c1")
    assert await ledger.totals(BROADCAST) == Totals(people=14)
    assert await mongo[ledger.people_collection].count_documents({}) == 2


async def test_a_batch_is_leased_to_one_worker_with_its_people_cut(ledger, clock):
    await ledger.add([_batch(clock)])

    claimed = await asyncio.gather(*(_claim(ledger, clock, f"w{n}") for n in range(5)))

    (batch,) = [found for found in claimed if found is not None]
    assert len(batch.people) == 7
    assert [chunk.positions for chunk in batch.open.values()] == [(0, 1, 2), (3, 4, 5), (6,)]


async def test_an_expired_lease_is_taken_over_and_the_former_owner_is_fenced(ledger, clock):
    await ledger.add([_batch(clock)])
    slow = await _claim(ledger, clock, "slow")
    clock.advance(11)
    fast = await _claim(ledger, clock, "fast")

    assert fast.attempt == slow.attempt + 1
    with pytest.raises(LeaseLost):
        await ledger.intend(slow, slow.open["0"], clock.now())
    with pytest.raises(LeaseLost):
        await ledger.close_chunk(slow, slow.open["0"], {"sent": 3})
    assert await ledger.renew("slow", [slow.id], clock.now() + LEASE) == set()
    assert slow.lost
    assert await ledger.totals(BROADCAST) == Totals(people=7)


async def test_a_sub_chunk_is_counted_once(ledger, clock):
    await ledger.add([_batch(clock)])
    batch = await _claim(ledger, clock)
    await ledger.close_chunk(batch, batch.open["0"], {"sent": 2, "failed": 1})

    with pytest.raises(LeaseLost):
        await ledger.close_chunk(batch, batch.open["0"], {"sent": 2, "failed": 1})

    assert await ledger.totals(BROADCAST) == Totals(people=7, sent=2, failed=1)


async def test_children_open_with_the_closing_of_their_parent_and_keep_the_first_intent(
    ledger, clock
):
    await ledger.add([_batch(clock)])
    batch = await _claim(ledger, clock)
    intended = clock.now()
    child = Chunk(id="0u", positions=(1,), intended_at=intended, due_at=intended, tries=2)

    await ledger.close_chunk(batch, batch.open["0"], {"sent": 2}, [child])
    clock.advance(11)
    again = await _claim(ledger, clock)

    assert set(again.open) == {"0u", "1", "2"}
    assert again.open["0u"] == child


async def test_a_batch_is_finished_only_when_every_sub_chunk_is_closed(ledger, clock):
    await ledger.add([_batch(clock, people=3)])
    early = await _claim(ledger, clock)
    with pytest.raises(LeaseLost):
        await ledger.finish(early)
    clock.advance(11)
    batch = await _claim(ledger, clock)

    await ledger.close_chunk(batch, batch.open["0"], {"sent": 3})
    await ledger.finish(batch)

    assert await ledger.is_complete(BROADCAST)


async def test_leases_that_run_out_make_the_batch_ready_again_and_stalling_buries_it(ledger, clock):
    await ledger.add([_batch(clock)])
    for _ in range(MAX_STALLS):
        assert await _claim(ledger, clock) is not None
        clock.advance(11)
        await ledger.expire_leases(clock.now())

    assert await _claim(ledger, clock) is None
    assert await ledger.bury(clock.now()) == [(f"{BROADCAST}:0", BROADCAST)]
    assert await ledger.revive(BROADCAST, clock.now()) == 1
    assert await _claim(ledger, clock) is not None


async def test_giving_back_is_no_stall_and_holds_until_it_is_due(ledger, clock):
    await ledger.add([_batch(clock)])
    for _ in range(8):
        batch = await _claim(ledger, clock)
        await ledger.release(batch, clock.now() + timedelta(minutes=1))
        assert await _claim(ledger, clock) is None
        assert await _begun(ledger, clock) == []
        clock.advance(61)

    assert await _begun(ledger, clock) == [(f"{BROADCAST}:0", BROADCAST, ("city", "bulk"))]
    assert await _begun(ledger, clock, lanes={("city", "bulk")}) == []
    assert await ledger.ready(clock.now()) == []  # no doorbell is needed for it


async def test_what_was_set_aside_is_found_again_by_itself_or_when_it_is_taken_up(ledger, clock):
    await ledger.add([_batch(clock)])
    await ledger.release(await _claim(ledger, clock), clock.now())

    await ledger.begun.set_aside({BROADCAST}, clock.now())
    aside = await _begun(ledger, clock)
    clock.advance(ASIDE.total_seconds() + 1)
    by_itself = await _begun(ledger, clock)
    await ledger.begun.set_aside({BROADCAST}, clock.now())
    await ledger.begun.take_up(BROADCAST, clock.now())

    assert aside == []
    assert by_itself == await _begun(ledger, clock) != []


async def test_a_sub_chunk_that_waits_again_and_again_does_not_make_its_batch_grow(
    ledger, mongo, clock
):
    await ledger.add([_batch(clock)])
    batch = await _claim(ledger, clock)
    waits = Chunk(id="0", positions=(0, 1, 2), due_at=clock.now(), tries=1)

    sizes = set()
    for _ in range(5):
        await ledger.intend(batch, batch.open["0"], clock.now())
        await ledger.put_back(batch, waits)
        (found,) = await mongo[ledger.collection].find({}, {"chunks": 1}).to_list()
        sizes.add(len(bson.encode(found)))
    await ledger.release(batch, clock.now())
    again = await _claim(ledger, clock)

    assert len(sizes) == 1
    assert again.open["0"] == waits


async def _begun(ledger, clock, *, lanes=frozenset()):
    return await ledger.begun.list_(clock.now(), lanes=lanes, limit=10)


async def test_the_sweep_is_answered_from_an_index_alone(ledger, mongo, clock):
    await ledger.add([_batch(clock, seq) for seq in range(30)])

    plan = await mongo.command(
        "explain",
        {
            "find": ledger.collection,
            "filter": {"state": "ready", "due_at": {"$lte": clock.now()}},
            "projection": {"_id": 0, "queue": 1, "broadcast": 1},
        },
        verbosity="executionStats",
    )

    assert plan["executionStats"]["totalDocsExamined"] == 0


async def test_two_who_want_the_same_batches_share_them_and_a_gone_list_is_left_out(
    ledger: MongoLedger, mongo, clock, caplog: pytest.LogCaptureFixture
):
    await ledger.add([_batch(clock, number) for number in range(6)])
    names, now = [f"{BROADCAST}:{number}" for number in range(6)], clock.now()
    lost = await mongo[ledger.collection].find_one({"_id": names[5]})
    await mongo[ledger.people_collection].delete_one({"_id": lost["people"]})

    taken = await asyncio.gather(
        *(ledger.claim(names, owner=owner, now=now, until=now + LEASE) for owner in "ab")
    )

    assert sorted(batch.id for batches in taken for batch in batches) == names[:5]
    assert [
        {batch.owner for batch in batches} <= {who}
        for who, batches in zip("ab", taken, strict=True)
    ] == [True, True]
    assert "batch.people_gone" in caplog.text
