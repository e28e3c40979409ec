"""The inbox: what is believed in each mode, and what is refused."""

import base64

import pytest
from wechatpy.crypto import WeChatCrypto

from connectors.wechat.inbox import Inbox, Refused
from domain.conversation import Answer, TextMessage
from tests.support.wechat import OFFICIAL, Platform, sha1


@pytest.fixture(params=["city", "both", "plain"])
def platform(request, settings, clock) -> Platform:
    """WeChat for an account in safe, compatible and plain mode."""
    return Platform(settings.account(request.param), clock)


@pytest.fixture
def safe(settings, clock) -> Platform:
    return Platform(settings.account("city"), clock)


def inbox(platform: Platform) -> Inbox:
    return Inbox(platform.account, platform.clock)


def refusal(platform: Platform, query, body) -> int:
    with pytest.raises(Refused) as caught:
        inbox(platform).receive(query, body)
    return caught.value.status


def test_a_signed_push_is_received_in_its_mode(platform):
    envelope = inbox(platform).receive(*platform.wrap(platform.text("停水 福田区")))

    assert isinstance(envelope.message, TextMessage)
    assert envelope.message.text == "停水 福田区"
    assert envelope.message.account == platform.account.id


def test_a_reply_reads_back_with_the_names_swapped(platform):
    box = inbox(platform)
    envelope = box.receive(*platform.wrap(platform.text("hi")))

    fields = platform.read(box.reply(envelope, Answer("text", "好 ]]> 的")))

    assert fields["ToUserName"] == platform.openid
    assert fields["FromUserName"] == OFFICIAL
    assert fields["Content"] == "好 ]]> 的"


def test_nothing_to_say_is_success_in_clear(platform):
    box = inbox(platform)
    envelope = box.receive(*platform.wrap(platform.text("hi")))

    assert box.reply(envelope, Answer.nothing()) == b"success"


COVERED = [
    *((account, name) for account in ("city", "both", "plain") for name in ("timestamp", "nonce")),
    ("plain", "signature"),
    ("city", "msg_signature"),
    ("both", "msg_signature"),
]


@pytest.mark.parametrize(("account", "parameter"), COVERED)
@pytest.mark.parametrize("value", [None, "", "0", "x" * 40, "中"])
def test_a_missing_or_wrong_parameter_is_refused(settings, clock, account, parameter, value):
    platform = Platform(settings.account(account), clock)
    query, body = platform.wrap(platform.text("hi"))
    changed = {name: given for name, given in query.items() if name != parameter}
    if value is not None:
        changed[parameter] = value

    assert refusal(platform, changed, body) == 403


def test_in_safe_mode_a_wrong_signature_is_refused_but_none_is_needed(safe):
    query, body = safe.wrap(safe.text("hi"))

    assert refusal(safe, {**query, "signature": "0" * 40}, body) == 403
    del query["signature"]  # msg_signature covers all of it and the body
    assert inbox(safe).receive(query, body).message


@pytest.mark.parametrize("seconds", [601, -601, 86400])
def test_an_old_or_future_timestamp_is_refused(platform, clock, seconds):
    query, body = platform.wrap(platform.text("hi"))
    clock.advance(seconds)

    assert refusal(platform, query, body) == 403


def test_a_timestamp_within_ten_minutes_is_fresh(platform, clock):
    query, body = platform.wrap(platform.text("hi"))
    clock.advance(599)

    assert inbox(platform).receive(query, body).message


def test_a_plain_body_is_refused_in_safe_mode_whatever_the_request_claims(safe):
    xml = safe.text("hi").encode()

    assert refusal(safe, safe.query(), xml) == 403
    assert refusal(safe, safe.query(encrypt_type="raw"), xml) == 403
    assert refusal(safe, safe.query(msg_signature=safe.query()["signature"]), xml) == 403


def test_encrypt_type_decides_nothing(platform):
    query, body = platform.wrap(platform.text("hi"))

    assert inbox(platform).receive({**query, "encrypt_type": "raw"}, body).message
    query.pop("encrypt_type", None)
    assert inbox(platform).receive(query, body).message


def test_clear_fields_of_a_compatible_body_are_not_believed(settings, clock):
    platform = Platform(settings.account("both"), clock)
    query, body = platform.wrap(platform.text("真"))

    envelope = inbox(platform).receive(query, body.replace("真".encode(), "假".encode()))

    assert isinstance(envelope.message, TextMessage)
    assert envelope.message.text == "真"


def test_the_signature_of_another_body_is_refused(safe):
    query, _ = safe.wrap(safe.text("one"))
    _, body = safe.wrap(safe.text("two"))

    assert refusal(safe, query, body) == 403


def test_a_push_of_another_account_is_refused(settings, clock, safe):
    other = Platform(settings.account("both"), clock)

    assert refusal(safe, *other.wrap(other.text("hi"))) == 403


def test_a_foreign_app_id_under_our_key_and_token_is_refused(safe):
    key = safe.account.encoding_aes_key.get_secret_value()
    foreign = WeChatCrypto(safe.token, key, "wx9999999999999999")
    sealed = foreign.encrypt_message(safe.text("hi"), safe.nonce, str(safe.now))
    encrypted = sealed.split("<Encrypt><![CDATA[")[1].split("]]>")[0]
    query = safe.query(msg_signature=sha1(safe.token, str(safe.now), safe.nonce, encrypted))

    body = f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()

    assert refusal(safe, query, body) == 403


@pytest.mark.parametrize("encrypted", ["%%%", "QUJD", base64.b64encode(b"x" * 64).decode()])
def test_signed_rubbish_is_refused(safe, encrypted):
    query = safe.query(msg_signature=sha1(safe.token, str(safe.now), safe.nonce, encrypted))
    body = f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()

    assert refusal(safe, query, body) == 403


def test_an_envelope_in_another_order_or_spelling_is_read_by_the_parser(safe):
    query, body = safe.wrap(safe.text("hi"))
    encrypted = body.split(b"<Encrypt><![CDATA[")[1].split(b"]]>")[0]
    odd = b"<?xml version='1.0'?>\n<xml><AgentID/><Encrypt>\n" + encrypted + b"\n</Encrypt></xml>"
    stripped = encrypted.decode()
    assert query["msg_signature"] == sha1(safe.token, str(safe.now), safe.nonce, stripped)

    assert inbox(safe).receive(query, odd).message


def test_a_document_type_around_a_signed_part_is_refused(safe):
    query, body = safe.wrap(safe.text("hi"))

    assert refusal(safe, query, b"<!DOCTYPE xml>" + body) == 400


def test_the_previous_key_is_accepted_and_the_reply_uses_the_new_one(settings, clock):
    old = settings.account("city")
    platform = Platform(old, clock)
    changing = old.model_copy(
        update={
            "encoding_aes_key": type(old.encoding_aes_key)("N" * 43),
            "previous_encoding_aes_key": old.encoding_aes_key,
        }
    )
    box = Inbox(changing, clock)

    envelope = box.receive(*platform.wrap(platform.text("hi")))

    reply = box.reply(envelope, Answer("text", "好"))
    assert Platform(changing, clock).read(reply)["Content"] == "好"


def test_the_verification_is_echoed_only_when_signed(platform):
    box = inbox(platform)

    assert box.echo(platform.query(echostr="5837397550")) == "5837397550"
    for query in (
        platform.query(),
        platform.query(echostr="a\nb"),
        platform.query(echostr="x", signature="0" * 40),
        {"echostr": "x"},
    ):
        with pytest.raises(Refused):
            box.echo(query)
