"""Calls to the platform over real HTTP, and every way in which it can misbehave."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from config.settings import Settings
from connectors.wechat.answers import fields_of, pieces_of
from connectors.wechat.api import CUSTOM_SEND, TEMPLATE_SEND, WeChatApi
from connectors.wechat.tokens import TokenKeeper
from domain.delivery import SendFailed
from domain.ids import OpenId
from storage.redis.sealing import Sealer
from storage.redis.tokens import RedisTokens
from tests.support.clock import FakeClock
from tests.support.wechat_stub import (
    CUT,
    EMPTY,
    HALF,
    HTML_200,
    HTML_502,
    SILENCE,
    Misbehaviour,
    WeChatStub,
    wechat_stub,
)

APP = "wx0123456789abcdef"
OPENID = OpenId("oAbCd1234567890EfGhIjKlMnOpQ")
TOKEN_PATH = "/cgi-bin/stable_token"
BIG = 3717005636572528642  # larger than a float holds exactly
QUICK = aiohttp.ClientTimeout(total=1.0, connect=0.8)


@pytest.fixture
async def platform() -> AsyncIterator[WeChatStub]:
    async with wechat_stub() as stub:
        stub.on(TEMPLATE_SEND, {"errcode": 0, "errmsg": "ok", "msgid": BIG})
        yield stub


@pytest.fixture
def keeper(
    platform: WeChatStub,
    redis: Redis,
    settings: Settings,
    http: aiohttp.ClientSession,
    clock: FakeClock,
) -> TokenKeeper:
    cache = RedisTokens(redis, Sealer(settings.security.master_key))
    return TokenKeeper(APP, "secret", platform.url, http, cache, clock)


@pytest.fixture
def api(platform: WeChatStub, keeper: TokenKeeper, http: aiohttp.ClientSession) -> WeChatApi:
    return WeChatApi(
        http,
        api_base=platform.url,
        app_id=APP,
        app_secret="secret",
        tokens=keeper,
        timeout=QUICK,
    )


async def send(api: WeChatApi, **changes: Any) -> str:
    message: dict[str, Any] = {
        "openid": OPENID,
        "template_id": "tpl-1",
        "data": {"thing1": "东湖街道停水 😀"},
        "client_msg_id": "bc_1-7",
    }
    return await api.send_template(**message | changes)


async def failure_of(api: WeChatApi, **changes: Any) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        await send(api, **changes)
    return caught.value


# --- template messages ------------------------------------------------------------------------


async def test_a_template_message_goes_out_and_its_64_bit_id_comes_back_as_text(
    api: WeChatApi, platform: WeChatStub
) -> None:
    message_id = await send(api, url="https://example.org/n/1")

    assert message_id == "3717005636572528642"
    (asked,) = platform.calls(TEMPLATE_SEND)
    assert asked.query == {"access_token": "token-1"}
    assert asked.json == {
        "touser": OPENID,
        "template_id": "tpl-1",
        "url": "https://example.org/n/1",
        "client_msg_id": "bc_1-7",
        "data": {"thing1": {"value": "东湖街道停水 😀"}},
    }


async def test_chinese_and_emoji_travel_as_utf8_and_not_as_escapes(
    api: WeChatApi, platform: WeChatStub
) -> None:
    await send(api)

    (asked,) = platform.calls(TEMPLATE_SEND)
    assert "东湖街道停水 😀".encode() in asked.body
    assert rb"\u" not in asked.body
    assert asked.headers["content-type"] == "application/json; charset=utf-8"


async def test_without_a_link_no_url_is_sent(api: WeChatApi, platform: WeChatStub) -> None:
    await send(api)

    assert "url" not in platform.calls(TEMPLATE_SEND)[0].json


async def test_text_that_is_not_unicode_is_the_messages_fault(
    api: WeChatApi, platform: WeChatStub
) -> None:
    failed = await failure_of(api, data={"thing1": "half an emoji \ud83d"})

    assert failed.failure == "config_message"
    assert platform.calls(TEMPLATE_SEND) == []


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"errcode": -1, "errmsg": "system error"}, "retry_now"),
        ({"errcode": 43004, "errmsg": "require subscribe"}, "unreachable"),
        ({"errcode": 43101, "errmsg": "user refuse to accept the msg"}, "drop"),
        ({"errcode": 45011, "errmsg": "api minute-quota reach limit"}, "retry_later"),
        ({"errcode": 40037, "errmsg": "invalid template_id"}, "config"),
        ({"errcode": 47003, "errmsg": "argument invalid! data.thing1.value"}, "config_message"),
        ({"errcode": 987654, "errmsg": "new"}, "drop"),
        ({"errcode": "43004", "errmsg": "a number in quotes"}, "unreachable"),
        ({"errcode": "?", "errmsg": "no number at all"}, "retry_now"),
        ({"something": "else"}, "retry_now"),  # neither errcode nor msgid: as -1
    ],
)
async def test_an_answer_with_a_code_says_how_to_go_on(
    api: WeChatApi, platform: WeChatStub, answer: dict[str, Any], failure: str
) -> None:
    platform.on(TEMPLATE_SEND, answer)

    failed = await failure_of(api)

    assert failed.failure == failure
    assert len(platform.calls(TEMPLATE_SEND)) == 1  # never repeated blindly


@pytest.mark.parametrize(
    "trouble",
    [
        SILENCE,
        CUT,
        HALF,
        EMPTY,
        HTML_200,
        HTML_502,
        Misbehaviour(status=503, body=b'{"errcode":0,"errmsg":"ok","msgid":1}'),
        Misbehaviour(status=404, body=b'{"error":"not found"}'),
        Misbehaviour(status=302, body=b"moved"),
        b"[1, 2]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
async def test_without_a_usable_answer_the_send_may_have_been_carried_out(
    api: WeChatApi, platform: WeChatStub, trouble: Misbehaviour | bytes
) -> None:
    platform.on(TEMPLATE_SEND, trouble)

    failed = await failure_of(api)

    assert (failed.errcode, failed.failure) == (0, "unknown")
    assert len(platform.calls(TEMPLATE_SEND)) == 1


async def test_a_kept_connection_that_was_cut_leaves_the_outcome_unknown(
    api: WeChatApi, platform: WeChatStub
) -> None:
    await send(api)
    platform.on(TEMPLATE_SEND, CUT)

    assert (await failure_of(api)).failure == "unknown"


async def test_when_nobody_listens_nothing_was_sent(
    http: aiohttp.ClientSession, keeper: TokenKeeper, free_port: int
) -> None:
    nowhere = f"http://127.0.0.1:{free_port}"
    api = WeChatApi(http, api_base=nowhere, app_id=APP, app_secret="s", tokens=keeper)

    failed = await failure_of(api)

    assert (failed.errcode, failed.failure) == (0, "retry_now")


async def test_waiting_for_a_connection_of_a_full_pool_means_nothing_was_sent(
    platform: WeChatStub, keeper: TokenKeeper
) -> None:
    await keeper.token()
    platform.on(TEMPLATE_SEND, SILENCE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as narrow:
        api = WeChatApi(
            narrow,
            api_base=platform.url,
            app_id=APP,
            app_secret="s",
            tokens=keeper,
            timeout=aiohttp.ClientTimeout(total=0.5, connect=0.1),
        )
        failures = await asyncio.gather(failure_of(api), failure_of(api))

    assert sorted(failed.failure for failed in failures) == ["retry_now", "unknown"]


async def test_after_a_failed_connection_the_other_name_of_the_platform_is_tried(
    platform: WeChatStub, http: aiohttp.ClientSession, keeper: TokenKeeper, free_port: int
) -> None:
    api = WeChatApi(
        http,
        api_base=f"http://127.0.0.1:{free_port}",
        app_id=APP,
        app_secret="s",
        tokens=keeper,
        fallback=platform.url,
    )

    failed = await failure_of(api)
    message_id = await send(api)

    assert failed.failure == "retry_now"
    assert message_id == str(BIG)


async def test_json_with_broken_characters_and_a_byte_order_mark_is_read(
    api: WeChatApi, platform: WeChatStub
) -> None:
    platform.on(
        TEMPLATE_SEND,
        b'\xef\xbb\xbf{"errcode":0,"errmsg":"o\xff\x01k","msgid":3717005636572528642}',
    )

    assert await send(api) == str(BIG)


async def test_a_success_without_errcode_is_a_success(api: WeChatApi, platform: WeChatStub) -> None:
    platform.on(TEMPLATE_SEND, {"msgid": 5})

    assert await send(api) == "5"


# --- tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_rejected_token_is_renewed_and_the_call_made_once_more(
    api: WeChatApi, platform: WeChatStub, clock: FakeClock, code: int
) -> None:
    await send(api)
    clock.advance(120)
    platform.on(TEMPLATE_SEND, {"errcode": code, "errmsg": "token"}, {"errcode": 0, "msgid": 9})

    assert await send(api, client_msg_id="bc_1-8") == "9"

    sent = platform.calls(TEMPLATE_SEND)[1:]
    assert [asked.query["access_token"] for asked in sent] == ["token-1", "token-2"]
    assert [asked.json["client_msg_id"] for asked in sent] == ["bc_1-8", "bc_1-8"]


async def test_a_platform_that_always_rejects_the_token_gets_a_bounded_number_of_calls(
    api: WeChatApi, platform: WeChatStub, clock: FakeClock, keeper: TokenKeeper
) -> None:
    """Other clients ask for 491 tokens here and then fail with a RecursionError."""
    platform.on(TEMPLATE_SEND, {"errcode": 40001, "errmsg": "invalid credential"})

    failures = []
    for _ in range(60):  # a minute of sends
        failures.append(await failure_of(api))
        clock.advance(1)

    assert {failed.failure for failed in failures} == {"retry_later"}
    assert all(failed.retry_after for failed in failures)
    assert len(platform.calls(TOKEN_PATH)) <= 2
    assert len(platform.calls(TEMPLATE_SEND)) <= 2 * 60  # each once more, and no oftener
    assert keeper.refreshes <= 2


async def test_a_new_token_that_is_rejected_too_ends_the_call(
    api: WeChatApi, platform: WeChatStub, clock: FakeClock
) -> None:
    await send(api)
    clock.advance(120)
    platform.on(TEMPLATE_SEND, {"errcode": 42001, "errmsg": "access_token expired"})

    failed = await failure_of(api)

    assert (failed.errcode, failed.failure) == (42001, "retry_later")
    assert len(platform.calls(TEMPLATE_SEND)) == 3
    assert len(platform.calls(TOKEN_PATH)) == 2


async def test_without_a_token_nothing_is_sent(api: WeChatApi, platform: WeChatStub) -> None:
    platform.on(TOKEN_PATH, {"errcode": 40164, "errmsg": "invalid ip 203.0.113.9"})

    failed = await failure_of(api)

    assert failed.failure == "config"
    assert platform.calls(TEMPLATE_SEND) == []
    with pytest.raises(SendFailed):
        await api.check_token()


async def test_logs_carry_the_rid_and_neither_token_nor_openid(
    api: WeChatApi, platform: WeChatStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret_token = "t" * 136
    platform.on(TOKEN_PATH, {"access_token": secret_token, "expires_in": 7200})
    errmsg = f"invalid openid {OPENID} {secret_token} rid: 65a1b2c3-1f2e3d4c-5b6a7988"
    platform.on(TEMPLATE_SEND, {"errcode": 40003, "errmsg": errmsg}, CUT, SILENCE, HTML_502)

    failures = [await failure_of(api) for _ in range(4)]

    told = " ".join(str(record.__dict__) for record in caplog.records) + str(failures)
    assert "65a1b2c3-1f2e3d4c-5b6a7988" in str(failures[0])
    assert any(getattr(r, "rid", "") == "65a1b2c3-1f2e3d4c-5b6a7988" for r in caplog.records)
    assert OPENID not in told
    assert secret_token not in told
    chain = failures[1].__cause__
    while chain is not None:
        assert secret_token not in str(chain)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


# --- customer-service messages ----------------------------------------------------------------


async def test_a_text_goes_to_the_customer_service_call(
    api: WeChatApi, platform: WeChatStub
) -> None:
    platform.on(CUSTOM_SEND, {"errcode": 0, "errmsg": "ok"})

    await api.send_text(OPENID, "您的停水查询结果：…")

    (asked,) = platform.calls(CUSTOM_SEND)
    assert asked.json == {
        "touser": OPENID,
        "msgtype": "text",
        "text": {"content": "您的停水查询结果：…"},
    }


async def test_a_long_text_goes_out_in_pieces_of_at_most_2048_bytes(
    api: WeChatApi, platform: WeChatStub
) -> None:
    platform.on(CUSTOM_SEND, {"errcode": 0, "errmsg": "ok"})
    text = "\n".join(f"{n:03} 停水通知，请提前储水" for n in range(100))

    await api.send_text(OPENID, text)

    pieces = [asked.json["text"]["content"] for asked in platform.calls(CUSTOM_SEND)]
    assert all(len(piece.encode()) <= 2048 for piece in pieces)
    assert "\n".join(pieces) == text  # cut between lines


def test_a_line_without_end_is_cut_between_characters() -> None:
    text = "😀" * 1000

    pieces = list(pieces_of(text))

    assert "".join(pieces) == text
    assert max(len(piece.encode()) for piece in pieces) <= 2048


async def test_a_closed_window_drops_the_message(api: WeChatApi, platform: WeChatStub) -> None:
    platform.on(CUSTOM_SEND, {"errcode": 45015, "errmsg": "response out of time limit"})

    with pytest.raises(SendFailed) as caught:
        await api.send_text(OPENID, "晚到的结果")

    assert caught.value.failure == "drop"


# --- the account ------------------------------------------------------------------------------


async def test_templates_are_read_with_their_keys_and_kinds(
    api: WeChatApi, platform: WeChatStub
) -> None:
    content = "停水区域:{{thing01.DATA}}\n停水时间：{{time2.DATA}}\n编号:{{character_string3.DATA}}"
    item = {"template_id": "tpl-1", "title": "停水通知", "content": content, "example": "…"}
    platform.on("/cgi-bin/template/get_all_private_template", {"template_list": [item]})

    (template,) = await api.templates()

    assert template.title == "停水通知"
    assert template.keys == ("thing01", "time2", "character_string3")
    assert [field.kind for field in template.fields] == ["thing", "time", "character_string"]
    assert [field.label for field in template.fields] == ["停水区域", "停水时间", "编号"]


def test_blanks_on_one_line_and_old_templates_are_read_too() -> None:
    fields = fields_of(
        "{{first.DATA}}\n时间:{{time2.DATA}} 地点: {{ thing3.DATA }}\n{{remark.DATA}}"
    )

    assert [(field.key, field.label) for field in fields] == [
        ("first", ""),
        ("time2", "时间"),
        ("thing3", "地点"),
        ("remark", ""),
    ]


async def test_a_menu_is_published_with_its_characters_as_they_are(
    api: WeChatApi, platform: WeChatStub
) -> None:
    platform.on("/cgi-bin/menu/create", {"errcode": 0, "errmsg": "ok"})
    menu = {"button": [{"type": "click", "name": "查社保", "key": "query.social"}]}

    await api.create_menu(menu)

    (asked,) = platform.calls("/cgi-bin/menu/create")
    assert asked.json == menu
    assert "查社保".encode() in asked.body


async def test_no_menu_is_an_answer_and_not_an_error(
    api: WeChatApi, platform: WeChatStub, caplog: pytest.LogCaptureFixture
) -> None:
    platform.on(
        "/cgi-bin/menu/get",
        {"errcode": 46003, "errmsg": "menu no exist"},
        {"menu": {"button": [], "menuid": BIG}},
    )

    assert await api.get_menu() is None
    assert await api.get_menu() == {"button": [], "menuid": BIG}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_deleting_the_menu_is_one_call(api: WeChatApi, platform: WeChatStub) -> None:
    platform.on("/cgi-bin/menu/delete", {"errcode": 0, "errmsg": "ok"})

    await api.delete_menu()

    assert platform.calls("/cgi-bin/menu/delete")[0].method == "GET"


async def test_clearing_the_quota_needs_no_token(api: WeChatApi, platform: WeChatStub) -> None:
    platform.on("/cgi-bin/clear_quota/v2", {"errcode": 0, "errmsg": "ok"})

    await api.clear_quota()

    assert platform.calls("/cgi-bin/clear_quota/v2")[0].json == {
        "appid": APP,
        "appsecret": "secret",
    }
    assert platform.calls(TOKEN_PATH) == []


async def test_a_read_without_an_answer_may_simply_be_repeated(
    api: WeChatApi, platform: WeChatStub
) -> None:
    platform.on("/cgi-bin/menu/get", SILENCE)

    with pytest.raises(SendFailed) as caught:
        await api.get_menu()

    assert caught.value.failure == "retry_now"


# --- people -----------------------------------------------------------------------------------


async def test_a_follower_is_described(api: WeChatApi, platform: WeChatStub) -> None:
    platform.on(
        "/cgi-bin/user/info",
        {
            "subscribe": 1,
            "openid": OPENID,
            "nickname": "",
            "subscribe_time": 1700000000,
            "subscribe_scene": "ADD_SCENE_QR_CODE",
            "qr_scene": 0,
            "qr_scene_str": "window_12",
        },
    )

    person = await api.user_info(OPENID)

    assert person.follows
    assert person.followed_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert (person.came_by, person.scene) == ("ADD_SCENE_QR_CODE", "window_12")
    (asked,) = platform.calls("/cgi-bin/user/info")
    assert asked.query == {"access_token": "token-1", "openid": OPENID, "lang": "zh_CN"}


async def test_of_somebody_who_left_only_the_openid_is_told(
    api: WeChatApi, platform: WeChatStub
) -> None:
    platform.on("/cgi-bin/user/info", {"subscribe": 0, "openid": OPENID})

    person = await api.user_info(OPENID)

    assert not person.follows
    assert person.followed_at is None


async def test_the_follower_list_ends_with_an_empty_page(
    api: WeChatApi, platform: WeChatStub
) -> None:
    platform.on(
        "/cgi-bin/user/get",
        {"total": 2, "count": 2, "data": {"openid": ["oA", "oB"]}, "next_openid": "oB"},
        {"total": 2, "count": 0, "next_openid": ""},
    )

    first = await api.followers()
    last = await api.followers(first.next_openid)

    assert (first.total, first.openids, first.next_openid) == (2, ("oA", "oB"), "oB")
    assert (last.openids, last.next_openid) == ((), "")
    asked = platform.calls("/cgi-bin/user/get")
    assert [call.query.get("next_openid", "") for call in asked] == ["", "oB"]


@pytest.mark.parametrize(
    ("expires", "action"),
    [(timedelta(days=7), "QR_STR_SCENE"), (None, "QR_LIMIT_STR_SCENE")],
)
async def test_a_code_is_made_for_a_scene(
    api: WeChatApi, platform: WeChatStub, expires: timedelta | None, action: str
) -> None:
    platform.on("/cgi-bin/qrcode/create", {"ticket": "gQ+H=/x", "url": "http://weixin.qq.com/q/1"})

    code = await api.create_qr("window_12", expires)

    (asked,) = platform.calls("/cgi-bin/qrcode/create")
    assert asked.json["action_name"] == action
    assert asked.json["action_info"] == {"scene": {"scene_str": "window_12"}}
    assert asked.json.get("expire_seconds") == (604800 if expires else None)
    assert code.picture == f"{platform.url}/cgi-bin/showqrcode?ticket=gQ%2BH%3D%2Fx"


async def test_the_official_platform_shows_its_codes_under_another_name(
    http: aiohttp.ClientSession, keeper: TokenKeeper
) -> None:
    api = WeChatApi(
        http,
        api_base="https://api.weixin.qq.com",
        app_id=APP,
        app_secret="s",
        tokens=keeper,
    )

    assert api.picture_of("t/1") == "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=t%2F1"


async def test_the_quota_of_a_call_is_read_with_its_rate(
    api: WeChatApi, platform: WeChatStub
) -> None:
    platform.on(
        "/cgi-bin/openapi/quota/get",
        {
            "errcode": 0,
            "errmsg": "ok",
            "quota": {"daily_limit": 500_000, "used": 3, "remain": 499_997},
            "rate_limit": {"call_count": 5600, "refresh_second": 60},
        },
    )

    quota = await api.quota()

    assert platform.calls("/cgi-bin/openapi/quota/get")[0].json == {"cgi_path": TEMPLATE_SEND}
    assert (quota.daily_limit, quota.used) == (500_000, 3)
    assert quota.per_second == pytest.approx(93.33, abs=0.01)


async def test_a_quota_without_a_rate_names_none(api: WeChatApi, platform: WeChatStub) -> None:
    platform.on(
        "/cgi-bin/openapi/quota/get",
        {"errcode": 0, "quota": {"daily_limit": 100, "used": 0, "remain": 100}},
    )

    assert (await api.quota()).per_second is None
