"""Departments on bad days: slow, failing, broken, huge; and who asks is proven."""

import asyncio
import contextlib
import hashlib
import hmac
import logging

import pytest
from aiohttp import web
from pydantic import BaseModel

from config.settings import DepartmentSettings
from connectors.http import BUDGET_SECONDS, Department, DepartmentClient, Refusal
from domain.errors import BrokenContract, DepartmentError, DepartmentTimeout
from tests.support.department_server import stub_department

OFFICE = Department(key="social", title="社保局", hotline="12333")
GOOD = b'{"count": 1}'


class Answer(BaseModel):
    count: int


@pytest.fixture
def client_of(http, clock):
    """Build a client for an address."""

    def build(url: str | None, *, secret: str | None = None, budget: float = 1.0):
        settings = DepartmentSettings(base_url=url, secret=secret) if url else None
        return DepartmentClient(http, OFFICE, settings, clock, budget=budget)

    return build


async def hang(_: web.Request) -> web.Response:
    """Never answer."""
    await asyncio.Event().wait()
    return web.Response()


async def cut(request: web.Request) -> web.Response:
    """Break the connection in the middle of the answer."""
    request.transport.abort()
    return web.Response()


async def flood(request: web.Request) -> web.StreamResponse:
    """Answer far more than anybody agreed to."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):  # the caller is right to hang up
        for _ in range(64):
            await response.write(b" " * 64 * 1024)
    return response


def test_the_budget_leaves_time_before_wechat_gives_up():
    assert BUDGET_SECONDS == 3.0


async def test_a_slow_department_is_given_up_within_the_budget(client_of):
    async with stub_department(hang) as office, asyncio.timeout(2):
        with pytest.raises(DepartmentTimeout) as caught:
            await client_of(office.url, budget=0.2).get("/record", Answer)

    assert "12333" in caught.value.say
    assert len(office.requests) == 1


@pytest.mark.parametrize("trouble", [500, 502, 503, cut])
async def test_a_quick_failure_is_tried_once_more(client_of, trouble):
    async with stub_department(trouble, GOOD) as office:
        answer = await client_of(office.url).get("/record", Answer)

    assert answer.count == 1
    assert len(office.requests) == 2


async def test_two_failures_are_enough(client_of):
    async with stub_department(500) as office:
        with pytest.raises(DepartmentTimeout):
            await client_of(office.url).query("/record", Answer, {"id": "1"})

    assert len(office.requests) == 2


async def test_an_address_where_nobody_listens_is_a_department_away(client_of, free_port):
    with pytest.raises(DepartmentTimeout):
        await client_of(f"http://127.0.0.1:{free_port}").get("/record", Answer)


async def test_a_department_without_settings_answers_with_its_hotline(client_of):
    with pytest.raises(DepartmentError) as caught:
        await client_of(None).get("/record", Answer)

    assert "12333" in caught.value.say
    assert "[departments.social]" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [b"", b"{", b"[]", b'{"count": "many"}', b"[" * 100_000, b"\xff\xfe", b"<html>", flood],
)
async def test_an_answer_that_was_not_agreed_raises_the_alarm_once(client_of, caplog, answer):
    async with stub_department(answer) as office:
        with pytest.raises(BrokenContract):
            await client_of(office.url).get("/record", Answer)

    assert len(office.requests) == 1
    alarms = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert alarms == ["department.broken_contract"]


async def test_a_refusal_carries_its_reason_and_is_not_tried_again(client_of):
    async with stub_department((403, "not_authorised")) as office:
        with pytest.raises(Refusal) as caught:
            await client_of(office.url).get("/record", Answer)

    assert caught.value.reason == "not_authorised"
    assert len(office.requests) == 1


async def test_a_refusal_without_a_reason_and_a_redirect_were_not_agreed(client_of):
    for status in (403, 302):
        async with stub_department(status) as office:
            with pytest.raises(BrokenContract):
                await client_of(office.url).get("/record", Answer)


async def test_after_five_failures_a_department_is_left_alone(client_of):
    async with stub_department(500) as office:
        client = client_of(office.url)
        for _ in range(5):
            with pytest.raises(DepartmentTimeout):
                await client.get("/record", Answer)
        asked = len(office.requests)

        with pytest.raises(DepartmentTimeout):
            await client.get("/record", Answer)

    assert client.breaker.is_open
    assert len(office.requests) == asked


async def test_after_its_rest_one_probe_decides(client_of, clock):
    async with stub_department(*[500] * 10, GOOD) as office:
        client = client_of(office.url)
        for _ in range(5):
            with pytest.raises(DepartmentTimeout):
                await client.get("/record", Answer)
        clock.advance(16)

        assert (await client.get("/record", Answer)).count == 1
        assert not client.breaker.is_open


async def test_while_the_probe_is_out_nobody_else_is_let_through(client_of, clock):
    release = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response(body=GOOD)

    async with stub_department(*[500] * 10, wait) as office:
        client = client_of(office.url)
        for _ in range(5):
            with pytest.raises(DepartmentTimeout):
                await client.get("/record", Answer)
        clock.advance(16)
        probe = asyncio.create_task(client.get("/record", Answer))
        await office.asked(11)

        with pytest.raises(DepartmentTimeout):
            await client.get("/record", Answer)
        release.set()

        assert (await probe).count == 1


async def test_a_cancelled_probe_gives_its_place_back(client_of, clock):
    async with stub_department(*[500] * 10, hang, GOOD) as office:
        client = client_of(office.url)
        for _ in range(5):
            with pytest.raises(DepartmentTimeout):
                await client.get("/record", Answer)
        clock.advance(16)
        probe = asyncio.create_task(client.get("/record", Answer))
        await office.asked(11)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe

        assert (await client.get("/record", Answer)).count == 1


async def test_refusals_do_not_count_as_failures(client_of):
    async with stub_department((422, "bad_input")) as office:
        client = client_of(office.url)
        for _ in range(7):
            with pytest.raises(Refusal):
                await client.get("/record", Answer)

    assert len(office.requests) == 7


async def test_a_persons_data_never_stands_in_the_address(client_of):
    async with stub_department(GOOD) as office:
        await client_of(office.url).query("/record", Answer, {"id": "990101199001010019"})

    assert office.requests[0].method == "POST"
    assert "990101" not in str(office.requests[0].rel_url)
    assert b"990101199001010019" in office.bodies[0]


async def test_a_question_is_signed_over_what_when_and_once(client_of, clock):
    async with stub_department(GOOD) as office:
        client = client_of(office.url, secret="shared")
        await client.get("/outages", Answer, region="440304", utility="水")
        await client.query("/record", Answer, {"id": "1"})

    nonces = set()
    for request, body in zip(office.requests, office.bodies, strict=True):
        stamp, nonce = request.headers["X-Wz-Timestamp"], request.headers["X-Wz-Nonce"]
        digest = hashlib.sha256(body).hexdigest()
        text = "\n".join([request.method, request.raw_path, stamp, nonce, digest])
        right = hmac.new(b"shared", text.encode(), hashlib.sha256).hexdigest()
        assert request.headers["X-Wz-Signature"] == right
        assert stamp == str(int(clock.now().timestamp()))
        nonces.add(nonce)
    assert len(nonces) == 2


async def test_without_a_secret_nothing_is_signed(client_of):
    async with stub_department(GOOD) as office:
        await client_of(office.url).get("/outages", Answer)

    assert "X-Wz-Signature" not in office.requests[0].headers
