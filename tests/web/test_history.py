"""Histories and digests over real HTTP: masked, by scope and account, behind sealed links."""

from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from config.settings import Settings
from domain.ids import OpenId
from storage.mongo.api_keys import MongoApiKeys
from templates.environment import Renderer
from tests.push.conftest import make_engine, platform  # noqa: F401  # fixtures
from tests.support.push import CITY, Engine, FlowingClock
from tests.support.web import serving

Get = Callable[..., Any]


@pytest.fixture
def clock() -> FlowingClock:
    return FlowingClock()


@pytest.fixture
async def engine(make_engine) -> Engine:  # noqa: F811
    return await make_engine()


@pytest.fixture
async def keys(engine: Engine) -> MongoApiKeys:
    return MongoApiKeys(engine.database)


@pytest.fixture
async def site(engine: Engine, keys: MongoApiKeys, settings: Settings) -> AsyncIterator[str]:
    ctx = SimpleNamespace(
        settings=settings,
        history=engine.history,
        links=engine.links,
        digest_pages=engine.digest_pages,
        subscriptions=engine.subscriptions,
        api_keys=keys,
        clock=engine.clock,
        renderer=Renderer(),
    )
    async with serving(ctx, settings.server.port) as url:
        yield url


@pytest.fixture
async def get(
    site: str, http: aiohttp.ClientSession, keys: MongoApiKeys, clock: FlowingClock
) -> Get:
    async def fetch(path: str, *scopes: str) -> SimpleNamespace:
        key = await keys.create(CITY, "信息中心", scopes, now=clock.now()) if scopes else ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with http.get(f"{site}{path}", headers=headers) as answer:
            return SimpleNamespace(
                status=answer.status, text=await answer.text(), headers=answer.headers
            ) if not path.startswith("/api") else SimpleNamespace(
                status=answer.status, json=await answer.json(content_type=None)
            )  # fmt: skip

    return fetch


@pytest.fixture
async def openid(engine: Engine) -> OpenId:
    """Somebody who got two messages."""
    (openid,) = await engine.follow(1)
    for _ in range(2):
        broadcast = await engine.begin()
        async with engine.working():
            await engine.finished(broadcast)
    return openid


async def test_a_department_reads_a_masked_history_and_the_look_is_noted(
    get: Get, openid: OpenId, caplog: pytest.LogCaptureFixture
):
    path = f"/api/v1/subscribers/{openid}/history?account=city"

    with caplog.at_level("INFO", "audit"):
        answer = await get(path, "history:read")

    assert answer.status == 200
    assert answer.json["openid"] == "o000…"
    assert openid not in str(answer.json)
    assert [item["outcome"] for item in answer.json["items"]] == ["已发送，暂无送达回执"] * 2
    assert answer.json["items"][0]["topics"] == [
        {"topic": "outage.water", "title": "停水通知", "count": 1}
    ]
    assert "园岭街道" not in str(answer.json)
    (record,) = [each for each in caplog.records if each.message == "audit.read"]
    assert record.account == CITY
    assert "信息中心" in record.actor
    assert openid not in str(vars(record))


async def test_pages_are_asked_for_with_what_the_answer_says(get: Get, openid: OpenId):
    path = f"/api/v1/subscribers/{openid}/history?account=city&limit=1"

    first = (await get(path, "history:read")).json
    second = (await get(f"{path}&before={first['before']}", "history:read")).json

    assert first["items"] != second["items"]
    assert len(first["items"]) == len(second["items"]) == 1


async def test_a_key_needs_the_scope_and_the_account(get: Get, openid: OpenId):
    path = f"/api/v1/subscribers/{openid}/history"

    assert (await get(f"{path}?account=city", "broadcasts:write")).status == 403
    assert (await get(f"{path}?account=plain", "history:read")).status == 403
    assert (await get(f"{path}?account=city")).status == 401


@pytest.mark.parametrize("query", ["", "account=city&limit=0", "account=city&before=yesterday"])
async def test_what_is_wrong_with_the_question_is_named(get: Get, query: str):
    answer = await get(f"/api/v1/subscribers/oA/history?{query}", "history:read")

    assert answer.status == 422
    assert answer.json["code"] == "invalid_request"


async def test_a_stranger_has_an_empty_history(get: Get):
    answer = await get("/api/v1/subscribers/oNobody/history?account=city", "history:read")

    assert (answer.status, answer.json["items"]) == (200, [])


async def test_the_citizens_page_shows_topics_times_and_outcomes_only(
    get: Get, engine: Engine, openid: OpenId
):
    path = engine.links.to_history(CITY, openid).split("/h5/")[1]

    answer = await get(f"/h5/{path}")

    assert answer.status == 200
    assert answer.text.count("<h2>停水通知</h2>") == 2
    assert "已发送，暂无送达回执" in answer.text
    assert openid not in answer.text
    assert "园岭街道" not in answer.text
    assert "noindex" in answer.headers["X-Robots-Tag"]


async def test_a_citizen_who_chose_large_print_sees_it_large(
    get: Get, engine: Engine, openid: OpenId
):
    await engine.subscriptions.set_large_print(CITY, openid, True)
    path = engine.links.to_history(CITY, openid).split("/h5/")[1]

    assert '<html lang="zh-CN" class="large">' in (await get(f"/h5/{path}")).text
    assert 'class="large"' not in (await get(f"/h5/{path}?large=0")).text


@pytest.mark.parametrize("page", ["digest", "history"])
async def test_a_link_that_is_over_or_invented_says_what_to_do(get: Get, page: str):
    answer = await get(f"/h5/city/{page}/{'A' * 80}")

    assert answer.status == 404
    assert "我的通知" in answer.text


async def test_a_link_of_one_account_opens_nothing_in_another(
    get: Get, engine: Engine, openid: OpenId
):
    path = engine.links.to_history(CITY, openid).split("/h5/city/")[1]

    assert (await get(f"/h5/plain/{path}")).status == 404
