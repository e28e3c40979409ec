"""What a citizen does reaches the service, and what the service answers reaches the phone."""

import time

import pytest

from sandbox.chat import FAILURE_NOTICE
from tests.sandbox.conftest import ANNA

STRANGER = "oTestStrangerCCCCCCCCCCCCCCC"


@pytest.fixture
def reply_raw(mini):
    """Let the service answer with an XML text reply written by hand."""

    def answer_with(content="好", kind="text", swapped=True, extra=""):
        def answer(message):
            to, sender = message.source, message.target
            if not swapped:
                to, sender = sender, to
            return (
                f"<xml><ToUserName>{to}</ToUserName><FromUserName>{sender}</FromUserName>"
                f"<CreateTime>1</CreateTime><MsgType>{kind}</MsgType>"
                f"<Content><![CDATA[{content}]]></Content>{extra}</xml>"
            ).encode()

        mini.answer = answer

    return answer_with


@pytest.mark.parametrize("account", ["city", "plain", "both"])
async def test_a_text_is_answered_in_every_mode(sandbox, mini, account):
    answer = await sandbox.do("text", account=account, openid=ANNA, text="电费 ]]> 😀")

    assert answer["reply"] == {"kind": "text", "text": "收到电费 ]]> 😀"}
    assert answer["deliveries"] == 1
    assert mini.received[0].source == ANNA
    assert mini.received[0].target == f"gh_{account}"
    assert mini.received[0].id > 24345678901234566


async def test_safe_mode_shows_nothing_in_clear(sandbox, mini):
    await sandbox.do("text", openid=ANNA, text="秘密")

    assert b"Encrypt" in mini.bodies[0]
    assert b"FromUserName" not in mini.bodies[0]
    assert mini.queries[0]["encrypt_type"] == "aes"


async def test_compatible_mode_sends_both_forms(sandbox, mini):
    await sandbox.do("text", account="both", openid=ANNA, text="两种")

    assert b"Encrypt" in mini.bodies[0]
    assert "两种".encode() in mini.bodies[0]


async def test_the_address_is_verified_with_an_echo(sandbox):
    assert await sandbox.do("verify") == {"verified": True}


async def test_a_stranger_who_scans_follows_with_the_scene(sandbox, mini):
    await sandbox.do("state", openid=STRANGER, state="stranger")

    followed = await sandbox.do("scan", openid=STRANGER, scene="window_12")
    await sandbox.do("scan", openid=STRANGER, scene="window_12")

    assert "<EventKey><![CDATA[qrscene_window_12]]>" in followed["raw"]["push"]
    first, second = mini.received
    assert (first.event, first.scene_id) == ("subscribe_scan", "window_12")  # wechatpy's names
    assert (second.event, second.scene_id) == ("scan", "window_12")
    assert first.ticket == second.ticket


async def test_leaving_is_told_and_its_answer_is_not_shown(sandbox, mini):
    answer = await sandbox.do("unfollow", openid=ANNA)

    assert mini.events("unsubscribe")
    assert answer["reply"] == {"kind": "none"}
    assert (await sandbox.read("chat", openid=ANNA))["state"] == "left"


async def test_somebody_who_left_cannot_write(sandbox, mini):
    await sandbox.do("unfollow", openid=ANNA)

    answer = await sandbox.do("text", expect=409, openid=ANNA, text="在吗")

    assert "follow" in answer["error"]
    assert not [message for message in mini.received if message.type == "text"]


async def test_every_kind_of_message_arrives(sandbox, mini):
    await sandbox.do("voice", openid=ANNA, text="查公积金。")
    await sandbox.do("voice", openid=ANNA)
    await sandbox.do("image", openid=ANNA)
    await sandbox.do("location", openid=ANNA)
    await sandbox.do("link", openid=ANNA, title="指南", url="https://example.org/")
    await sandbox.do("click", openid=ANNA, key="query.fund")
    await sandbox.do("view", openid=ANNA, url="https://example.org/")
    await sandbox.do("event", openid=ANNA, event="scancode_waitmsg", fields={"EventKey": "k"})

    seen = [message._data for message in mini.received]
    assert [each.get("Event", each["MsgType"]) for each in seen] == [
        "voice", "voice", "image", "location", "link", "CLICK", "VIEW", "scancode_waitmsg",
    ]  # fmt: skip
    assert seen[0]["Recognition"] == "查公积金。"
    assert "Recognition" not in seen[1]


async def test_lists_are_repeated_elements(sandbox, mini):
    items = [{"TemplateId": "a"}, {"TemplateId": "b"}]

    answer = await sandbox.do(
        "event",
        openid=ANNA,
        event="subscribe_msg_popup_event",
        fields={"SubscribeMsgPopupEvent": {"List": items}},
    )

    assert answer["raw"]["push"].count("<List>") == 2


async def test_members_can_be_left_out(sandbox):
    answer = await sandbox.do("text", account="plain", openid=ANNA, text="x", omit=["MsgId"])

    assert "MsgId" not in answer["raw"]["push"]


async def test_a_slow_service_gets_three_deliveries_of_the_same_body(sandbox, mini):
    sandbox.world.courier.habits.limit = 0.15
    mini.delays = [0.4, 0.4, 0.4]

    answer = await sandbox.do("text", openid=ANNA, text="慢")

    assert answer["deliveries"] == 3
    assert answer["reply"]["text"] == FAILURE_NOTICE
    assert len(set(mini.bodies)) == 1
    assert len({query["nonce"] for query in mini.queries}) == 1
    assert [line["kind"] for line in await sandbox.chat(ANNA)] == ["text", "notice"]


async def test_an_answer_to_the_second_delivery_counts(sandbox, mini):
    mini.statuses = [500]

    answer = await sandbox.do("text", openid=ANNA, text="再来")

    assert answer["deliveries"] == 2
    assert answer["reply"] == {"kind": "text", "text": "收到再来"}


async def test_repetitions_may_carry_a_new_nonce(sandbox, mini):
    await sandbox.do("push", fresh_nonce=True)
    mini.statuses = [500]

    await sandbox.do("text", openid=ANNA, text="再来")

    assert len({query["nonce"] for query in mini.queries}) == 2
    assert len(set(mini.bodies)) == 1


@pytest.mark.parametrize("body", [b"", b"success"])
async def test_an_empty_body_is_no_answer_and_no_failure(sandbox, mini, body):
    mini.answer = lambda _: body

    answer = await sandbox.do("text", openid=ANNA, text="x")

    assert answer["reply"] == {"kind": "none"}


@pytest.mark.parametrize(
    "body", [b"{}", b"<html></html>", b"<xml><unclosed>", b"SUCCESS", b"\xff\xfe", b"null"]
)
async def test_an_abnormal_answer_brings_the_failure_notice(sandbox, mini, body):
    mini.answer = lambda _: body

    answer = await sandbox.do("text", account="plain", openid=ANNA, text="x")

    assert answer["reply"]["kind"] == "notice"
    assert answer["deliveries"] == 1


async def test_unswapped_names_are_refused(sandbox, reply_raw):
    reply_raw(swapped=False)

    answer = await sandbox.do("text", account="plain", openid=ANNA, text="x")

    assert "swapped" in answer["reply"]["reason"]


@pytest.mark.parametrize(("content", "kind"), [("字" * 682, "text"), ("字" * 683, "notice")])
async def test_a_text_over_2048_bytes_is_refused(sandbox, reply_raw, content, kind):
    reply_raw(content)

    answer = await sandbox.do("text", account="plain", openid=ANNA, text="x")

    assert answer["reply"]["kind"] == kind


async def test_a_reply_in_clear_is_refused_in_safe_mode(sandbox, reply_raw):
    reply_raw()

    answer = await sandbox.do("text", openid=ANNA, text="x")

    assert "encrypted" in answer["reply"]["reason"]


async def test_entities_in_a_reply_are_refused(sandbox, mini):
    mini.answer = lambda _: b'<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>'

    answer = await sandbox.do("text", account="plain", openid=ANNA, text="x")

    assert answer["reply"]["kind"] == "notice"


async def test_a_bad_signature_never_becomes_a_reply(sandbox, mini):
    answer = await sandbox.do("text", openid=ANNA, text="x", bad_signature=True)

    assert answer["reply"]["kind"] == "notice"
    assert mini.received == []


async def test_copies_arrive_together(sandbox, mini):
    answer = await sandbox.do("text", openid=ANNA, text="x", copies=3)

    assert answer["deliveries"] == 3
    assert len({message.id for message in mini.received}) == 1


async def test_a_service_that_is_down_brings_the_failure_notice(sandbox, free_port):
    await sandbox.do("account", callback_url=f"http://127.0.0.1:{free_port}/wechat/city")

    answer = await sandbox.do("text", openid=ANNA, text="x")

    assert answer["deliveries"] == 3
    assert "no connection" in answer["reply"]["reason"] or "HTTP 599" in answer["reply"]["reason"]


async def test_a_test_can_wait_for_the_next_line(sandbox):
    last = (await sandbox.read("chat", openid=ANNA))["last"]
    started = time.monotonic()

    nothing = await sandbox.chat(ANNA, after=last, wait=0.05)
    await sandbox.do("text", openid=ANNA, text="x")
    lines = await sandbox.chat(ANNA, after=last, wait=5)

    assert nothing == []
    assert lines
    assert time.monotonic() - started < 4


async def test_unknown_accounts_verbs_and_missing_members_are_named(sandbox):
    wrong_account = await sandbox.do("text", expect=404, account="nowhere", openid=ANNA, text="x")
    wrong_verb = await sandbox.do("shout", expect=404)
    missing = await sandbox.do("text", expect=400, openid=ANNA)

    assert "account" in wrong_account["error"]
    assert "verb" in wrong_verb["error"]
    assert missing["error"].startswith("text ")
