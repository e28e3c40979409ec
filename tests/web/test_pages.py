"""Late answers, health, metrics, errors and the headers of every page."""

import re
from io import BytesIO

import pytest
from tornado.web import url

from domain.conversation import Answer
from domain.errors import InvalidInput
from domain.ids import AccountId
from tests.support.wechat import Platform
from web import app
from web.base import ApiPage, Problem
from web.late import split_links

CITY = AccountId("city")


@pytest.fixture
def get(http, site):
    async def fetch(path: str, **options):
        async with http.get(f"{site}{path}", **options) as response:
            return response.status, await response.text(), response.headers

    return fetch


# --- late answers -------------------------------------------------------------------------


async def test_a_pending_answer_refreshes_by_itself_until_it_is_there(ctx, get):
    token = ctx.late_results.new_token()
    await ctx.late_results.announce(CITY, token)
    status, pending, _ = await get(f"/h5/city/late/{token}")
    await ctx.late_results.put(CITY, token, "余额 1,234.56 元")
    _, done, _ = await get(f"/h5/city/late/{token}")

    assert status == 200
    assert 'http-equiv="refresh"' in pending
    assert "正在为您查询" in pending
    assert "余额 1,234.56 元" in done
    assert 'http-equiv="refresh"' not in done


async def test_an_answer_that_was_lost_says_what_to_do(ctx, get, clock):
    token = ctx.late_results.new_token()
    await ctx.late_results.announce(CITY, token)
    clock.advance(90)

    _, text, _ = await get(f"/h5/city/late/{token}")

    assert "请回到对话里再发一次" in text
    assert "12345" in text


async def test_a_late_page_is_for_its_reader_only(ctx, get):
    token = ctx.late_results.new_token()
    await ctx.late_results.put(CITY, token, "x")

    status, _, headers = await get(f"/h5/city/late/{token}")
    foreign, said, _ = await get(f"/h5/plain/late/{token}")
    guessed, _, _ = await get(f"/h5/city/late/{'A' * 22}")

    assert (status, foreign, guessed) == (200, 404, 404)
    assert "12345" in said
    assert "noindex" in headers["X-Robots-Tag"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


async def test_markup_in_an_answer_stays_text_and_its_links_work(ctx, get):
    token = ctx.late_results.new_token()
    await ctx.late_results.put(
        CITY,
        token,
        '<script>alert(1)</script> <a href="https://example.org/?a=1&b=2">指南</a> '
        '<a href="javascript:alert(1)">坏</a>',
    )

    _, text, _ = await get(f"/h5/city/late/{token}")

    assert "<script>" not in text
    assert '<a href="https://example.org/?a=1&amp;b=2"' in text
    assert "javascript:" not in text
    assert "坏" in text


def test_links_are_split_from_text():
    pieces = split_links('先<a href="https://e/1">一</a>后<a href="weixin://x">二</a>')

    assert pieces == [("先", ""), ("一", "https://e/1"), ("后", ""), ("二", "")]


async def test_a_long_answer_in_the_chat_links_to_the_whole_page(ctx, get, talk, http, settings):
    async def long(message, session) -> Answer:
        return Answer("text", "停水通知\n" * 400 + "最后一行")

    talk.answerer = long
    platform = Platform(settings.account("plain"), ctx.dispatcher._clock)
    query, body = platform.wrap(platform.text("hi"))
    address = f"{settings.server.public_url}/wechat/plain"
    async with http.post(address, params=query, data=body) as response:
        content = platform.read(await response.read())["Content"]

    link = re.search(r'href="([^"]+)"', content)[1]
    _, page, _ = await get(link.removeprefix(settings.server.public_url))

    assert len(content.encode()) <= 2048
    assert "最后一行" not in content
    assert "最后一行" in page


# --- operations ---------------------------------------------------------------------------


async def test_alive_and_ready(ctx, get):
    assert (await get("/healthz"))[0] == 200
    assert (await get("/readyz"))[0] == 200

    ctx.troubles["redis"] = "no answer"
    status, text, _ = await get("/readyz")

    assert status == 503
    assert "no answer" in text


async def test_callbacks_are_counted_by_account_kind_and_outcome(get, http, site, settings, clock):
    platform = Platform(settings.account("plain"), clock)
    query, body = platform.wrap(platform.text("hi"))
    async with http.post(f"{site}/wechat/plain", params=query, data=body):
        pass
    async with http.post(f"{site}/wechat/plain", params={}, data=body):
        pass

    _, text, headers = await get("/metrics")

    assert headers["Content-Type"].startswith("text/plain")
    counted = 'weizheng_callbacks_total{account="plain",kind="TextMessage",outcome="text"}'
    assert counted in text
    assert 'outcome="refused"' in text
    assert 'weizheng_handler_seconds_bucket{account="plain"' in text


async def test_counters_are_scraped_while_the_ledger_cannot_be_read(get):
    status, text, _ = await get("/metrics")

    assert status == 200
    assert "weizheng_push_ledger_readable 0.0" in text
    assert "weizheng_push_batches{" not in text
    assert "weizheng_push_send_seconds" in text


# --- errors and headers -------------------------------------------------------------------


class Broken(ApiPage):
    """Fails in every way a page can."""

    async def get(self, how: str) -> None:
        if how == "problem":
            raise Problem(
                401, "no_key", "a key is needed", headers={"WWW-Authenticate": "Bearer"}, hint="x"
            )
        if how == "input":
            raise InvalidInput("请写区域代码。", field="region")
        raise RuntimeError("secret detail")

    async def post(self, how: str) -> None:
        self.answer({"read": self.read_json()}, 201)


@pytest.fixture
def with_broken_pages(monkeypatch):
    """Mount the pages above as a feature's own module would."""
    monkeypatch.setattr(app.ops, "routes", [*app.ops.routes, url(r"/broken/(\w+)", Broken)])


@pytest.mark.usefixtures("with_broken_pages")
class TestProblems:
    async def test_a_problem_has_its_code_detail_members_and_headers(self, http, site):
        async with http.get(f"{site}/broken/problem") as response:
            problem = await response.json(content_type="application/problem+json")
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
        assert problem == {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "code": "no_key",
            "detail": "a key is needed",
            "hint": "x",
        }

    async def test_a_mistake_names_its_field(self, http, site):
        async with http.get(f"{site}/broken/input") as response:
            problem = await response.json(content_type="application/problem+json")
        assert (problem["status"], problem["code"]) == (422, "invalid_input")
        assert problem["field"] == "region"

    async def test_what_nobody_foresaw_has_a_reference_and_no_detail(self, http, site, caplog):
        async with http.get(f"{site}/broken/otherwise") as response:
            problem = await response.json(content_type="application/problem+json")
        (record,) = [r for r in caplog.records if r.message == "web.failed"]
        assert problem["status"] == 500
        assert problem["reference"] == record.reference
        assert "secret" not in str(problem)

    async def test_json_is_read_or_refused(self, http, site):
        async with http.post(f"{site}/broken/x", data=b'{"a": 1}') as response:
            assert (response.status, await response.json()) == (201, {"read": {"a": 1}})
        async with http.post(f"{site}/broken/x", data=b"{") as response:
            assert response.status == 400
        async with http.post(f"{site}/broken/x", data=BytesIO(b"x" * 1_100_000)) as response:
            assert response.status == 413


async def test_an_unknown_address_is_a_page_in_chinese_or_a_problem(get):
    status, text, headers = await get("/nowhere")
    assert status == 404
    assert "无法显示" in text
    assert headers["X-Frame-Options"] == "DENY"

    status, text, headers = await get("/api/v1/nowhere")
    assert status == 404
    assert headers["Content-Type"].startswith("application/problem+json")


async def test_style_sheets_are_served_with_the_same_headers(get):
    status, _, headers = await get("/static/citizen/page.css")

    assert status == 200
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert (await get("/static/../config/settings.toml"))[0] in {403, 404}


def test_every_route_says_what_it_is_for():
    found = app.http_routes()

    assert ("GET POST", r"/wechat/([a-z0-9][a-z0-9_-]{0,31})") in {row[:2] for row in found}
    assert all(methods and path and purpose for methods, path, purpose in found)
