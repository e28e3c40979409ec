"""Customer-service messages, menu, followers, codes, quotas and faults."""

import asyncio
import json

import aiohttp
import pytest

from tests.sandbox.conftest import ANNA, BEN


async def say(sandbox, text="您好", openid=ANNA):
    """Send a customer-service text as the product does, without escapes."""
    content = {"touser": openid, "msgtype": "text", "text": {"content": text}}
    body = json.dumps(content, ensure_ascii=False).encode()
    return (await sandbox.call("message/custom/send", body))["errcode"]


# --- customer-service messages --------------------------------------------------------------


async def test_a_message_opens_five_sends_for_48_hours(sandbox, clock):
    await sandbox.do("text", openid=ANNA, text="在吗")

    codes = [await say(sandbox) for _ in range(6)]

    assert codes == [0, 0, 0, 0, 0, 45047]


@pytest.mark.parametrize("act", [{"verb": "click", "key": "k"}, {"verb": "scan", "scene": "s"}])
async def test_a_tap_or_scan_opens_three_sends_for_a_minute(sandbox, clock, act):
    await sandbox.do(act.pop("verb"), openid=ANNA, **act)
    codes = [await say(sandbox) for _ in range(4)]
    clock.advance(61)

    assert codes == [0, 0, 0, 45047]
    assert await say(sandbox) == 45015


async def test_nothing_opens_without_an_action(sandbox):
    assert await say(sandbox) == 45015


async def test_the_window_closes_after_48_hours_and_on_leaving(sandbox, clock):
    await sandbox.do("text", openid=ANNA, text="在吗")
    await sandbox.do("text", openid=BEN, text="在吗")
    await sandbox.do("unfollow", openid=BEN)
    after_leaving = await say(sandbox, openid=BEN)
    clock.advance(48 * 3600 + 1)
    sandbox.token = ""

    assert after_leaving == 45015
    assert await say(sandbox) == 45015


async def test_sizes_and_escapes_of_customer_service_texts(sandbox):
    await sandbox.do("text", openid=ANNA, text="在吗")
    escaped = json.dumps({"touser": ANNA, "msgtype": "text", "text": {"content": "您好"}}).encode()

    assert await say(sandbox, "字" * 682) == 0
    assert await say(sandbox, "字" * 683) == 45002
    assert await say(sandbox, "") == 44004
    assert await say(sandbox, "\\u0041 反斜杠") == 0
    assert (await sandbox.call("message/custom/send", escaped))["errcode"] == 40033


async def test_a_customer_service_text_is_a_bubble(sandbox):
    await sandbox.do("text", openid=ANNA, text="在吗")

    await say(sandbox, "稍后答复您")

    last = (await sandbox.chat(ANNA))[-1]
    assert (last["side"], last["text"]) == ("account", "稍后答复您")


# --- menu -----------------------------------------------------------------------------------


async def test_a_menu_is_made_read_and_taken_away(sandbox):
    menu = {"button": [{"type": "click", "name": "查询", "key": "q"}]}
    none = await sandbox.call("menu/get")
    made = await sandbox.call("menu/create", json.dumps(menu, ensure_ascii=False).encode())
    read = await sandbox.call("menu/get")
    await sandbox.call("menu/delete")

    assert none["errcode"] == 46003
    assert made["errcode"] == 0
    assert read["menu"]["button"][0] == {**menu["button"][0], "sub_button": []}
    assert (await sandbox.call("menu/get"))["errcode"] == 46003


@pytest.mark.parametrize(
    ("buttons", "code"),
    [
        ([], 40016),
        ([{"type": "click", "name": "a", "key": "k"}] * 4, 40016),
        ([{"type": "click", "name": "超过十六个字节", "key": "k"}], 40018),
        ([{"type": "shout", "name": "a"}], 40017),
        ([{"type": "click", "name": "a"}], 40019),
        ([{"type": "view", "name": "a", "url": "ftp://example.org"}], 40055),
        ([{"name": "a", "sub_button": [{"type": "click", "name": "b", "key": "k"}] * 6}], 40023),
        ([{"name": "a", "sub_button": [{"type": "click", "name": "b"}]}], 40026),
        ([{"name": "a", "sub_button": [{"name": "b", "sub_button": [{}]}]}], 40022),
    ],
)
async def test_a_menu_that_breaks_a_rule_is_refused(sandbox, buttons, code):
    body = json.dumps({"button": buttons}, ensure_ascii=False).encode()

    assert (await sandbox.call("menu/create", body))["errcode"] == code


async def test_an_escaped_menu_is_refused(sandbox):
    body = json.dumps({"button": [{"type": "click", "name": "查询", "key": "q"}]}).encode()

    assert (await sandbox.call("menu/create", body))["errcode"] == 40033


# --- people and codes -----------------------------------------------------------------------


async def test_followers_come_in_pages_and_the_last_is_empty(sandbox):
    await sandbox.do("followers", add_followers=10_005, prefix="oPage")

    first = await sandbox.call("user/get")
    second = await sandbox.call("user/get", next_openid=first["next_openid"])
    last = await sandbox.call("user/get", next_openid=second["next_openid"])

    assert (first["total"], first["count"], second["count"]) == (10_007, 10_000, 7)
    assert first["data"]["openid"][:2] == [ANNA, BEN]
    assert last == {"total": 10_007, "count": 0, "next_openid": ""}


async def test_user_info_knows_who_left(sandbox):
    await sandbox.do("unfollow", openid=BEN)

    stays = await sandbox.call("user/info", openid=ANNA)
    left = await sandbox.call("user/info", openid=BEN)

    assert (stays["subscribe"], stays["nickname"]) == (1, "")
    assert left["subscribe"] == 0
    assert "subscribe_time" not in left


async def test_a_code_that_was_made_can_be_scanned(sandbox, mini):
    scene = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "window_12"}}}
    made = await sandbox.call("qrcode/create", scene)

    await sandbox.do("scan", openid=ANNA, ticket=made["ticket"])

    assert made["expire_seconds"] == 60
    assert mini.events("SCAN")[0]._data["EventKey"] == "window_12"
    assert (await sandbox.call("qrcode/create", {"action_name": "QR"}))["errcode"] == 40052


# --- quotas and faults ----------------------------------------------------------------------


async def test_quotas_per_minute_and_per_day(sandbox, clock):
    path = "/cgi-bin/message/template/send"
    await sandbox.do("limits", path=path, per_minute=2, per_day=3)

    codes = [(await sandbox.send_template())["errcode"] for _ in range(3)]
    clock.advance(60)
    codes += [(await sandbox.send_template())["errcode"] for _ in range(2)]
    await sandbox.call("clear_quota", {"appid": sandbox.world.accounts["city"].app_id})
    codes.append((await sandbox.send_template())["errcode"])

    assert codes == [0, 0, 45011, 0, 45009, 0]


async def test_quotas_begin_anew_at_midnight_in_china(sandbox, clock):
    await sandbox.do("limits", path="/cgi-bin/user/info", per_day=1)
    await sandbox.call("user/info", openid=ANNA)
    today = await sandbox.call("user/info", openid=ANNA)
    clock.advance(14 * 3600)  # from 10:00 to 24:00
    sandbox.token = ""

    assert today["errcode"] == 45009
    assert (await sandbox.call("user/info", openid=ANNA))["subscribe"] == 1


async def test_the_template_quota_grows_with_the_followers(sandbox):
    path = "/cgi-bin/message/template/send"
    before = await sandbox.call("openapi/quota/get", {"cgi_path": path})
    await sandbox.do("followers", add_followers=100_000, prefix="oBulk")

    after = await sandbox.call("openapi/quota/get", {"cgi_path": path})

    assert (before["quota"]["daily_limit"], after["quota"]["daily_limit"]) == (100_000, 1_000_000)


async def test_the_next_calls_can_fail_with_any_code(sandbox):
    await sandbox.do("fault", kind="errcode", errcode=-1, path="/cgi-bin/message", next=2, skip=1)

    codes = [(await sandbox.send_template())["errcode"] for _ in range(4)]

    assert codes == [0, -1, -1, 0]


async def test_a_probability_decides_how_often(sandbox):
    await sandbox.call("getcallbackip")
    await sandbox.do("fault", kind="errcode", errcode=45011, probability=0.5)

    codes = [(await sandbox.send_template())["errcode"] for _ in range(40)]
    await sandbox.do("fault", clear=True)

    assert 5 < codes.count(45011) < 35
    assert (await sandbox.send_template())["errcode"] == 0


async def test_a_proxy_can_answer_with_a_page(sandbox):
    await sandbox.do("fault", kind="html502", next=1)

    async with sandbox.http.get(f"{sandbox.base}/cgi-bin/token") as response:
        assert response.status == 502
        assert "<html>" in await response.text()


@pytest.mark.parametrize(("kind", "carried_out"), [("cut_before", 0), ("cut_after", 1)])
async def test_the_connection_can_break_before_or_after_the_send(sandbox, kind, carried_out):
    await sandbox.call("getcallbackip")
    await sandbox.do("fault", kind=kind, next=1)

    with pytest.raises(aiohttp.ClientError):
        await sandbox.send_template(client_msg_id="n-1")

    assert (await sandbox.read("sends"))["total"] == carried_out


async def test_an_answer_can_come_too_late_although_the_send_was_carried_out(sandbox):
    await sandbox.call("getcallbackip")
    await sandbox.do("fault", kind="late", delay=30, next=1)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await sandbox.send_template()

    assert (await sandbox.read("sends"))["total"] == 1


async def test_a_fault_can_hit_one_recipient(sandbox):
    await sandbox.do("fault", kind="errcode", errcode=43117, openid=BEN)

    assert (await sandbox.send_template(ANNA))["errcode"] == 0
    assert (await sandbox.send_template(BEN))["errcode"] == 43117


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("message/template/send", None, 43002),
        ("menu/get", {}, 43001),
        ("nothing/here", None, 40066),
        ("message/template/send", b"", 44002),
        ("message/template/send", b"{", 47001),
        ("message/template/send", b"[]", 47001),
    ],
)
async def test_ill_formed_calls_are_named(sandbox, path, content, code):
    assert (await sandbox.call(path, content))["errcode"] == code


async def test_the_clock_can_be_moved(sandbox):
    answer = await sandbox.do("clock", set="2026-12-01T09:00:00+08:00")
    later = await sandbox.do("clock", advance=3600)

    assert answer["now"].startswith("2026-12-01T01:00:00")
    assert later["now"].startswith("2026-12-01T02:00:00")


async def test_requests_from_other_sites_are_refused(sandbox):
    url = f"{sandbox.base}/sandbox/control/text"

    async with sandbox.http.post(
        url, json={}, headers={"Origin": "https://evil.example"}
    ) as response:
        assert response.status == 403


async def test_the_departments_answer_on_the_same_port(sandbox):
    async with sandbox.http.get(f"{sandbox.base}/sandbox/departments/social/fault") as response:
        assert response.status == 200
