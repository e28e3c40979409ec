"""Template messages: what is refused, what arrives once, and the receipts."""

import asyncio

import pytest

from tests.sandbox.conftest import ANNA, BEN, OUTAGE


async def receipts_done(sandbox):
    """Wait until every receipt has been pushed."""
    async with asyncio.timeout(5):
        await sandbox.world.receipts.drained()


async def test_a_message_is_on_the_phone_as_a_card(sandbox):
    answer = await sandbox.send_template()

    (card,) = await sandbox.chat(ANNA)
    assert answer["errcode"] == 0
    assert card["kind"] == "card"
    assert card["msgid"] == str(answer["msgid"])
    assert card["fields"][0] == {"key": "thing1", "label": "影响区域", "value": "南山区粤海街道"}
    assert card["url"] == "https://example.org/n/1"


async def test_its_result_follows_as_an_event(sandbox, mini):
    msgid = (await sandbox.send_template())["msgid"]

    await receipts_done(sandbox)

    (event,) = mini.events("TEMPLATESENDJOBFINISH")
    assert event._data["MsgID"] == str(msgid)
    assert event._data["Status"] == "success"
    assert (await sandbox.read("sends"))["receipts"] == {"success": 1}


async def test_the_same_client_msg_id_arrives_once_in_ten_minutes(sandbox, clock):
    first = await sandbox.send_template(client_msg_id="n-1")
    clock.advance(599)
    again = await sandbox.send_template(client_msg_id="n-1")
    other = await sandbox.send_template(BEN, client_msg_id="n-1")

    assert again == first
    assert other["msgid"] != first["msgid"]
    assert len(await sandbox.chat(ANNA)) == 1
    sends = await sandbox.read("sends")
    assert (sends["total"], sends["distinct"], sends["repeats"]) == (2, 2, 1)
    assert sends["doubled"] == sends["same_card_twice"] == []


async def test_the_book_shows_what_arrived_twice(sandbox, clock):
    await sandbox.send_template(client_msg_id="n-1")
    clock.advance(601)
    await sandbox.send_template(client_msg_id="n-1")
    await sandbox.send_template(BEN, client_msg_id="n-2")
    await sandbox.send_template(BEN, client_msg_id="n-3")

    sends = await sandbox.read("sends", detail="client_msg_id")

    assert sends["doubled"] == [{"openid": ANNA, "client_msg_id": "n-1", "times": 2}]
    assert {each["openid"] for each in sends["same_card_twice"]} == {ANNA, BEN}
    assert sends["by_client_msg_id"] == {"n-1": 2, "n-2": 1, "n-3": 1}
    assert (await sandbox.read("sends", prefix="n-2"))["total"] == 1


@pytest.mark.parametrize(
    ("state", "code"),
    [("left", 43004), ("stranger", 43004), ("blacklisted", 43019), ("frozen", 50002)],
)
async def test_who_cannot_be_reached_is_refused(sandbox, state, code):
    await sandbox.do("state", openid=ANNA, state=state)

    assert (await sandbox.send_template())["errcode"] == code
    assert (await sandbox.read("sends"))["refused"] == {str(code): 1}


async def test_somebody_unknown_is_refused(sandbox):
    assert (await sandbox.send_template("oSomebodyElse"))["errcode"] == 40003


async def test_a_template_of_another_account_is_refused(sandbox):
    answer = await sandbox.send_template(template_id="plain-outage_notice")

    assert answer["errcode"] == 40037


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"thing1": {"value": "字" * 21}}, "thing1"),
        ({"thing1": {"value": ""}}, "thing1"),
        ({"thing1": {"value": "两\n行"}}, "thing1"),
        ({"thing1": {"value": "表情😀"}}, "thing1"),
        ({"thing1": None}, "thing1"),
        ({"time2": {"value": "明天上午"}}, "time2"),
        ({"time2": {"value": 815}}, "time2"),
        ({"first": {"value": "您好"}}, "first"),
    ],
)
async def test_data_that_does_not_fit_names_the_key(sandbox, change, key):
    answer = await sandbox.send_template(data=OUTAGE | change)

    assert answer["errcode"] == 47003
    assert answer["errmsg"].startswith(f"argument invalid! data.{key}.value invalid rid: ")


async def test_a_person_who_muted_us_blocks(sandbox, mini):
    await sandbox.do("state", openid=ANNA, state="muted")

    assert (await sandbox.send_template())["errcode"] == 0
    await receipts_done(sandbox)

    assert mini.events("TEMPLATESENDJOBFINISH")[0]._data["Status"] == "failed:user block"
    assert await sandbox.chat(ANNA) == []


@pytest.mark.parametrize(
    ("habit", "status"),
    [
        ("user_block", "failed:user block"),
        ("system_failed", "failed: system failed"),
        ("freq_limit", "failed:freq limit"),
    ],
)
async def test_a_share_of_results_can_fail(sandbox, mini, habit, status):
    await sandbox.do("receipts", **{habit: 1})
    await sandbox.send_template()

    await receipts_done(sandbox)

    assert mini.events("TEMPLATESENDJOBFINISH")[0]._data["Status"] == status


async def test_a_result_can_come_before_the_answer(sandbox, mini):
    await sandbox.do("receipts", early=1)

    await sandbox.send_template()

    assert len(mini.events("TEMPLATESENDJOBFINISH")) == 1


async def test_a_result_can_come_twice_or_never(sandbox, mini):
    await sandbox.do("receipts", duplicate=1)
    await sandbox.send_template()
    await receipts_done(sandbox)
    twice = len(mini.events("TEMPLATESENDJOBFINISH"))
    await sandbox.do("receipts", lost=1)
    await sandbox.send_template()
    await receipts_done(sandbox)

    assert twice == len(mini.events("TEMPLATESENDJOBFINISH")) == 2


async def test_no_more_receipts_are_on_their_way_than_allowed(sandbox, mini):
    await sandbox.do("receipts", concurrency=2)
    mini.delays = [0.02] * 12
    for number in range(12):
        await sandbox.send_template(client_msg_id=f"n-{number}")

    await receipts_done(sandbox)

    assert mini.most_at_once == 2
    assert len(mini.events("TEMPLATESENDJOBFINISH")) == 12


async def test_templates_are_listed_with_their_keys(sandbox):
    answer = await sandbox.call("template/get_all_private_template")

    template = next(t for t in answer["template_list"] if t["template_id"] == "city-outage_notice")
    assert "影响区域:{{thing1.DATA}}" in template["content"]


async def test_a_banned_template_is_refused(sandbox):
    await sandbox.do("template", id="city-outage_notice", banned=True)

    assert (await sandbox.send_template())["errcode"] == 43116


async def test_a_hundred_thousand_followers_are_added_in_a_moment(sandbox):
    answer = await sandbox.do("followers", add_followers=100_000, prefix="oBulk")

    assert answer == {"added": 100_000, "followers": 100_002}
    assert (await sandbox.send_template("oBulk" + "99999".zfill(23)))["errcode"] == 0
