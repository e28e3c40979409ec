"""Broadcasts: unique where they must be, and every change of state claimed by one."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.broadcast import Audience, Broadcast
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from domain.ledger import Content, Totals
from storage.mongo.broadcasts import AlreadyThere, MongoBroadcasts
from storage.mongo.notices import MongoNotices, Notice

CONTENT = Content(template_id="t", fields={"thing1": "x"}, url=None)


@pytest.fixture
async def store(mongo) -> MongoBroadcasts:
    store = MongoBroadcasts(mongo)
    await mongo[store.collection].create_indexes(list(store.indexes))
    return store


def _broadcast(clock, name: str = "bc_1", **changes) -> Broadcast:
    plain = Broadcast(
        id=BroadcastId(name),
        account=AccountId("city"),
        title="停水通知",
        topic=TopicId("outage.water"),
        audience=Audience(topics=(TopicId("outage.water"),), openids=(OpenId("o1"),)),
        template="outage_notice",
        data={"area": "x"},
        state="scheduled",
        due_at=clock.now(),
        created_at=clock.now(),
    )
    return replace(plain, **changes)


async def test_what_is_kept_comes_back(store, clock):
    broadcast = _broadcast(clock, expires_at=clock.now() + timedelta(days=1), author="key:1")

    await store.add(broadcast, content=CONTENT)

    assert await store.find(broadcast.id) == broadcast
    assert await store.find_content(broadcast.id) == CONTENT


async def test_an_idempotency_key_is_unique_within_its_account(store, clock):
    await store.add(_broadcast(clock), idempotency=("k", "d1"))
    await store.add(_broadcast(clock, "bc_2", account=AccountId("plain")), idempotency=("k", "d2"))

    with pytest.raises(AlreadyThere) as clash:
        await store.add(_broadcast(clock, "bc_3"), idempotency=("k", "d3"))

    assert clash.value.clash == "idempotency_key"
    first = await store.find_first_answer(AccountId("city"), "k")
    assert (first.id, first.digest) == ("bc_1", "d1")


async def test_an_occurrence_is_unique_on_plan_and_planned_time(store, clock):
    child = _broadcast(clock, parent=BroadcastId("plan"), planned_at=clock.now())
    await store.add(child)

    with pytest.raises(AlreadyThere) as clash:
        await store.add(replace(child, id=BroadcastId("bc_2")))

    assert clash.value.clash == "occurrence"


async def test_an_event_is_unique_within_account_and_topic(store, mongo, clock):
    notice = Notice(event_id="e", immediate=(OpenId("a"),), daily=(OpenId("b"),), sealed=b"x")
    await store.add(_broadcast(clock), notice=notice)

    with pytest.raises(AlreadyThere) as clash:
        await store.add(_broadcast(clock, "bc_2"), notice=notice)

    assert clash.value.clash == "event"
    notices = MongoNotices(mongo)
    assert await store.find_matched(AccountId("city"), TopicId("outage.water"), "e") == 2
    assert await notices.find(BroadcastId("bc_1")) == notice


async def test_a_notice_of_an_older_version_has_its_digest_people_as_daily_ones(
    store, mongo, clock
):
    await store.add(
        _broadcast(clock), notice=Notice(event_id="e", immediate=(OpenId("a"),), sealed=b"x")
    )
    older = {"$set": {"notice.digest": ["b"]}, "$unset": {"notice.daily": "", "notice.weekly": ""}}
    await mongo["broadcasts"].update_one({"_id": "bc_1"}, older)

    found = await MongoNotices(mongo).find(BroadcastId("bc_1"))

    assert found is not None
    assert (found.daily, found.weekly) == ((OpenId("b"),), ())


async def test_what_is_due_is_started_by_one_process(store, clock):
    await store.add(_broadcast(clock))
    (due,) = await store.due(clock.now())
    until = clock.now() + timedelta(seconds=15)

    started = await asyncio.gather(
        *(store.start(due, now=clock.now(), owner=f"p{n}", until=until) for n in range(6))
    )

    assert sorted(started) == [False] * 5 + [True]
    assert await store.due(clock.now()) == []


async def test_an_expansion_is_taken_over_only_after_its_claim_ran_out(store, clock):
    await store.add(_broadcast(clock))
    (due,) = await store.due(clock.now())
    until = clock.now() + timedelta(seconds=15)
    await store.start(due, now=clock.now(), owner="dead", until=until)

    early = await store.take_fanout(now=clock.now(), owner="b", until=until)
    clock.advance(16)
    later = clock.now() + timedelta(seconds=15)
    taken = await store.take_fanout(now=clock.now(), owner="b", until=later)

    assert (early, taken.id) == (None, due.id)
    assert not await store.keep_fanout(due.id, owner="dead", until=later)
    assert await store.keep_fanout(due.id, owner="b", until=later)


async def test_the_upper_bound_is_fixed_once(store, clock):
    await store.add(_broadcast(clock), fanout=("a", clock.now()))

    assert await store.bound_fanout(BroadcastId("bc_1"), "z") == "z"
    assert await store.bound_fanout(BroadcastId("bc_1"), "zz") == "z"


async def test_a_state_changes_only_from_where_it_may(store, clock):
    await store.add(_broadcast(clock))

    assert await store.move(BroadcastId("bc_1"), {"sending"}, "paused") is None
    moved = await store.move(BroadcastId("bc_1"), {"scheduled"}, "paused", reason="r")

    assert (moved.state, moved.reason) == ("paused", "r")


async def test_closing_freezes_the_sums_once(store, clock):
    await store.add(_broadcast(clock, state="sending"), fanout=("a", clock.now()))
    totals = Totals(people=2, sent=2)

    closed = [
        await store.close(BroadcastId("bc_1"), totals, finished_at=clock.now()) for _ in range(2)
    ]

    assert closed == [True, False]
    assert await store.find_totals(BroadcastId("bc_1")) == totals
