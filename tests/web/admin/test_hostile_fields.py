"""Every field of every form of the console bears anything at all, alone and beside honest fields.

The routes and their fields come from the code (`tests.support.console_forms`). A field filled with
something hostile is taken, and then shown harmlessly, or refused with a sentence beside it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import quote_from_bytes

import pytest

from domain.access import Role
from domain.rights import RIGHTS
from tests.support.clock import FakeClock
from tests.support.console import PASSWORD, Answer, Client, Console
from tests.support.console_entries import STAGES, at_stage, form_token
from tests.support.console_forms import BUTTONS, fields_of
from tests.support.console_routes import sample
from tests.support.html_forms import PLANTED, has_field, runs, sentences_of
from web.admin.routes import ROUTES
from web.admin.table import ConsoleRoute

DAILY: tuple[Role, ...] = ("editor", "reviewer", "publisher", "desk", "account_manager")
PEOPLE: tuple[tuple[Role, ...], ...] = (
    DAILY,
    ("system_admin",),
    ("security_admin",),
    ("auditor",),
)
FORMS = [route for route in ROUTES.values() if route.post is not None]
HOSTILE = {
    "all at once": (
        f"=cmd|' /C calc'!A0<script>wz()</script><{PLANTED}>\"'><img src=x onerror=wz()>"
        "javascript:wz() {{98765*4321}}${98765*4321}{% print 98765*4321 %} ' OR 1=1; -- "
        '{"$gt": ""} $where ../../etc/passwd '
        "🧨👩‍👩‍👧‍👦\u202e文档\u202c\u2067א\u2069\u0000\ufeff𠮷e\u0301"
    ),
    "huge": "A" * 1_000_000,
    "number": "9" * 5_000,
    "first": "0001-01-01T00:00",
    "last": "9999-12-31T23:59",
    "negative": "-1",
}
MOMENTS = {"since", "until", "starts_at", "ends_at", "at", "begins", "expires_at"}
NUMBERS = {"monthday", "late_by", "revision", "tester", "weekdays", "days_before", "clock", "cron"}
LONG = {"title", "url", "tags", "topics", "data.reason", "r.0.tag", "search", "key", "cron"}
COMPUTED = "426763565"
BYTES = {
    "a lone surrogate": b"\xed\xa0\x80",
    "overlong": b"\xc0\xaf\xe0\x80\xaf",
    "no UTF-8": b"\xff\xfe\xb9\xab",
    "NUL": b"a\x00b",
}
HONEST: dict[str, str] = {
    "name": "周新人",
    "text": "好",
    "comment": "请看第二段",
    "reason": "日期不对",
    "revision": "1",
    "sentence": "系统升级，请稍后查询。",
    "ends_at": "2030-01-01T09:00",
    "scopes": "notices:write",
    "item": "openid",
    "purpose_kind": "enquiry",
    "purpose": "答复市民来电咨询",
    "present": PASSWORD,
    "password": "another-horse-2",
    "again": "another-horse-2",
    "code": "123456",
    "grant": "city:editor",
    "title": "园岭街道停水通知",
    "template": "outage_notice",
    "who": "topic",
    "topic": "outage.water",
    "when": "now",
    "data.area": "园岭街道",
    "data.start": "2030-01-01 09:00",
    "data.end": "2030-01-01 18:00",
    "data.reason": "检修",
    "r.op": "all",
    "r.0.kind": "tag",
    "r.0.tag": "老年人",
    "row": "t0",
    "t0-name": "办事",
    "t0-type": "click",
    "t0-value": "ask.robot",
    "do": "save",
}


def honest(route: ConsoleRoute) -> dict[str, str]:
    """Return a form that could be meant; what it leaves out may be empty."""
    form = {name: HONEST[name] for name in fields_of(route) if name in HONEST}
    if route.name.startswith("compose"):
        form["action"] = "submit"
    if route.name == "subscribers":
        form = {"topic": "outage.water"}
    return form


async def somebody(console: Console, route: ConsoleRoute) -> Client:
    """Return a browser of somebody who may send this form, at the step where it stands."""
    if route.name in STAGES:
        clock = cast("FakeClock", console.ctx.clock)
        clock.advance(3600)  # whoever tried before has waited long enough
        return await at_stage(console, STAGES[route.name])
    needed = set(route.needs("POST") or ())
    roles = next(each for each in PEOPLE if needed & {r for role in each for r in RIGHTS[role]})
    return await console.as_(roles)


@asynccontextmanager
async def watched(wrong: list[str]) -> AsyncIterator[Any]:
    """Give a judge of answers, which remembers what is wrong."""

    def judge(answer: Answer, told: str, *, beside: str = "", form: str = "") -> None:
        if what := fault(answer, beside, form):
            wrong.append(f"{told}: {what}")

    yield judge


def fault(answer: Answer, beside: str, page: str) -> str | None:
    """Return what is wrong with an answer; `beside` names the field that must be refused."""
    if answer.status >= 500:
        return f"{answer.status} {sentences_of(answer.text)}"
    if running := runs(answer.text):
        return f"would run {running[0]}"
    if COMPUTED in answer.text:
        return "was computed"
    if answer.status in {400, 422}:
        said = sentences_of(answer.text)
        if not any(said.values()) and "<p>" not in answer.text:
            return f"{answer.status} without a sentence"
        place = "rule" if beside.startswith("r.") else beside  # of 新建群发: one for all of it
        if beside and has_field(answer.text, beside) and place not in said:
            return f"is refused without a sentence beside it: {said}"
    return None


def route_id(route: ConsoleRoute) -> str:
    return route.name


async def test_every_field_alone_is_taken_harmlessly_or_refused_beside_it(console: Console):
    wrong: list[str] = []
    async with watched(wrong) as judge:
        for route in FORMS:
            fields, client = fields_of(route), await somebody(console, route)
            path = await sample(route, console)
            for field in chosen(route, fields):
                for kind in kinds(route, field):
                    form = honest(route) | {field: HOSTILE[kind]}
                    answer = await posted(console, client, path, form)
                    if answer.location.startswith("/admin/sign-in") or answer.status == 403:
                        client = await somebody(console, route)  # this form ended the session
                        answer = await posted(console, client, path, form)
                    told = f"{kind} into {field} of {route.name}"
                    is_too_much = kind == "huge" and answer.status == 422
                    judge(answer, told, beside=field if is_too_much else "")
                    if answer.status == 303:
                        led = await client.get(answer.location)
                        judge(led, f"{told}, then {answer.location}")
                if answer.status in {303, 404, 409}:
                    path = await sample(route, console)  # this form did something to it
        for page, client in [(each, client) async for each, client in pages(console)]:
            judge(await client.get(page), f"afterwards {page}")

    assert wrong == []


def chosen(route: ConsoleRoute, fields: Sequence[str]) -> Sequence[str]:
    """Return the fields to try one by one; the parts of 新建群发 read the same form as the page."""
    return fields[:: len(fields) // 4] if is_part_of_compose(route) else fields


def is_part_of_compose(route: ConsoleRoute) -> bool:
    return route.name.startswith("compose") and route.name != "compose.new"


def kinds(route: ConsoleRoute, field: str) -> tuple[str, ...]:
    """Return what to try; a megabyte goes to each kind of field of 新建群发, not to all 51."""
    last = field.rpartition(".")[2]
    if last in MOMENTS:
        return (*HOSTILE,)
    if route.name.startswith("compose"):
        found = ("all at once", "number") if last in NUMBERS else ("all at once",)
        return (*found, "huge") if field in LONG else found
    return ("all at once", "huge", "number")


async def pages(console: Console) -> AsyncIterator[tuple[str, Client]]:
    """Give every page of the table that names nothing, with somebody who may see it."""
    clients = [await console.as_(roles) for roles in PEOPLE]
    for route in ROUTES.values():
        if route.get is None or "(" in route.pattern:
            continue
        path = route.pattern.replace("{account}", "city")
        for client in clients:
            if (await client.get(path)).status == 200:
                yield path, client
                break


async def test_bytes_that_are_no_text_fields_that_repeat_and_fields_that_are_missing(
    console: Console,
):
    wrong: list[str] = []
    async with watched(wrong) as judge:
        for route in FORMS:
            client, path = await somebody(console, route), await sample(route, console)
            fields, form = fields_of(route), honest(route)
            bodies: dict[str, bytes] = {
                kind: encoded({name: [raw] for name in fields} | {"%FF": [raw]})
                for kind, raw in BYTES.items()
            }
            bodies["nothing at all"] = b""
            bodies["each three times"] = encoded(
                {name: [value.encode(), b"x", b"<b>"] for name, value in form.items()}
            )
            bodies["arrays"] = encoded(
                {f"{name}{end}": [b"1"] for name in fields for end in ("[]", "[$ne]", ".$gt")}
            )
            bodies |= {
                f"all but {name}": encoded(
                    {other: [value.encode()] for other, value in form.items() if other != name}
                )
                for name in list(form)[:8]
            }
            if is_part_of_compose(route):
                bodies = {kind: bodies[kind] for kind in ("a lone surrogate", "arrays")}
            for kind, body in bodies.items():
                judge(await sent(console, client, path, body), f"{kind} to {route.name}")

    assert wrong == []


async def test_bytes_that_are_no_utf_8_are_read_as_every_browser_reads_them(console: Console):
    editor = await console.as_(("editor",))

    answer = await sent(console, editor, "/admin/a/city/broadcasts/new", b"title=a%FFb&action=look")

    assert answer.status == 200
    assert 'value="a\ufffdb"' in answer.text


async def test_a_body_of_another_kind_does_nothing_and_breaks_nothing(console: Console):
    kinds_of_body = {
        "application/json": b'{"name": {"$gt": ""}, "revision": [1], "_csrf": null}',
        "text/plain": b"name=1",
        "multipart/form-data; boundary=x": b"--x\r\nno part at all",
        "multipart/form-data": b"",
        "application/x-www-form-urlencoded; charset=utf-7": b"name=+ADw-script+AD4-",
        "": b"name=x",
    }
    wrong: list[str] = []
    async with watched(wrong) as judge:
        for route in FORMS:
            if route.name in BUTTONS or route.page.is_public:
                continue
            client, path = await somebody(console, route), await sample(route, console)
            for kind, body in kinds_of_body.items():
                answer = await sent(console, client, path, body, kind=kind)
                judge(answer, f"{kind} to {route.name}")
            many = b"&".join(b"f%d=1" % number for number in range(2_000))
            judge(await sent(console, client, path, many), f"2,000 fields to {route.name}")

    assert wrong == []


async def test_a_body_larger_than_every_form_is_refused_in_the_consoles_words(console: Console):
    editor = await console.as_(DAILY)

    answer = await editor.post("/admin/a/city/subscribers", {"tag": "A" * 9_000_000})

    assert answer.status == 413
    assert "内容太大" in answer.text


async def test_hostile_addresses_find_nothing_and_break_nothing(console: Console):
    clients = [await console.as_(roles) for roles in PEOPLE]
    draft = await sample(ROUTES["broadcast-review"], console)
    queries = (
        "9" * 5_000,
        "%ED%A0%80",
        "%C0%AF",
        "%00",
        "%3Cscript%3Ewz()%3C/script%3E",
        "0001-01-01T00:00",
        "9999-12-31T23:59",
        "-1",
        "%F0%9F%A7%A8",
    )
    names = "q state cursor from before after part lang next who action object account since until"
    wrong: list[str] = []
    async with watched(wrong) as judge:
        judge(await clients[0].get(f"{draft}?from={'9' * 5_000}"), "from")
        for route in ROUTES.values():
            if route.get is None or route.name == "broadcast-live":
                continue
            path = await sample(route, console)
            needed = set(route.needs("GET") or ())
            client = next(
                client
                for client, roles in zip(clients, PEOPLE, strict=True)
                if "anyone" in needed or needed & {r for role in roles for r in RIGHTS[role]}
            )
            for query in queries:
                asked = "&".join(f"{name}={query}" for name in names.split())
                judge(await client.get(f"{path}?{asked}"[:15_000]), f"{query[:20]} of {route.name}")
        for path in (
            "/admin/%FF",
            "/admin/a/%FF/menu",
            "/admin/a/city%00/menu",
            "/admin/a/../menu",
        ):
            judge(await clients[0].get(path), path)

    assert wrong == []


@pytest.mark.parametrize("route", FORMS, ids=route_id)
def test_the_fields_of_every_form_are_known(route: ConsoleRoute):
    assert bool(fields_of(route)) != (route.name in BUTTONS)


def encoded(fields: Mapping[str, Sequence[bytes]]) -> bytes:
    return b"&".join(
        f"{name}={quote_from_bytes(value)}".encode()
        for name, some in fields.items()
        for value in some
    )


async def posted(console: Console, client: Client, path: str, form: Mapping[str, str]) -> Answer:
    return await client.post(path, {**form, "_csrf": form_token(console, client)}, csrf=False)


async def sent(
    console: Console,
    client: Client,
    path: str,
    body: bytes,
    *,
    kind: str = "application/x-www-form-urlencoded",
) -> Answer:
    """Send a body of any kind, with the token of the browser's forms."""
    headers = {"Content-Type": kind, "X-CSRF-Token": form_token(console, client)}
    return await client.ask("POST", path, data=body, headers=headers)
