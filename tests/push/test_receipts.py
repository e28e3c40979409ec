"""Receipts come early, late, twice, out of order, or never."""

import asyncio

import pytest

from domain.ids import BroadcastId
from push.receipts import PAGE
from tests.support.platform import Platform
from tests.support.push import CITY, Engine, FlowingClock


async def _sent(engine: Engine, number: int = 1) -> BroadcastId:
    await engine.follow(number)
    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)
    return broadcast


async def test_a_receipt_counts_a_person_once_however_often_it_comes(
    engine: Engine, platform: Platform
):
    broadcast = await _sent(engine, 3)
    msgids = [delivery.msgid for delivery in await engine.deliveries.list_(broadcast)]

    await asyncio.gather(
        *(engine.receipts.record(CITY, msgid, "success") for msgid in [*msgids, *msgids])
    )

    assert (await engine.counts(broadcast)).delivered == 3


async def test_a_receipt_that_comes_before_the_platforms_answer_is_not_lost(
    engine: Engine, platform: Platform
):
    waiting: list[asyncio.Task[None]] = []
    platform.latency = 0.1  # the answer comes after the receipt
    platform.on_card = lambda _, msgid: waiting.append(
        asyncio.create_task(engine.receipts.record(CITY, msgid, "success"))
    )

    broadcast = await _sent(engine, 7)
    await asyncio.gather(*waiting)

    assert (await engine.counts(broadcast)).delivered == 7


async def test_a_receipt_left_by_a_crash_is_swept(engine: Engine, clock: FlowingClock):
    broadcast = await _sent(engine)
    (delivery,) = await engine.deliveries.list_(broadcast)
    await engine.receipts.record(CITY, delivery.msgid, "success")
    await engine.database["deliveries"].update_one(  # as if it had been written afterwards
        {"msgid": delivery.msgid}, {"$unset": {"receipt": "", "delivered": ""}}
    )
    await engine.database["receipts"].update_one({}, {"$set": {"applied": False}})

    clock.advance(60)
    await engine.recovery.tick()

    assert (await engine.counts(broadcast)).delivered == 1


async def test_receipts_of_other_systems_messages_hide_none_of_ours(
    engine: Engine, clock: FlowingClock
):
    broadcast = await _sent(engine)
    (delivery,) = await engine.deliveries.list_(broadcast)
    for number in range(3):
        clock.advance(1)
        await engine.receipts.record(CITY, f"42-{number}", "success")
    (theirs, *_) = await engine.database["receipts"].find({"applied": False}).to_list()
    await engine.database["receipts"].insert_many(
        [theirs | {"_id": f"{CITY}:41-{number}", "msgid": f"41-{number}"} for number in range(PAGE)]
    )
    await engine.receipts.record(CITY, delivery.msgid, "success")
    await engine.database["deliveries"].update_one(
        {"msgid": delivery.msgid}, {"$unset": {"receipt": "", "delivered": ""}}
    )
    await engine.database["receipts"].update_one(
        {"msgid": delivery.msgid}, {"$set": {"applied": False}}
    )

    clock.advance(60)
    for _ in range(3):
        await engine.receipts.sweep(clock.now())

    assert (await engine.counts(broadcast)).delivered == 1


@pytest.mark.parametrize(
    "statuses", [("success", "failed: system failed"), ("failed:x", "Success")]
)
async def test_delivered_stays_delivered_in_either_order(engine: Engine, statuses: tuple[str, str]):
    broadcast = await _sent(engine)
    (delivery,) = await engine.deliveries.list_(broadcast)

    for status in statuses:
        await engine.receipts.record(CITY, delivery.msgid, status)

    assert (await engine.counts(broadcast)).delivered == 1


async def test_someone_who_blocked_us_is_left_out_next_time(engine: Engine):
    broadcast = await _sent(engine, 2)
    delivery, _ = await engine.deliveries.list_(broadcast)

    await engine.receipts.record(CITY, delivery.msgid, "failed:user block")

    assert (await engine.counts(await engine.order())).audience == 1


async def test_a_receipt_of_another_systems_message_changes_nothing(engine: Engine):
    broadcast = await _sent(engine)

    await engine.receipts.record(CITY, "42", "success")

    assert (await engine.counts(broadcast)).delivered == 0
