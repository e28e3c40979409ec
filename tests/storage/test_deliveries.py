"""Deliveries and receipts: each written once, joined from either side."""

import pytest

from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Delivery
from storage.mongo.deliveries import MongoDeliveries, MongoReceipts, Receipt

CITY, BROADCAST = AccountId("city"), BroadcastId("bc_1")


@pytest.fixture
async def deliveries(mongo) -> MongoDeliveries:
    store = MongoDeliveries(mongo)
    await mongo[store.collection].create_indexes(list(store.indexes))
    return store


def _sent(clock, openid: str, msgid: str) -> Delivery:
    return Delivery(openid=OpenId(openid), state="sent", at=clock.now(), msgid=msgid)


async def test_the_first_writing_of_a_delivery_stands(deliveries, clock):
    first = await deliveries.record(CITY, BROADCAST, None, [_sent(clock, "a", "1")])
    unknown = Delivery(openid=OpenId("a"), state="unknown", at=clock.now())
    second = await deliveries.record(CITY, BROADCAST, None, [unknown, _sent(clock, "b", "2")])

    assert (first, second) == (True, False)
    assert await deliveries.outcomes(BROADCAST, ["a", "b", "c"]) == {"a": "sent", "b": "sent"}
    assert await deliveries.count_by_state(BROADCAST) == {"sent": 2}


async def test_a_receipt_is_joined_once_and_only_in_its_own_account(deliveries, clock):
    await deliveries.record(CITY, BROADCAST, None, [_sent(clock, "a", "1")])
    receipt = Receipt(account=CITY, msgid="1", status="success", at=clock.now())
    foreign = Receipt(account=AccountId("plain"), msgid="1", status="success", at=clock.now())

    joined = [await deliveries.apply(each) for each in (foreign, receipt, receipt)]

    assert joined == [False, True, False]
    assert await deliveries.count_delivered(BROADCAST) == 1


async def test_receipts_of_one_message_keep_success(mongo, clock):
    receipts = MongoReceipts(mongo)

    for status in ("failed:systemfailed", "success", "failed:systemfailed"):
        await receipts.keep(Receipt(account=CITY, msgid="1", status=status, at=clock.now()))

    (kept,) = await receipts.list_for(CITY, ["1", "2"])
    assert kept.status == "success"


async def test_delivered_is_counted_from_an_index_alone(deliveries, mongo, clock):
    await deliveries.record(
        CITY, BROADCAST, None, [_sent(clock, f"p{number}", str(number)) for number in range(20)]
    )
    for number in range(10):
        await deliveries.apply(
            Receipt(account=CITY, msgid=str(number), status="success", at=clock.now())
        )

    assert await deliveries.count_delivered(BROADCAST) == 10
