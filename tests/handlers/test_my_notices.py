"""我的通知: the latest in words, all of it behind a link."""

from datetime import timedelta

from domain.ids import BroadcastId
from domain.ledger import Delivery
from storage.mongo.deliveries import MongoDeliveries


async def sent(citizen, mongo, number: int, topic: str = "outage.water") -> None:
    """Have a message sent to the citizen some hours ago."""
    broadcast = BroadcastId(f"bc_{number}")
    await mongo["broadcasts"].insert_one(
        {"_id": broadcast, "kind": "broadcast", "topic": topic, "title": "内部标题"}
    )
    at = citizen.clock.now() - timedelta(hours=number)
    delivery = Delivery(openid=citizen.openid, state="sent", at=at)
    await MongoDeliveries(mongo).record(citizen.account, broadcast, None, [delivery])


async def test_the_latest_three_are_told_and_a_link_leads_to_all(citizen, mongo):
    for number in range(5):
        await sent(citizen, mongo, number)

    answer = await citizen.says("我的通知")

    assert answer.count("停水通知：已发送，暂无送达回执") == 3
    assert "11-24 10:00 停水通知" in answer
    assert '<a href="https://weizheng.example/h5/city/history/' in answer
    assert "内部标题" not in answer


async def test_whoever_got_nothing_yet_is_told_so(citizen):
    answer = await citizen.says("通知记录")

    assert "还没有给您发过通知" in answer
    assert "href" not in answer


async def test_what_waits_for_a_digest_is_counted(citizen, mongo):
    await mongo["digest_items"].insert_one(
        {"_id": "n:o", "account": "city", "openid": citizen.openid, "state": "waiting"}
    )

    assert "另有 1 条等待汇总" in await citizen.says("我的通知")


async def test_the_link_opens_the_citizens_own_history(citizen, mongo):
    await sent(citizen, mongo, 1)

    answer = await citizen.says("我的通知")
    token = answer.split("/history/")[1].split('"')[0]

    assert citizen.use.links.person_of(citizen.account, token) == citizen.openid
