"""Subscription notices: the platform asks for a consent, uses it up, and tells the result."""

import aiohttp
import pytest

from tests.sandbox.conftest import ANNA, OUTAGE

ONE_TIME, LONG_TERM = "city-sub-outage_notice", "city-sub-case_notice"
CASE = {
    "character_string1": {"value": "A-1"},
    "thing2": {"value": "已受理"},
    "time3": {"value": "2026年12月01日 08:00"},
}


@pytest.fixture
def send(sandbox):
    async def send(openid=ANNA, template_id=ONE_TIME, data=OUTAGE):
        content = {"touser": openid, "template_id": template_id, "data": data}
        return await sandbox.call("message/subscribe/bizsend", content)

    return send


async def test_without_a_consent_nothing_is_sent(sandbox, send):
    assert (await send())["errcode"] == 43101
    assert await sandbox.chat(ANNA) == []


async def test_a_one_time_consent_is_used_up_by_one_notice(sandbox, send, mini):
    await sandbox.do("consent", openid=ANNA, template_id=ONE_TIME, answer="accept")

    assert (await send()) == {"errcode": 0, "errmsg": "ok"}
    assert (await send())["errcode"] == 43101

    cards = [line for line in await sandbox.chat(ANNA) if line["kind"] == "card"]
    assert [card["origin"] for card in cards] == ["subscription"]
    await sandbox.world.receipts.drained()
    (told,) = mini.events("subscribe_msg_sent_event")
    item = told._data["SubscribeMsgSentEvent"]["List"]
    assert (item["TemplateId"], item["ErrorCode"]) == (ONE_TIME, "0")
    assert item["MsgID"] == cards[0]["msgid"]


async def test_a_long_term_consent_lasts_until_it_is_withdrawn(sandbox, send, mini):
    await sandbox.do("consent", openid=ANNA, template_id=LONG_TERM, answer="accept")
    for _ in range(2):
        assert (await send(template_id=LONG_TERM, data=CASE))["errcode"] == 0

    await sandbox.do("consent", openid=ANNA, template_id=LONG_TERM, manage=True)

    assert (await send(template_id=LONG_TERM, data=CASE))["errcode"] == 43101
    assert mini.events("subscribe_msg_change_event")


async def test_the_window_tells_each_templates_answer(sandbox, mini):
    await sandbox.do("consent", openid=ANNA, template_ids=[ONE_TIME, LONG_TERM], answer="reject")

    (told,) = mini.events("subscribe_msg_popup_event")
    items = told._data["SubscribeMsgPopupEvent"]["List"]
    assert [item["SubscribeStatusString"] for item in items] == ["reject", "reject"]


async def test_who_left_still_gets_a_notice_they_agreed_to(sandbox, send):
    await sandbox.do("consent", openid=ANNA, template_id=ONE_TIME, answer="accept")
    await sandbox.do("unfollow", openid=ANNA)

    assert (await send())["errcode"] == 0


async def test_a_lost_answer_means_a_second_notice_for_who_repeats(sandbox, send):
    for _ in range(2):
        await sandbox.do("consent", openid=ANNA, template_id=ONE_TIME, answer="accept")
    fault = {"kind": "cut_after", "path": "/cgi-bin/message/subscribe/bizsend", "next": 1}
    await sandbox.do("fault", **fault)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await send()

    await send()

    assert len((await sandbox.read("notices"))["records"]) == 2


async def test_the_templates_are_listed_with_their_type(sandbox):
    token = (await sandbox.get_token())["access_token"]
    url = f"{sandbox.base}/wxaapi/newtmpl/gettemplate"
    async with sandbox.http.get(url, params={"access_token": token}) as response:
        listed = await response.json()

    assert {each["priTmplId"]: each["type"] for each in listed["data"]} == {
        ONE_TIME: 2,
        LONG_TERM: 3,
    }
