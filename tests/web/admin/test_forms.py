"""How a page of the console reads its form: what it refuses, and what it says beside the fields."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field, field_validator
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from runtime.context import open_context
from tests.support.console import Console, open_console
from web.admin.base import AdminPage
from web.admin.forms import BeijingTime, FormRefused
from web.admin.table import route
from web.app import SERVER_OPTIONS, make_app


class Notice(BaseModel):
    title: str = Field(min_length=1, max_length=20)
    copies: int = Field(1, ge=1, le=9)
    at: BeijingTime | None = None
    level: Literal["normal", "urgent"] = "normal"
    regions: list[str] = []

    @field_validator("title")
    @classmethod
    def _speaks(cls, value: str) -> str:
        if value == "测试":
            raise ValueError("标题不能只写“测试”。")
        return value


class NoticePage(AdminPage):
    """A page with a form, for these tests only."""

    taken: ClassVar[list[Notice]] = []

    async def get(self) -> None:
        self.page("admin/home.html")

    async def post(self) -> None:
        self.taken.append(self.form(Notice))
        self.flash("已保存。")
        self.go("home")

    async def again(self, refused: FormRefused) -> None:
        self.page("admin/home.html", values=refused.values, errors=refused.errors)


PAGE = "/admin/a/city/notice-of-tests"
RIGHT: dict[str, Any] = {"title": "停水通知"}


@pytest.fixture
async def console(settings, mongo, redis, clock) -> AsyncIterator[Console]:
    """The console with one page more."""
    one = route(
        "/admin/a/{account}/notice-of-tests", NoticePage, "notice-of-tests",
        get="broadcasts.read", post="broadcasts.write",
    )  # fmt: skip
    NoticePage.taken = []
    async with open_context(settings, clock) as ctx:
        server = HTTPServer(make_app(ctx, [one.spec()]), **SERVER_OPTIONS)
        server.add_sockets(bind_sockets(settings.server.port, "127.0.0.1"))
        async with open_console(ctx, f"http://127.0.0.1:{settings.server.port}") as opened:
            yield opened
        server.stop()
        await server.close_all_connections()


async def test_a_form_is_taken_once_with_its_values_and_leads_on(console: Console):
    editor = await console.as_(("editor",))
    form = {**RIGHT, "at": "2026-12-01T09:00", "regions": ["440304", "440305"], "copies": "2"}

    answer = await editor.post(PAGE, form)
    first, second = await editor.get(PAGE), await editor.get(PAGE)

    assert (answer.status, answer.location) == (303, "/admin/")
    (taken,) = NoticePage.taken
    assert taken.at is not None
    assert taken.at.astimezone(UTC) == datetime(2026, 12, 1, 1, tzinfo=UTC)
    assert (taken.copies, taken.regions) == (2, ["440304", "440305"])
    assert ("已保存。" in first.text, "已保存。" in second.text) == (True, False)


WRONG: tuple[tuple[dict[str, str], str], ...] = (
    ({"title": ""}, "请填写。"),
    ({}, "请填写。"),
    ({"title": "停" * 21}, "最多 20 个字。"),
    ({"title": "A" * 1_000_000}, "最多 20 个字。"),
    ({"title": "测试"}, "标题不能只写“测试”。"),
    ({**RIGHT, "copies": "许多"}, "请填写整数。"),
    ({**RIGHT, "copies": "10"}, "不能大于 9。"),
    ({**RIGHT, "at": "明天"}, "请填写日期和时间"),
    ({**RIGHT, "level": "<script>"}, "请从列出的选项中选择。"),
)


async def test_what_is_wrong_stands_beside_the_field_and_nothing_is_taken(console: Console):
    editor = await console.as_(("editor",))

    for form, sentence in WRONG:
        answer = await editor.post(PAGE, form)

        assert (answer.status, sentence in answer.text) == (422, True), form.keys()
        assert len(answer.text) < 100_000
    assert NoticePage.taken == []


async def test_sentences_speak_the_language_of_the_page(console: Console):
    editor = await console.as_(("editor",))
    await editor.get(f"{PAGE}?lang=en")

    answer = await editor.post(PAGE, {"title": "停" * 21})

    assert "At most 20 characters." in answer.text


async def test_marks_that_turn_the_direction_of_writing_are_dropped(console: Console):
    editor = await console.as_(("editor",))

    await editor.post(PAGE, {"title": "停水\u202e知通\u202c \u2067x\u2069"})

    assert [notice.title for notice in NoticePage.taken] == ["停水知通 x"]


async def test_a_form_without_this_sessions_token_is_refused(console: Console):
    editor, other = await console.as_(("editor",)), await console.as_(("editor",))

    none = await editor.post(PAGE, RIGHT, csrf=False)
    anothers = await editor.post(PAGE, {**RIGHT, "_csrf": other.csrf}, csrf=False)
    odd = await editor.post(PAGE, {**RIGHT, "_csrf": "令牌"}, csrf=False)

    assert [none.status, anothers.status, odd.status] == [403, 403, 403]
    assert NoticePage.taken == []


async def test_htmx_is_led_on_by_a_header_and_told_errors_in_one_sentence(console: Console):
    editor = await console.as_(("editor",))
    nobody = await console.nobody()

    done = await editor.post(PAGE, RIGHT, htmx=True)
    refused = await editor.post(PAGE, RIGHT, htmx=True, csrf=False)
    outside = await nobody.post(PAGE, RIGHT, htmx=True)
    part = await nobody.get(PAGE, htmx=True)

    assert (done.status, done.headers["HX-Redirect"]) == (204, "/admin/")
    assert "<html" not in refused.text
    assert 'role="alert"' in refused.text
    assert (part.status, part.headers["HX-Redirect"]) == (403, "/admin/sign-in")
    assert (outside.status, "HX-Redirect" in outside.headers) == (403, False)
    assert outside.headers["HX-Trigger"] == "console:signed-out"
    assert "写好的内容还在这一页" in outside.text


async def test_a_page_of_an_older_session_gets_the_new_token_and_its_form_stays_refused(
    console: Console,
):
    person = await console.operator(("editor",))
    older, present = await console.signed_in(person), await console.signed_in(person)

    refused = await present.post(PAGE, RIGHT | {"_csrf": older.csrf}, csrf=False, htmx=True)
    plain = await present.post(PAGE, RIGHT | {"_csrf": older.csrf}, csrf=False)

    told = json.loads(refused.headers["HX-Trigger"])["console:token"]
    assert told == {"token": present.csrf, "operator": person.id}
    assert (refused.status, plain.status, "HX-Trigger" in plain.headers) == (403, 403, False)
    assert NoticePage.taken == []


async def test_bytes_that_are_no_text_are_marked_and_too_many_are_refused(console: Console):
    editor = await console.as_(("editor",))

    async def post(body: bytes) -> int:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        address = console.base + PAGE
        async with editor.http.post(address, data=BytesIO(body), headers=kind) as answer:
            return answer.status

    assert await post(b"title=%ff%fe&_csrf=" + editor.csrf.encode()) == 200
    assert NoticePage.taken[-1].title == "\ufffd\ufffd"
    assert await post(b"title=" + b"A" * 9_000_000) == 413
