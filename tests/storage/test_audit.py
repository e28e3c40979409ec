"""The audit chain: what was tampered with is found, and many writers make no fork."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.audit import Actor, AuditUnavailable, Wanted, clean
from domain.audit_check import Place
from domain.errors import InvalidInput, StateError
from domain.masking import Plate
from push.audit import Audit
from push.audit_keeping import AuditKeeper
from storage.mongo.audit import SEGMENT, MongoAudit
from tests.support.clock import FakeClock

KEY = b"k" * 96
ANNA = Actor("op_1", "安娜")


@pytest.fixture
async def store(mongo) -> MongoAudit:
    await mongo["audit"].create_indexes(list(MongoAudit.indexes))
    return MongoAudit(mongo, KEY)


@pytest.fixture
def audit(store: MongoAudit, clock: FakeClock) -> Audit:
    return Audit(store, clock)


async def _fill(audit: Audit, number: int) -> None:
    for index in range(number):
        await audit.record(ANNA, "broadcast.edit", f"broadcast:bc_{index}", account="city")


async def _verify(audit: Audit, noted: Place | None = None):
    walk = await audit.begin_check(noted)
    while not walk.is_over:
        walk = await audit.check(walk, 7)
    return walk


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"$set": {"after": '{"role":"auditor"}'}}, 4),
        ({"$set": {"actor_name": "别人"}}, 4),
        ({"$set": {"outcome": "refused"}}, 4),
        ({"$set": {"at": None}}, 4),
        ({"$set": {"previous": "0" * 64}}, 4),
        ({"$unset": {"hash": ""}}, 4),
    ],
)
async def test_any_changed_field_is_found_at_its_entry(mongo, audit, change, first):
    await _fill(audit, 9)
    await mongo["audit"].update_one({"_id": 4}, change)

    walk = await _verify(audit)

    assert (walk.broken_at, walk.checked) == (first, 3)
    assert not walk.is_good


async def test_a_deleted_entry_is_named_in_the_middle_and_at_the_end(mongo, audit):
    await _fill(audit, 9)
    kept = await mongo["audit"].find_one_and_delete({"_id": 5})
    assert (await _verify(audit)).broken_at == 5
    await mongo["audit"].insert_one(kept)
    assert (await _verify(audit)).is_good

    await mongo["audit"].delete_many({"_id": {"$gt": 6}})

    walk = await _verify(audit)
    assert walk.broken_at == 7
    assert "末尾" in walk.reason


async def test_what_is_written_after_a_deletion_does_not_cover_it_up(mongo, audit, clock):
    await _fill(audit, 6)
    await mongo["audit"].delete_many({"_id": {"$gt": 4}})
    await Audit(MongoAudit(mongo, KEY), clock).record(ANNA, "signin", "session")
    assert (await _verify(audit)).broken_at == 5

    await mongo["audit_anchors"].delete_many({})
    await audit.record(ANNA, "signin", "session")  # this process knows better than the database
    assert (await _verify(audit)).broken_at == 5


async def test_what_somebody_spoilt_at_the_end_stops_nobody_from_writing(mongo, audit):
    await _fill(audit, 2)
    await mongo["audit"].insert_one({"_id": "zzz", "at": "never"})
    await mongo["audit"].update_one({"_id": 2}, {"$set": {"at": "now"}, "$unset": {"hash": ""}})

    entry = await audit.record(ANNA, "signin", "session")

    assert entry.seq == 3
    assert (await _verify(audit)).broken_at == 2


async def test_a_head_that_was_forged_or_taken_away_is_found(mongo, audit):
    await _fill(audit, 3)
    await mongo["audit"].delete_one({"_id": 3})
    last = await mongo["audit"].find_one({"_id": 2})
    forged = {"$set": {"seq": 2, "hash": last["hash"]}}
    await mongo["audit_anchors"].update_one({"_id": "head"}, forged)
    assert "签名" in (await _verify(audit)).reason

    await mongo["audit_anchors"].delete_one({"_id": "head"})

    assert "不见了" in (await _verify(audit)).reason


async def test_without_the_key_nobody_can_write_a_chain_that_verifies(mongo, audit, clock):
    await Audit(MongoAudit(mongo, b"x" * 96), clock).record(ANNA, "signin", "session")

    assert not (await _verify(audit)).is_good


async def test_a_place_kept_elsewhere_betrays_a_database_that_was_put_back(mongo, audit):
    await _fill(audit, 3)
    old = await mongo["audit_anchors"].find_one({"_id": "head"})
    await _fill(audit, 3)
    head = (await _verify(audit)).place
    assert (await _verify(audit, Place.parse(str(head)))).is_good

    await mongo["audit"].delete_many({"_id": {"$gt": 3}})
    await mongo["audit_anchors"].replace_one({"_id": "head"}, old)

    assert (await _verify(audit)).is_good  # alone it cannot know
    assert (await _verify(audit, head)).broken_at == 4
    other = replace(head, seq=2)
    assert (await _verify(audit, other)).broken_at == 2
    with pytest.raises(InvalidInput):
        Place.parse("3:short")


async def test_many_processes_append_at_once_without_a_fork(mongo, clock):
    writers = [Audit(MongoAudit(mongo, KEY), clock) for _ in range(6)]

    async def write(writer: Audit, name: int) -> None:
        for index in range(15):
            await writer.record(ANNA, "topic.edit", f"topic:{name}:{index}")

    await asyncio.gather(*(write(writer, name) for name, writer in enumerate(writers)))

    walk = await _verify(writers[0])
    assert walk.is_good
    assert walk.checked == 90
    assert await mongo["audit"].count_documents({}) == 90


async def test_an_act_is_not_begun_when_its_intention_cannot_be_written(audit, monkeypatch):
    async def away(*_args):
        raise AuditUnavailable("the database is away")

    monkeypatch.setattr(audit._store, "append", away)
    done = []

    with pytest.raises(AuditUnavailable):
        async with audit.around(ANNA, "role.grant", "operator:op_2"):
            done.append("granted")

    assert done == []


async def test_an_act_leaves_intention_and_outcome_and_one_that_died_is_counted(audit):
    async with audit.around(ANNA, "role.grant", "operator:op_2", remote="10.0.0.1") as act:
        act.after["roles"] = "auditor"
    with pytest.raises(StateError):
        async with audit.around(ANNA, "broadcast.approve", "broadcast:bc_1"):
            raise StateError("自己拟的稿子不能自己审核。")
    with pytest.raises(asyncio.CancelledError):
        async with audit.around(ANNA, "broadcast.publish", "broadcast:bc_1"):
            raise asyncio.CancelledError

    found, _ = await audit.search(Wanted())
    assert [(entry.seq, entry.outcome, entry.intent) for entry in found] == [
        (5, "intended", 0),
        (4, "refused", 3),
        (3, "intended", 0),
        (2, "done", 1),
        (1, "intended", 0),
    ]
    assert found[3].changes == [("roles", "", "auditor")]
    walk = await _verify(audit)
    assert walk.is_good
    assert walk.open_intents == {5}


async def test_values_are_masked_short_and_harmless(audit, mongo):
    openid = "oABCD" + "x" * 23
    entry = await audit.record(
        ANNA,
        "subscriber.edit",
        f"subscriber:{openid}",
        before={"plate": Plate("粤B12345"), "$where": "1", "a.b": None},
        after={
            "note": "身份证 110101199003078515，电话 13812345678\u202e\ud800",
            "long": "长" * 9999,
        },
    )

    kept = json.dumps(await mongo["audit"].find_one({}, {"at": 0}), ensure_ascii=False)
    for secret in (openid, "B12345", "110101199003078515", "13812345678", "\u202e"):
        assert secret not in kept
    assert ("plate", "粤B****5", "") in entry.changes
    assert len(kept) < 3000
    assert (await _verify(audit)).is_good
    assert clean("bc_" + "0" * 24) == "bc_" + "0" * 24


async def test_search_finds_by_person_action_object_account_and_time(audit, clock):
    await audit.record(ANNA, "signin", "session")
    clock.advance(timedelta(hours=1))
    noon = clock.now()
    await audit.record(Actor("op_2", "王强"), "topic.edit", "topic:1", account="city")
    clock.advance(timedelta(hours=1))
    await audit.record(ANNA, "topic.edit", "topic:2", account="plain")

    async def numbers(**wanted):
        return [entry.seq for entry in (await audit.search(Wanted(**wanted)))[0]]

    assert await numbers(who="安娜") == await numbers(who="op_1") == [3, 1]
    assert await numbers(action="topic.edit") == [3, 2]
    assert await numbers(object="topic:2") == [3]
    assert await numbers(account="city") == [2]
    assert await numbers(since=noon) == [3, 2]
    assert await numbers(until=noon) == [1]
    assert await numbers(since=clock.now() + timedelta(days=1)) == []
    page, before = await audit.search(Wanted(), limit=2)
    assert ([entry.seq for entry in page], before) == ([3, 2], 2)
    rest, end = await audit.search(Wanted(), before=before, limit=2)
    assert ([entry.seq for entry in rest], end) == ([1], None)
    assert [entry.seq async for entry in audit.entries(Wanted(), most=2)] == [3, 2]


async def test_searches_are_answered_from_indexes(audit, mongo, store):
    await _fill(audit, 40)
    for wanted in (Wanted(action="x"), Wanted(who="op_1"), Wanted(object="y"), Wanted(account="z")):
        plan = await mongo["audit"].find(await store._query(wanted, None)).sort("_id", -1).explain()
        text = json.dumps(plan["queryPlanner"]["winningPlan"])
        assert "COLLSCAN" not in text
        assert '"SORT"' not in text


async def test_old_segments_leave_and_the_rest_still_verifies(audit, store, clock, mongo):
    keeper = AuditKeeper(store, audit, clock, kept=timedelta(days=366))
    await _fill(audit, SEGMENT + 20)
    await keeper.tick()
    assert await mongo["audit"].count_documents({}) == SEGMENT + 20
    clock.advance(timedelta(days=367))
    await _fill(audit, 5)

    await keeper.tick()
    await keeper.tick()

    walk = await _verify(audit)
    assert walk.is_good
    assert (walk.first, walk.checked) == (SEGMENT + 1, 26)  # the cut left its own entry
    assert (await audit.search(Wanted(action="audit.cut")))[0][0].changes == [
        ("from", "", "1"),
        ("to", "", str(SEGMENT)),
    ]
    await mongo["audit_anchors"].update_one({"_id": "checkpoint"}, {"$set": {"seq": 110}})
    assert not (await _verify(audit)).is_good


async def test_a_broken_segment_is_not_cut(audit, store, clock, mongo):
    await _fill(audit, SEGMENT + 1)
    await mongo["audit"].update_one({"_id": 9}, {"$set": {"action": "other"}})
    clock.advance(timedelta(days=500))

    await AuditKeeper(store, audit, clock, kept=timedelta(days=366)).tick()

    assert await mongo["audit"].count_documents({}) == SEGMENT + 1


async def test_the_empty_chain_is_whole(audit):
    walk = await _verify(audit)

    assert walk.is_good
    assert walk.checked == 0
