"""The callback over HTTP: honest pushes are answered, hostile ones meet a short refusal."""

import asyncio
import logging
from io import BytesIO
from urllib.parse import urlencode, urlsplit

import pytest

from domain.conversation import Answer, Inbound, MenuClick
from tests.support.wechat import Platform, sha1

BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<xml><ToUserName>g</ToUserName><FromUserName>o</FromUserName><CreateTime>1</CreateTime>"
    "<MsgType>text</MsgType><Content>&b;</Content></xml>"
)


@pytest.fixture(params=["city", "both", "plain"])
def platform(request, settings, clock) -> Platform:
    return Platform(settings.account(request.param), clock)


@pytest.fixture
def safe(settings, clock) -> Platform:
    return Platform(settings.account("city"), clock)


@pytest.fixture
def post(http, site):
    """Send one request as it is and return status and body."""

    async def send(platform: Platform, query, body, method: str = "POST", **headers: str):
        address = f"{site}/wechat/{platform.account.id}?{urlencode(query, doseq=True)}"
        data = BytesIO(body) if isinstance(body, bytes) else body
        async with http.request(method, address, data=data, headers=headers) as response:
            return response.status, await response.read()

    return send


@pytest.fixture
def say(post):
    """Send a push as the platform does and return the fields of the reply."""

    async def send(platform: Platform, xml: str):
        status, body = await post(platform, *platform.wrap(xml))
        assert status == 200, body
        return platform.read(body)

    return send


# --- honest -------------------------------------------------------------------------------


async def test_a_text_is_answered_in_every_mode(platform, say):
    reply = await say(platform, platform.text("停水 ]]> 😀".replace("]]>", "")))

    assert reply["Content"] == "听到：停水  😀"
    assert reply["ToUserName"] == platform.openid


async def test_an_event_without_an_answer_gets_success(safe, post, talk):
    click = safe.event("<Event>CLICK</Event><EventKey>query.social</EventKey>")

    assert await post(safe, *safe.wrap(click)) == (200, b"success")
    assert isinstance(talk.heard[0], MenuClick)


async def test_the_address_is_verified_by_an_echo(platform, post):
    query = platform.query(echostr="5837397550", signature=platform.query()["signature"])

    assert await post(platform, query, None, "GET") == (200, b"5837397550")
    assert (await post(platform, {**query, "nonce": "1"}, None, "GET"))[0] == 403
    assert (await post(platform, {"echostr": "1"}, None, "GET"))[0] == 403


async def test_a_repeated_push_gets_its_answer_and_runs_nothing(platform, post, talk, clock):
    query, body = platform.wrap(platform.text("hi"))
    _, first = await post(platform, query, body)
    clock.advance(590)

    _, again = await post(platform, query, body)

    assert platform.read(again)["Content"] == platform.read(first)["Content"]
    assert len(talk.heard) == 1


async def test_a_push_replayed_after_its_time_is_refused(platform, post, talk, clock):
    query, body = platform.wrap(platform.text("hi"))
    clock.advance(601)

    assert (await post(platform, query, body))[0] == 403
    assert talk.heard == []


async def test_a_handler_that_fails_is_an_apology_not_a_server_error(safe, say, talk):
    async def fails(message: Inbound, session) -> Answer:
        raise RuntimeError("secret detail")

    talk.answerer = fails

    reply = await say(safe, safe.text("hi"))

    assert "12345" in reply["Content"]
    assert "secret" not in reply["Content"]


async def test_security_headers_and_no_server_name(http, site, safe):
    query, body = safe.wrap(safe.text("hi"))
    async with http.post(f"{site}/wechat/city?{urlencode(query)}", data=body) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Type"].startswith("text/xml")
        assert "Server" not in response.headers


# --- hostile ------------------------------------------------------------------------------


HOSTILE = [
    b"",
    b"hello",
    b'{"a": 1}',
    b"<xml>",
    b"\xff\xfe\x00",
    b"<xml><FromUserName>\x00</FromUserName></xml>",
    b"<xml><FromUserName>\xc3\x28</FromUserName></xml>",
    b"<xml></xml>",
    b"<xml><MsgType>text</MsgType></xml>",
    BOMB.encode(),
    b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x"><xml></xml>',
    b"<xml>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</xml>",
    b"<xml>" + b"<a/>" * 50_000 + b"</xml>",
    b"A" * 3_000_000,
    b"<xml>" + b"<Content>" + b"x" * 3_000_000 + b"</Content></xml>",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_signed_but_hostile_body_is_refused(platform, post, talk, body):
    query = platform.query(msg_signature=platform.query()["signature"])

    status, said = await post(platform, query, body)

    assert status in {400, 403, 413}
    assert len(said) < 100
    assert talk.heard == []


@pytest.mark.parametrize("inner", HOSTILE[1:11])
async def test_a_hostile_body_inside_a_right_envelope_is_refused(safe, post, talk, inner):
    text = inner.decode("latin-1")

    status, _ = await post(safe, *safe.wrap(text))

    assert status in {400, 403}
    assert talk.heard == []


async def test_safe_mode_believes_nothing_unsigned_plain_or_wrongly_signed(safe, post, talk):
    query, body = safe.wrap(safe.text("hi"))
    plain = safe.text("hi").encode()
    other, _ = safe.wrap(safe.text("other"))
    attempts = [
        ({}, body),
        ({}, plain),
        (safe.query(), plain),
        (safe.query(encrypt_type="raw"), plain),
        ({**query, "msg_signature": "0" * 40}, body),
        ({**query, "msg_signature": other["msg_signature"]}, body),
        ({name: value for name, value in query.items() if name != "msg_signature"}, body),
    ]

    statuses = [(await post(safe, *attempt))[0] for attempt in attempts]

    assert statuses == [403] * len(attempts)
    assert talk.heard == []


async def test_a_push_for_another_account_is_refused(settings, clock, safe, post, talk):
    other = Platform(settings.account("both"), clock)

    assert (await post(safe, *other.wrap(other.text("hi"))))[0] == 403
    assert talk.heard == []


async def test_an_unknown_account_is_not_found(http, site, safe):
    query, body = safe.wrap(safe.text("hi"))
    for path in ("nowhere", "CITY", "city/x", "%00", "中"):
        async with http.post(f"{site}/wechat/{path}?{urlencode(query)}", data=body) as response:
            assert response.status == 404


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce", "openid"])
async def test_a_parameter_given_twice_is_refused(platform, post, talk, name):
    query, body = platform.wrap(platform.text("hi"))

    status, _ = await post(platform, {**query, name: [query[name], query[name]]}, body)

    assert status == 400
    assert talk.heard == []


async def test_odd_queries_are_refused(http, site, safe, talk):
    _, body = safe.wrap(safe.text("hi"))
    for query in ("", "?", "%", "signature=%ff&timestamp=1", "timestamp=²&nonce=1", "&&&==="):
        async with http.post(f"{site}/wechat/city?{query}", data=body) as response:
            assert response.status in {400, 403}
    assert talk.heard == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_not_allowed(safe, post, method):
    assert (await post(safe, safe.query(), b"x", method))[0] == 405


async def test_a_large_chunked_body_is_read_to_its_end_and_refused(safe, post, talk):
    async def chunks():
        for _ in range(64):
            yield b"x" * 65536

    assert (await post(safe, safe.query(), chunks()))[0] == 413
    assert talk.heard == []


async def test_a_large_body_on_get_is_refused(safe, post):
    query = safe.query(echostr="1")

    assert (await post(safe, query, b"x" * 2_000_000, "GET"))[0] == 413


async def raw(site: str, request: bytes, *, then_close: bool = False) -> bytes:
    """Send bytes as they are and return what comes back until the end."""
    parts = urlsplit(site)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request)
    if then_close:
        writer.write_eof()
    async with asyncio.timeout(5):
        got = await reader.read(65536)
    writer.close()
    return got


async def test_a_content_length_that_lies_harms_nobody(site, safe, say, talk):
    head = b"POST /wechat/city?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: "

    short = await raw(site, head + b"100000\r\n\r\nabc", then_close=True)
    huge = await raw(site, head + b"99999999999\r\n\r\nabc")
    odd = await raw(site, head + b"-5\r\n\r\nabc")

    assert short == b""
    assert huge.startswith(b"HTTP/1.1 400")
    assert odd.startswith(b"HTTP/1.1 400")
    assert talk.heard == []
    assert (await say(safe, safe.text("hi")))["Content"] == "听到：hi"


async def test_a_compatible_body_is_believed_only_in_its_encrypted_part(settings, clock, say, post):
    platform = Platform(settings.account("both"), clock)
    query, body = platform.wrap(platform.text("真"))

    status, reply = await post(platform, query, body.replace("真".encode(), "假".encode()))
    clear_only = await post(platform, query, platform.text("假").encode())

    assert (status, platform.read(reply)["Content"]) == (200, "听到：真")
    assert clear_only[0] == 403


async def test_a_plain_signature_made_with_another_token_is_refused(settings, clock, post, talk):
    plain = Platform(settings.account("plain"), clock)
    query, body = plain.wrap(plain.text("hi"))
    forged = sha1("tokencity", query["timestamp"], query["nonce"])

    assert (await post(plain, {**query, "signature": forged}, body))[0] == 403
    assert talk.heard == []


async def test_logs_hold_neither_openids_nor_signatures_nor_texts(safe, say, post, caplog):
    caplog.set_level(logging.DEBUG)
    query, body = safe.wrap(safe.text("我的身份证号"))
    await post(safe, query, body)
    await post(safe, {**query, "msg_signature": "0" * 40}, body)

    written = " ".join(str(record.__dict__) for record in caplog.records)
    assert "callback.refused" in caplog.messages
    assert safe.openid not in written
    assert query["signature"] not in written
    assert query["msg_signature"] not in written
    assert "身份证" not in written
