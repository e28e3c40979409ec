"""Lists cost what a page holds: every question is answered in the order of an index."""

from datetime import timedelta
from typing import Any

import pytest

from domain.broadcast import Audience, Broadcast
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from domain.ledger import Delivery
from storage.mongo.broadcast_lists import MongoBroadcastLists, Place
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.deliveries import MongoDeliveries
from storage.mongo.delivery_lists import MongoDeliveryLists
from tests.support.clock import FakeClock

CITY = AccountId("city")
ONE, OTHER = BroadcastId("bc_1"), BroadcastId("bc_10")  # one id begins with the other


@pytest.fixture
async def deliveries(mongo, clock: FakeClock) -> MongoDeliveryLists:
    store = MongoDeliveries(mongo)
    await mongo[store.collection].create_indexes(list(store.indexes))
    for broadcast in (ONE, OTHER):
        people = [
            Delivery(
                openid=OpenId(f"o{number:03}"),
                state="failed" if number % 3 == 0 else "sent",
                at=clock.now(),
            )
            for number in range(60)
        ]
        await store.record(CITY, broadcast, None, people)
    return MongoDeliveryLists(mongo)


async def _broadcasts(mongo, clock: FakeClock, number: int, **changes: Any) -> MongoBroadcasts:
    store = MongoBroadcasts(mongo)
    await mongo[store.collection].create_indexes(list(store.indexes))
    for index in range(number):
        await store.add(
            Broadcast(
                id=BroadcastId(f"bc_{index:03}"),
                account=CITY,
                title="停水通知",
                topic=TopicId("outage.water"),
                audience=Audience(all=True),
                template="outage_notice",
                data={},
                state="finished" if index % 2 else "scheduled",
                created_at=clock.now() + timedelta(seconds=index // 5),  # five in one moment
                **changes,
            )
        )
    return store


async def _walk(page_of, size: int) -> list[Any]:
    found: list[Any] = []
    after = None
    while page := await page_of(after, size):
        found += page
        after = page[-1]
    return found


async def test_people_are_walked_once_each_and_not_into_another_broadcast(deliveries):
    async def page(after, size):
        return await deliveries.page(
            ONE, "failed", after=after.openid if after else None, limit=size
        )

    found = await _walk(page, 7)

    assert [delivery.openid for delivery in found] == [f"o{n:03}" for n in range(0, 60, 3)]
    assert await deliveries.last(ONE, "failed") == "o057"
    assert len(await deliveries.page(ONE, None, limit=500)) == 60
    bounded = await deliveries.page(ONE, "failed", up_to=OpenId("o009"), limit=500)
    assert [delivery.openid for delivery in bounded] == ["o000", "o003", "o006", "o009"]


async def test_broadcasts_made_at_one_moment_are_walked_once_each(mongo, clock):
    await _broadcasts(mongo, clock, 30)
    lists = MongoBroadcastLists(mongo)

    async def page(after, size):
        place = Place(created_at=after.created_at, id=after.id) if after else None
        return await lists.page(CITY, None, after=place, limit=size)

    found = await _walk(page, 4)

    assert [item.id for item in found] == [f"bc_{n:03}" for n in range(29, -1, -1)]
    assert len(await lists.page(CITY, "finished", after=None, limit=100)) == 15
    assert await lists.page(AccountId("other"), None, after=None, limit=100) == []


async def _stages(mongo, collection: str, query: dict[str, Any], sort: dict[str, int]) -> str:
    plan = await mongo.command(
        "explain",
        {"find": collection, "filter": query, "sort": sort, "limit": 5},
        verbosity="executionStats",
    )
    stats = plan["executionStats"]
    assert stats["totalDocsExamined"] <= 5
    return str(stats["executionStages"])


async def test_a_page_is_read_in_the_order_of_its_index(mongo, clock, deliveries):
    store = await _broadcasts(mongo, clock, 60)
    newest = {"created_at": -1, "_id": -1}

    for query, sort, collection in (
        ({"account": CITY, "kind": "broadcast"}, newest, store.collection),
        ({"account": CITY, "kind": "broadcast", "state": "finished"}, newest, store.collection),
        (
            {"broadcast": ONE, "state": "failed", "_id": {"$gt": "bc_1:o030", "$lt": "bc_1;"}},
            {"_id": 1},
            MongoDeliveries.collection,
        ),
    ):
        assert "'SORT'" not in await _stages(mongo, collection, query, sort)


async def test_active_plans_are_found_by_their_own_index(mongo, clock):
    store = await _broadcasts(mongo, clock, 40)
    plan = Broadcast(
        id=BroadcastId("bc_plan"),
        account=CITY,
        title="周期",
        topic=TopicId("outage.water"),
        audience=Audience(all=True),
        template="outage_notice",
        data={},
        cron="@workdays 09:00",
        state="scheduled",
        created_at=clock.now(),
    )
    await store.add(plan)

    query = {"state": "scheduled", "cron": {"$type": "string"}, "_id": {"$gt": ""}}
    stages = await _stages(mongo, store.collection, query, {"_id": 1})

    assert "'plans'" in stages
    assert [found.id for found in await store.list_plans(after="", limit=10)] == ["bc_plan"]
