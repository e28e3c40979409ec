"""Subscription notices and mass sends over real HTTP: bodies, ids, and failures by class."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from connectors.wechat.api import MASS_SEND, MASS_SEND_ALL, SUBSCRIPTION_SEND, WeChatApi
from connectors.wechat.tokens import TokenKeeper
from domain.delivery import SendFailed
from storage.redis.sealing import Sealer
from storage.redis.tokens import RedisTokens
from tests.support.wechat_stub import CUT, EMPTY, HTML_502, SILENCE, WeChatStub, wechat_stub

APP = "wx0123456789abcdef"
OPENID = "oAbCd1234567890EfGhIjKlMnOpQ"
QUICK = aiohttp.ClientTimeout(total=1.0, connect=0.8)


@pytest.fixture
async def platform() -> AsyncIterator[WeChatStub]:
    async with wechat_stub() as stub:
        stub.on(SUBSCRIPTION_SEND, {"errcode": 0, "errmsg": "ok"})
        for path in (MASS_SEND, MASS_SEND_ALL):
            stub.on(path, {"errcode": 0, "errmsg": "send job submission success", "msg_id": 34182})
        yield stub


@pytest.fixture
def api(platform, redis, settings, http, clock) -> WeChatApi:
    cache = RedisTokens(redis, Sealer(settings.security.master_key))
    keeper = TokenKeeper(APP, "secret", platform.url, http, cache, clock)
    return WeChatApi(
        http,
        api_base=platform.url,
        app_id=APP,
        app_secret="secret",
        tokens=keeper,
        timeout=QUICK,
    )


async def notice(api, **changes):
    message = {"openid": OPENID, "template_id": "tmpl-1", "data": {"thing1": "缴费提醒"}}
    await api.send_subscription(**message | changes)


async def mass(api, **changes):
    message = {"openids": [OPENID, "oOther"], "text": "停水", "clientmsgid": "k" * 32}
    return await api.mass_send_openids(**message | changes)


async def test_a_notice_names_its_page_and_carries_no_key(api, platform):
    await notice(api, url="https://example.org/n/1")

    (asked,) = platform.calls(SUBSCRIPTION_SEND)
    assert asked.json == {
        "touser": OPENID,
        "template_id": "tmpl-1",
        "page": "https://example.org/n/1",
        "data": {"thing1": {"value": "缴费提醒"}},
    }


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"errcode": 43101, "errmsg": "user refuse to accept the msg"}, "drop"),
        ({"errcode": 47003, "errmsg": "argument invalid!"}, "config_message"),
        ({"errcode": 45009, "errmsg": "reach max api daily quota limit"}, "retry_later"),
        ({}, "retry_now"),  # treated as -1
        (CUT, "unknown"),
        (SILENCE, "unknown"),
        (HTML_502, "unknown"),
        (EMPTY, "unknown"),
    ],
)
async def test_a_notices_failure_has_its_class(api, platform, answer, failure):
    platform.on(SUBSCRIPTION_SEND, answer)

    with pytest.raises(SendFailed) as caught:
        await notice(api)

    assert caught.value.failure == failure
    assert len(platform.calls(SUBSCRIPTION_SEND)) == 1


async def test_a_mass_send_returns_the_jobs_id(api, platform):
    assert await mass(api) == "34182"

    (asked,) = platform.calls(MASS_SEND)
    assert asked.json == {
        "touser": [OPENID, "oOther"],
        "msgtype": "text",
        "text": {"content": "停水"},
        "clientmsgid": "k" * 32,
    }


async def test_a_mass_send_that_is_there_already_is_the_same_job(api, platform):
    platform.on(MASS_SEND, {"errcode": 45065, "errmsg": "clientmsgid exist", "msg_id": 34182})

    assert await mass(api) == "34182"


@pytest.mark.parametrize(
    ("code", "failure"),
    [(45028, "retry_later"), (45066, "retry_later"), (40130, "config_message"), (48003, "config")],
)
async def test_a_mass_sends_refusal_has_its_class(api, platform, code, failure):
    platform.on(MASS_SEND, {"errcode": code, "errmsg": "refused"})

    with pytest.raises(SendFailed) as caught:
        await mass(api)

    assert caught.value.failure == failure


async def test_a_key_that_is_too_long_is_never_sent(api, platform):
    with pytest.raises(ValueError, match="32 bytes"):
        await mass(api, clientmsgid="k" * 33)

    assert not platform.calls(MASS_SEND)


async def test_a_tag_or_everybody_can_be_meant(api, platform):
    await api.mass_send_tag(tag_id=2, text="停水", clientmsgid="a")
    await api.mass_send_tag(tag_id=None, text="停水", clientmsgid="b")

    tagged, everybody = (asked.json["filter"] for asked in platform.calls(MASS_SEND_ALL))
    assert tagged == {"is_to_all": False, "tag_id": 2}
    assert everybody == {"is_to_all": True}
