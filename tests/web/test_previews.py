"""Looking before sending, over real HTTP: the preview, and test sends to known people only."""

from datetime import datetime, timedelta
from datetime import time as at
from typing import Any

import pytest

from config.settings import Settings
from domain.broadcast import Audience
from domain.clock import in_beijing
from domain.ids import BroadcastId, OpenId
from storage.mongo.api_keys import MongoApiKeys
from tests.support.clock import FakeClock
from tests.support.platform import Platform
from tests.support.push import CITY, WATER, Engine, FlowingClock, order
from tests.web.test_api import (  # noqa: F401  # fixtures
    ORDER,
    Api,
    api,
    clock,
    keys,
    make_engine,
    platform,
)

TESTER = OpenId("oTester0000000000000000000001")
COLLEAGUE = OpenId("oTester0000000000000000000002")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """City may send 100 messages a day and has two test people."""
    accounts = tuple(
        account.model_copy(update={"daily_quota": 100, "test_openids": (TESTER, COLLEAGUE)})
        if account.id == CITY
        else account
        for account in settings.accounts
    )
    return settings.model_copy(update={"accounts": accounts})


@pytest.fixture
async def engine(make_engine) -> Engine:  # noqa: F811
    return await make_engine(per_second=10, quiet_hours=(at(22), at(7)))


async def _preview(api: Api, **changes: Any) -> Any:  # noqa: F811
    answer = await api.call("POST", "broadcasts/preview", ORDER | changes)
    assert answer.status == 200, answer.json
    return answer.json


def _codes(preview: Any) -> list[str]:
    return [warning["code"] for warning in preview["warnings"]]


# --- preview -----------------------------------------------------------------------------------


async def test_a_preview_shows_people_fields_quota_and_the_end_and_keeps_nothing(
    api: Api,  # noqa: F811
    engine: Engine,
    clock: FlowingClock,  # noqa: F811
):
    people = await engine.follow(20)

    preview = await _preview(api)

    assert preview["audience"] == 20
    assert preview["sample"] == [f"{openid[:4]}…" for openid in people[:5]]
    assert preview["fields"]["thing1"] == "福田区园岭街道"
    assert preview["quota"] == {"limit": 100, "used": 0, "reserved": 0, "left": 95, "fits": True}
    assert preview["warnings"] == []
    seconds = (_moment(preview, "expected_end") - clock.now()).total_seconds()
    assert 0 < seconds <= 20 / (10 * 0.98) + 1
    assert await engine.database["broadcasts"].count_documents({}) == 0


async def test_what_ordering_would_refuse_the_preview_refuses_with_every_fault(
    api: Api,  # noqa: F811
):
    answer = await api.call(
        "POST", "broadcasts/preview", ORDER | {"data": {"area": "园岭"}, "topic": "no.such"}
    )

    assert (answer.status, answer.json["code"]) == (422, "invalid_order")
    assert {error["field"] for error in answer.json["errors"]} >= {"topic", "data.start"}


async def test_a_broadcast_that_does_not_fit_into_the_day_is_warned_about(
    api: Api,  # noqa: F811
    engine: Engine,
    clock: FlowingClock,  # noqa: F811
):
    await engine.follow(60)
    at_noon = clock.now() + timedelta(hours=2)
    await api.order(at=at_noon.isoformat(), title="先到的")

    preview = await _preview(api, data=ORDER["data"] | {"reason": "另一件事"})

    assert preview["quota"] == {
        "limit": 100,
        "used": 0,
        "reserved": 60,
        "left": 35,
        "fits": False,
    }
    assert _codes(preview) == ["quota_exceeded", "quiet_hours"]  # the rest goes out at seven
    assert _moment(preview, "expected_end") > clock.now() + timedelta(hours=13)  # after midnight


async def test_the_same_content_to_the_same_people_is_warned_about_for_a_day(
    api: Api,  # noqa: F811
    engine: Engine,
    clock: FlowingClock,  # noqa: F811
):
    await engine.follow(3)
    await api.order(at=(clock.now() + timedelta(hours=1)).isoformat())

    again = await _preview(api)
    others = await _preview(api, audience={"topics": ["outage.power"]})
    other_words = await _preview(api, data=ORDER["data"] | {"reason": "抢修"})
    clock.advance(timedelta(hours=25))
    next_day = await _preview(api)

    assert _codes(again) == ["same_content"]
    assert "same_content" not in _codes(others) + _codes(other_words) + _codes(next_day)


async def test_what_was_made_earlier_and_sent_today_or_waits_for_its_review_is_a_double_too(
    api: Api,  # noqa: F811
    engine: Engine,
    clock: FlowingClock,  # noqa: F811
):
    await engine.follow(3)
    later = (clock.now() + timedelta(hours=30)).isoformat()
    await api.order(at=later)
    clock.advance(timedelta(hours=26))

    planned = await _preview(api)
    readers = Audience(topics=(WATER,))
    waiting = order(readers, title="另一条", data=ORDER["data"] | {"reason": "抢修"})
    await engine.broadcasts.create(waiting, author="operator:op_1:安娜", publish=False)
    in_review = await _preview(api, data=ORDER["data"] | {"reason": "抢修"})

    assert _codes(planned) == ["same_content"]
    assert "已定于" in planned["warnings"][0]["message"]
    assert _codes(in_review) == ["same_content"]
    assert "安娜 提交审核，任务“另一条”" in in_review["warnings"][0]["message"]


async def test_nobody_meant_is_warned_about(api: Api):  # noqa: F811
    preview = await _preview(api)

    assert (preview["audience"], preview["sample"]) == (0, [])
    assert _codes(preview) == ["empty_audience"]


async def test_quiet_hours_and_an_early_expiry_are_warned_about(
    api: Api,  # noqa: F811
    engine: Engine,
    clock: FlowingClock,  # noqa: F811
):
    await engine.follow(5)
    at_night = clock.now() + timedelta(hours=13)  # 23:00 in Beijing
    soon = clock.now() + timedelta(hours=15)

    preview = await _preview(api, at=at_night.isoformat(), expires_at=soon.isoformat())
    urgent = await _preview(api, at=at_night.isoformat(), priority="urgent")

    assert _codes(preview) == ["quiet_hours", "ends_after_expiry"]
    assert in_beijing(_moment(preview, "starts_at")).time() == at(7)
    assert _codes(urgent) == []
    assert urgent["quota"]["left"] == 100  # the share that is kept back is for urgent


async def test_another_accounts_key_previews_nothing(
    api: Api,  # noqa: F811
    keys: MongoApiKeys,  # noqa: F811
    clock: FakeClock,  # noqa: F811
):
    answer = await api.call("POST", "broadcasts/preview", ORDER | {"account": "plain"})
    publisher = await keys.create(CITY, "发布", ("broadcasts:publish",), now=clock.now())
    unscoped = await api.call("POST", "broadcasts/preview", ORDER, key=publisher)

    assert (answer.status, answer.json["code"]) == (403, "wrong_account")
    assert (unscoped.status, unscoped.json["code"]) == (403, "insufficient_scope")


# --- test sends --------------------------------------------------------------------------------


async def test_a_test_goes_to_the_test_person_as_a_reader_would_see_it(
    api: Api,  # noqa: F811
    engine: Engine,
    platform: Platform,  # noqa: F811
    keys: MongoApiKeys,  # noqa: F811
    clock: FlowingClock,  # noqa: F811
):
    await engine.follow(3)
    await engine.add_people([TESTER])
    writer = await keys.create(CITY, "拟稿", ("broadcasts:write",), now=clock.now())
    draft = await api.call("POST", "broadcasts", ORDER, key=writer)

    answer = await api.call(
        "POST", f"broadcasts/{draft.json['id']}/test", {"openids": [TESTER]}, key=writer
    )
    test = BroadcastId(answer.json["id"])
    async with engine.working():
        await engine.finished(test)

    assert answer.status == 202
    assert answer.json["test_of"] == draft.json["id"]
    assert list(platform.cards_per_person) == [TESTER]
    assert platform.messages[0]["data"]["thing1"]["value"] == "福田区园岭街道"
    assert (await engine.find(test)).title == "【测试】停水通知"
    assert (await engine.find(test)).test_of == draft.json["id"]
    assert await engine.state(BroadcastId(draft.json["id"])) == "in_review"
    other = await _preview(api, title="只有内容相同")
    assert "提交审核" in other["warnings"][0]["message"]  # what is in review is; a test is not


async def test_a_test_goes_to_nobody_whom_the_settings_do_not_name(
    api: Api,  # noqa: F811
    engine: Engine,
    platform: Platform,  # noqa: F811
):
    citizen = (await engine.follow(1))[0]
    draft = await api.order(at="2027-01-01T09:00:00+08:00")

    refused = await api.call(
        "POST", f"broadcasts/{draft.json['id']}/test", {"openids": [TESTER, citizen]}
    )
    many = await api.call("POST", f"broadcasts/{draft.json['id']}/test", {"openids": [TESTER] * 6})
    missing = await api.call("POST", "broadcasts/bc_none/test", {"openids": [TESTER]})

    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "not_a_test_person")
    assert [error["field"] for error in refused.json["errors"]] == ["openids.1"]
    assert citizen not in str(refused.json)
    assert (many.status, missing.status) == (422, 404)
    assert await engine.database["broadcasts"].count_documents({"test_of": {"$ne": None}}) == 0


async def test_a_mass_send_is_tried_as_one_which_takes_two_people(
    api: Api,  # noqa: F811
    engine: Engine,
    platform: Platform,  # noqa: F811
):
    await engine.add_people([TESTER, COLLEAGUE])
    draft = await api.order(at="2027-01-01T09:00:00+08:00", channel="mass")
    path = f"broadcasts/{draft.json['id']}/test"

    alone = await api.call("POST", path, {"openids": [TESTER]})
    together = await api.call("POST", path, {"openids": [TESTER, COLLEAGUE]})
    test = BroadcastId(together.json["id"])
    async with engine.working():
        counts = await engine.finished(test)

    assert (alone.status, alone.json["errors"][0]["code"]) == (422, "wrong_number")
    assert (await engine.find(test)).channel == "mass"
    assert counts.sent == 2
    assert list(platform.cards_per_person) == []


def _moment(preview: Any, name: str) -> datetime:
    return datetime.fromisoformat(preview[name])
