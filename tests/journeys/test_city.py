"""The main story, over HTTP alone, in each callback mode: follow → ask → bind → be notified."""

from datetime import timedelta

import pytest

from domain.broadcast import Audience
from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subscription
from tests.support.town import Town
from tests.support.waiting import cards, delivered

OPENID = "oJourneyAAAAAAAAAAAAAAAAAAAA"
MODES = {"city": "safe", "plain": "plain", "both": "compatible"}


@pytest.mark.parametrize("account", MODES)
async def test_a_citizen_asks_binds_subscribes_and_is_notified(town: Town, account: str):
    assert town.settings.account(account).mode == MODES[account]
    await town.control("citizen", account=account, openid=OPENID, name="测试市民")

    welcome = await town.act("follow", account, OPENID)
    assert welcome["reply"]["kind"] == "text"
    assert "车牌" in await town.taps(account, OPENID, "query.traffic")

    violations = await town.says(account, OPENID, "违章 粤B12345 02 1234")
    assert "粤B****5" in violations
    assert "粤B12345" not in violations

    bound = await town.says(account, OPENID, "绑定车辆 粤B12345 02 1234")
    assert "粤B****5" in bound

    assert "福田" in await town.says(account, OPENID, "停水 福田区")
    await town.says(account, OPENID, "订阅 停水 福田区")
    assert "福田" in await town.says(account, OPENID, "我的订阅")

    headers = await town.key(account, "broadcasts:publish")
    status, made = await town.post(
        "broadcasts",
        {
            "account": account,
            "title": "福田停水",
            "topic": "outage.water",
            "audience": {"topics": ["outage.water"], "regions": ["440304"]},
            "template": "outage_notice",
            "data": {
                "area": "福田区园岭街道",
                "start": "2026年12月1日 09:00",
                "end": "2026年12月1日 17:00",
                "reason": "管道检修",
            },
            "at": (town.ctx.clock.now() + timedelta(seconds=2)).isoformat(),
            "idempotency_key": "journey-1",
        },
        headers,
    )
    assert (status, made["state"]) == (201, "scheduled")

    counts = await delivered(town, made["id"], headers)

    assert counts == {
        "audience": 1,
        "sent": 1,
        "delivered": 1,
        "failed": 0,
        "skipped": 0,
        "unknown": 0,
    }
    (card,) = await cards(town, account, OPENID)
    assert "福田区园岭街道" in str(card)


async def test_a_notice_reaches_whoever_bound_its_vehicle_and_nobody_twice(town: Town):
    account = "city"
    await town.says(account, OPENID, "绑定车辆 粤B12345 02 1234")
    await town.says(account, OPENID, "订阅 违章")
    headers = await town.key(account, "notices:write")
    notice = {
        "account": account,
        "topic": "traffic.violation",
        "subject": {"kind": "vehicle", "value": "粤b 12345", "plate_type": "02"},
        "template": "violation_notice",
        "data": {
            "time": "2026年12月1日 09:00",
            "place": "深南大道",
            "act": "闯红灯",
            "fine": "200元",
        },
        "url": None,
        "event_id": "jdc-1",
    }

    first = await town.post("notices", notice, headers)
    again = await town.post("notices", notice, headers)

    assert first == again == (202, {"matched": 1})
    (card,) = await cards(town, account, OPENID)
    assert "粤B****5" in str(card)
    assert "粤B12345" not in str(card)
    assert (await town.read("sends", account=account))["total"] == 1


async def test_whoever_could_not_be_reached_is_again_after_writing(town: Town):
    account, openid = AccountId("plain"), OpenId(OPENID)
    meant = Audience(topics=(TopicId("fuel.price"),))
    people = town.ctx.subscriptions
    await people.follow(account, openid, town.ctx.clock.now())
    await people.subscribe(account, openid, Subscription(topic=TopicId("fuel.price")))
    await people.mark_unreachable(account, openid, "43004")
    assert await town.ctx.audiences.count(account, meant) == 0

    await town.says("plain", OPENID, "菜单")

    assert await town.ctx.audiences.count(account, meant) == 1
