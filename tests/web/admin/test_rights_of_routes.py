"""Every route of the table, as everybody: only what the table allows answers.

A POST goes without the form's token, so that nothing is done: who may do it is told that the
form is stale, who may not is told so.
"""

import asyncio

import pytest

from domain.access import ROLES
from domain.rights import RIGHTS, SEPARATE
from tests.support.console import Answer, Client, Console
from tests.support.console_routes import SAMPLES, filled, made_up, names_something
from web.admin.routes import ROUTES
from web.admin.table import ConsoleRoute

STALE = "停留太久"
DAILY = tuple(role for role in ROLES if role not in SEPARATE)
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
    stranger = await console.as_(DAILY, account="plain")
    differing = []
    for route in ROUTES.values():
        if not route.is_of_account:
            continue
        for method in ("GET", "POST"):
            theirs = await asked(stranger, method, made_up(route, "city"))
            nowhere = await asked(stranger, method, made_up(route, "nowhere"))
            if shape(theirs) != shape(nowhere) or theirs.status != 404:
                differing.append(f"{method} {route.name}: {theirs.status} {nowhere.status}")

    assert differing == []


async def test_a_thing_of_another_account_looks_exactly_like_one_that_does_not_exist(
    console: Console,
):
    stranger = await console.as_(DAILY, account="plain")
    differing = []
    for name, make in SAMPLES.items():
        route = ROUTES[name]
        if not route.is_of_account:
            continue
        there, none = filled(route, await make(console), "plain"), made_up(route, "plain")
        for method in ("GET", "POST"):
            ask = stranger.get if method == "GET" else stranger.post  # with the form's token
            theirs, nowhere = await ask(there), await ask(none)
            if shape(theirs) != shape(nowhere):
                differing.append(f"{method} {name}: {theirs.status} {nowhere.status}")

    assert differing == []


@pytest.mark.parametrize("route", ALL)
def test_a_route_says_for_each_method_of_its_page_who_may_use_it(route: ConsoleRoute):
    public = "anyone" in {*(route.needs("GET") or ()), *(route.needs("POST") or ())}
    methods = {name for name in ("get", "post") if name in all_methods(route)}

    assert methods == {name for name in ("get", "post") if getattr(route, name) is not None}
    assert route.page.is_public or not public
    assert not names_something(route) or route.nav is None


def all_methods(route: ConsoleRoute) -> set[str]:
    return {name for base in route.page.__mro__[:-4] for name in vars(base)}


def shape(answer: Answer) -> tuple[int, str, dict[str, str]]:
    """What an answer gives away."""
    return answer.status, answer.text, {k: v for k, v in answer.headers.items() if k != "Date"}
