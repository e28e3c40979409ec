"""Every route of the table, as everybody: only what the table allows answers.

A POST goes without the form's token, so that nothing is done: who may do it is told that the
form is stale, who may not is told so.
"""

import asyncio
import re

import pytest

from domain.access import ROLES, Role
from domain.ids import AccountId
from domain.looking import Sought
from domain.rights import RIGHTS, SEPARATE
from tests.support.console import Answer, Client, Console
from tests.support.console_routes import (
    COMMON,
    SAMPLES,
    arguments,
    filled,
    made_up,
    names_something,
)
from web.admin.routes import ROUTES
from web.admin.table import ConsoleRoute

STALE = "停留太久"
DAILY = tuple(role for role in ROLES if role not in SEPARATE)
METHODS = ("GET", "POST")
OF_ACCOUNT = [route for route in ROUTES.values() if route.is_of_account]
ALL = [pytest.param(route, id=name) for name, route in ROUTES.items()]


def may(route: ConsoleRoute, method: str, role: str) -> bool:
    needed = route.needs(method)
    return needed is not None and ("anyone" in needed or bool(RIGHTS[role] & set(needed)))


def fault(route: ConsoleRoute, method: str, role: str, answer: Answer) -> str | None:
    """Return what is wrong with an answer; None if the table wants it so."""
    if route.needs(method) is None:
        right = answer.status == 405
    elif not may(route, method, role):
        right = answer.status == 403 and STALE not in answer.text
    elif method == "POST":
        right = answer.status == 403 and STALE in answer.text
    else:
        # below an address that is made up there may be nothing
        right = answer.status in {200, 302, 303, 404}
        right = right and not answer.location.startswith("/admin/sign-in")
    return None if right else f"{method} {route.name} as {role}: {answer.status}"


async def asked(client: Client, method: str, path: str) -> Answer:
    return await (client.get(path) if method == "GET" else client.post(path, csrf=False))


async def test_each_role_is_answered_what_the_table_allows_and_nothing_else(console: Console):
    async def walk(role: str) -> list[str]:
        client = await console.as_((role,))
        found = []
        for route in ROUTES.values():
            if route.page.is_public:
                continue
            for method in ("GET", "POST"):
                answer = await asked(client, method, made_up(route))
                found.append(fault(route, method, role, answer))
        return [one for one in found if one]

    faults = await asyncio.gather(*(walk(role) for role in ROLES))

    assert [one for some in faults for one in some] == []


async def test_nobody_is_led_to_the_sign_in_and_refused_every_form(console: Console):
    nobody = await console.nobody()
    wrong = []
    for route in ROUTES.values():
        page, form = await nobody.get(made_up(route)), await nobody.post(made_up(route))
        part = await nobody.get(made_up(route), htmx=True)
        if route.page.is_public:
            right = page.status in {200, 302, 404, 405} and form.status in {403, 405}
        else:
            right = page.location.startswith("/admin/sign-in") and page.status == 302
            right = right and (form.status, part.status) == (403, 403)
        if not right:
            wrong.append(f"{route.name}: {page.status} {form.status} {part.status}")

    assert wrong == []


async def test_an_account_of_others_looks_exactly_like_one_that_does_not_exist(console: Console):
    real = {route.name: await arguments(route, console) for route in OF_ACCOUNT}

    async def walk(role: Role) -> list[str]:
        client, found = await console.as_((role,), account="plain"), []
        for route in OF_ACCOUNT:
            there = filled(route, real[route.name], "city")
            nowhere = filled(route, real[route.name], "nowhere")
            for method in METHODS:
                theirs = await with_token(client, method, there)
                none = await with_token(client, method, nowhere)
                is_theirs = role in SEPARATE  # they look at every account
                if none.status != 404 or (not is_theirs and shape(theirs) != shape(none)):
                    found.append(f"{method} {there} as {role}: {theirs.status} {none.status}")
        return found

    faults = await asyncio.gather(*(walk(role) for role in DAILY))

    assert [one for some in faults for one in some] == []
    assert (await walk("system_admin")) == []


async def test_a_thing_of_another_account_looks_exactly_like_one_that_does_not_exist(
    console: Console,
):
    named = [route for route in OF_ACCOUNT if names_something(route) and route.name not in COMMON]
    real = {route.name: await SAMPLES[route.name](console) for route in named}
    before = await everything_of(console)

    async def walk(roles: tuple[Role, ...]) -> list[str]:
        client, found = await console.as_(roles, account="plain"), []
        for route in named:
            for method in METHODS:
                there, none = filled(route, real[route.name], "plain"), made_up(route, "plain")
                theirs = await with_token(client, method, there)
                nowhere = await with_token(client, method, none)
                if shape(theirs) != shape(nowhere) or theirs.status in {200, 303}:
                    found.append(f"{method} {there} as {roles}: {theirs.status} {nowhere.status}")
        return found

    faults = await asyncio.gather(*(walk((role,)) for role in DAILY), walk(DAILY))

    assert [one for some in faults for one in some] == []
    assert await everything_of(console) == before


async def test_a_form_that_names_a_thing_of_another_account_learns_nothing(console: Console):
    writer = await console.as_(DAILY, account="plain")
    draft = await SAMPLES["compose.edit"](console)
    sent_one = await SAMPLES["broadcast-report"](console)
    person = await SAMPLES["subscriber"](console)
    search = console.ctx.followers.search(AccountId("city"), Sought(tag="老年人"))
    new = "/admin/a/plain/broadcasts/new"
    wrong = []
    for path, fields in (
        (f"{new}/message", {"edited": draft[0]}),
        (f"{new}/outlook", {"edited": draft[0], "keep_openids": "1"}),
        (f"{new}/outlook", {"not_got": sent_one[0]}),
        (f"{new}/outlook", {"r.op": "all", "r.0.kind": "got", "r.0.got": sent_one[0]}),
        (f"{new}/readers", {"reader": person[0]}),
        (new, {"action": "submit", "title": "x", "not_got": sent_one[0]}),
    ):
        answers = []
        for names in (fields, {name: blurred(value) for name, value in fields.items()}):
            answer = await writer.post(path, {"template": "outage_notice"} | names)
            answers.append((answer.status, plain(answer.text, *names.values())))
        if answers[0] != answers[1]:
            wrong.append(f"{path} {fields}")
    for path in (
        f"/admin/a/plain/subscribers?q={search}",
        f"/admin/a/plain/subscribers/{person[0]}",
    ):
        there, none = await writer.get(path), await writer.get(blurred(path))
        if (there.status, plain(there.text, path)) != (none.status, plain(none.text, path)):
            wrong.append(f"{path}: {there.status} {none.status}")

    assert wrong == []


async def test_other_methods_answer_nothing_to_anybody(console: Console):
    async def walk(client: Client) -> list[str]:
        found = []
        for route in ROUTES.values():
            for method in ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
                address = made_up(route, "plain")
                answer = await client.ask(method, address, headers=csrf_of(client))
                if answer.status != (405 if client.operator or route.page.is_public else 403):
                    found.append(f"{method} {address}: {answer.status}")
                if not route.is_of_account or client.operator is None:
                    continue
                answers = [
                    shape(await client.ask(method, made_up(route, account)))
                    for account in ("city", "nowhere")
                ]
                if answers[0] != answers[1] or answers[0][0] != 404:
                    found.append(f"{method} {address}: {answers[0][0]}")
        return found

    people = [await console.nobody(), await console.as_(DAILY, account="plain")]
    faults = await asyncio.gather(*map(walk, people))

    assert [one for some in faults for one in some] == []


def test_every_route_that_names_a_thing_has_a_real_one_to_be_tried_with():
    named = {name for name, route in ROUTES.items() if names_something(route)}

    assert named == SAMPLES.keys() | COMMON.keys()


@pytest.mark.parametrize("route", ALL)
def test_a_route_says_for_each_method_of_its_page_who_may_use_it(route: ConsoleRoute):
    public = "anyone" in {*(route.needs("GET") or ()), *(route.needs("POST") or ())}
    methods = {name for name in ("get", "post") if name in all_methods(route)}

    assert methods == {name for name in ("get", "post") if getattr(route, name) is not None}
    assert route.page.is_public or not public
    assert not names_something(route) or route.nav is None


def all_methods(route: ConsoleRoute) -> set[str]:
    return {name for base in route.page.__mro__[:-4] for name in vars(base)}


async def with_token(client: Client, method: str, path: str) -> Answer:
    return await (client.get(path) if method == "GET" else client.post(path))


def csrf_of(client: Client) -> dict[str, str]:
    return {"X-CSRF-Token": client.csrf} if client.session else {}


def blurred(text: str) -> str:
    """Return a name like this one that nothing has; what is too short to name a thing stays."""
    return f"{text[:-6]}000000" if len(text) > 20 else text


def plain(text: str, *names: str) -> str:
    """Return a page without the names that were asked for and what is new in each answer."""
    for name in names:
        text = text.replace(name, "…").replace(blurred(name), "…")
    return re.sub(r'name="key" value="[^"]*"', "", text)


async def everything_of(console: Console) -> dict[str, list[object]]:
    """Return every document that a form about a thing could change."""
    database = console.ctx.stores.database
    names = (
        "broadcasts",
        "broadcast_reviews",
        "incidents",
        "api_keys",
        "menu_versions",
        "subscribers",
    )
    return {name: await database[name].find().sort("_id").to_list() for name in names}


def shape(answer: Answer) -> tuple[int, str, dict[str, str]]:
    """What an answer gives away."""
    return answer.status, answer.text, {k: v for k, v in answer.headers.items() if k != "Date"}
