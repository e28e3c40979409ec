"""The load's messages are the platform's: published vectors, and our own inbox accepts them."""

from pathlib import Path

import pytest

from bench.pushes import CITIZENS, Account, Platform, _sign, openid_of
from connectors.wechat.inbox import Inbox
from domain.clock import SystemClock
from domain.conversation import Answer, TextMessage
from tests.support.settings import make_settings


def test_the_signature_is_that_of_the_platforms_example() -> None:
    assert (
        _sign("TestToken123", "1700000000", "987654321")
        == "0710f9a7bb3dda301d5114e248456e0b55851d44"
    )


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    account = Account()
    section = {
        "id": "bench",
        "app_id": account.app_id,
        "app_secret": "x",
        "token": account.token,
        "encoding_aes_key": account.aes_key,
        "mode": "safe",
    }
    settings = make_settings(tmp_path, accounts=[section])
    return Inbox(settings.account("bench"), SystemClock())


def test_our_inbox_accepts_a_push_and_the_platform_opens_our_answer(inbox: Inbox) -> None:
    platform = Platform(Account(), "/wechat/bench", safe=True)
    (push,) = platform.pushes(1, "停水")

    head, body = push.request.split(b"\r\n\r\n", 1)
    target = head.split(b" ")[1].decode().partition("?")[2]
    envelope = inbox.receive(dict(pair.split("=", 1) for pair in target.split("&")), body)
    answer = platform.open(inbox.reply(envelope, Answer("text", "请告诉我街道名称")))

    assert isinstance(envelope.message, TextMessage)
    assert envelope.message.text == "停水"
    assert envelope.message.openid == push.openid
    assert answer["Content"] == "请告诉我街道名称"
    assert answer["ToUserName"] == push.openid


def test_every_message_is_a_new_one_and_citizens_take_turns() -> None:
    platform = Platform(Account(), "/", safe=False)

    pushes = platform.pushes(CITIZENS, "停水") + platform.pushes(CITIZENS, "停水")

    assert len({push.request for push in pushes}) == 2 * CITIZENS
    assert len({push.openid for push in pushes}) == CITIZENS
    assert pushes[0].openid == pushes[CITIZENS].openid


def test_an_openid_looks_like_one() -> None:
    assert len(openid_of(7)) == 28
