"""Addresses of every route of the console, for the tests that walk the table.

A route whose path names a thing is walked with a made-up id, and with a real thing of the account
`city`, which `SAMPLES` knows how to make: a route without a sample fails the walks. An area adds
its own: `SAMPLES["topic"] = a_topic` with `async def a_topic(console) -> tuple[str, ...]`, which
returns the path's arguments.
"""

import re
from collections.abc import Awaitable, Callable

from domain.ids import AccountId
from domain.incident import Condition
from domain.template_form import TemplateForm
from tests.support.console import Console
from tests.support.console_broadcasts import SAMPLES as BROADCASTS
from tests.support.console_compose import SAMPLES as COMPOSE
from tests.support.console_people import SAMPLES as PEOPLE
from web.admin.table import ConsoleRoute

Sample = Callable[[Console], Awaitable[tuple[str, ...]]]
SAMPLES: dict[str, Sample] = {**BROADCASTS, **COMPOSE, **PEOPLE}


async def an_operator(console: Console) -> tuple[str, ...]:
    """Somebody whom neither administrator is."""
    return ((await console.operator(("editor",))).id,)


SAMPLES |= dict.fromkeys(
    (
        "operator",
        "operator-grants",
        "operator-disable",
        "operator-enable",
        "operator-password",
        "operator-identity",
        "operator-factor",
        "operator-confirm",
    ),
    an_operator,
)


async def a_menu_version(console: Console) -> tuple[str, ...]:
    """Keep a version of the menu that was published."""
    ctx = console.ctx
    store, city = ctx.stores.menus, AccountId("city")
    number = await store.add_version(city, ctx.menus.first, by="李敏", note="", at=ctx.clock.now())
    await store.conclude(city, number)
    return (str(number),)


async def a_template(console: Console) -> tuple[str, ...]:
    """Keep a template as WeChat told it."""
    form = TemplateForm(channel="template", id="x1", title="停水通知", fields=(("thing1", "区域"),))
    await console.ctx.stores.template_forms.add(
        AccountId("city"), form, after=0, at=console.ctx.clock.now()
    )
    return ("template", "x1")


SAMPLES["menu-version"] = a_menu_version
SAMPLES["template"] = a_template


async def an_api_key(console: Console) -> tuple[str, ...]:
    """Make a department's key."""
    key = await console.ctx.api_keys.create(
        AccountId("city"), "水务集团", ("notices:write",), now=console.ctx.clock.now()
    )
    return (key.split("_")[1],)


async def a_waiting_key(console: Console) -> tuple[str, ...]:
    """Make a key as the system administrator does."""
    _, key_id = await console.ctx.api_keys.make(
        AccountId("city"),
        "燃气集团",
        ("broadcasts:publish",),
        now=console.ctx.clock.now(),
        waits_for_other_than="op_maker",
    )
    return (key_id,)


async def somebody_unconfirmed(console: Console) -> tuple[str, ...]:
    """Somebody who came in with a password that was given to them."""
    who = await console.operator(("editor",))
    await console.ctx.stores.operators.unconfirm(who.id, now=console.ctx.clock.now())
    return (who.id,)


SAMPLES |= {
    "api-key-replace": an_api_key,
    "api-key-revoke": an_api_key,
    "confirm-key": a_waiting_key,
    "refuse-key": a_waiting_key,
    "operator": somebody_unconfirmed,
    "operator-confirm": somebody_unconfirmed,
}


async def an_incident(console: Console) -> tuple[str, ...]:
    """Note that something is wrong in `city`, and nobody has said that they know."""
    city, store = AccountId("city"), console.ctx.stores.incidents
    condition = Condition(
        kind="quota.high", what="quota:city", subject="今日配额", detail="已用 81%", account=city
    )
    await store.see(condition, console.ctx.clock.now(), tell=False)
    found = await store.list_(city)
    return (next(each.id for each in found if each.condition.what == "quota:city"),)


SAMPLES["incident-acknowledge"] = an_incident

# what every account has alike, and no path of another account can tell anything about
COMMON: dict[str, tuple[str, ...]] = {
    "department": ("utilities",),
    "latency": ("utilities",),
    "maintenance": ("utilities",),
    "maintenance-end": ("utilities",),
    "settings-check": ("token",),
    "dashboard-plot": ("callbacks",),
}

MADE_UP = (
    "bc_000000000000000000000000",
    "1",
    "utilities",  # a department, which belongs to no account
    "x",
    "x1",
    "outage.water",
    "20261124",
    "csv",
    "0" * 12,
    "0" * 24,
    "0" * 64,
    "00000000-0000-0000-0000-000000000000",
    "2026-11-24",
    "on",
    "op_" + "0" * 24,
)
_GROUP = re.compile(r"\((?!\?:)((?:[^()]|\((?:[^()])*\))*)\)")


def made_up(route: ConsoleRoute, account: str = "city") -> str:
    """Return an address that fits the route and names nothing there is."""
    return filled(route, tuple(_fitting(group) for group in _groups(route)), account)


def filled(route: ConsoleRoute, arguments: tuple[str, ...], account: str = "city") -> str:
    """Return the route's address with these arguments."""
    rest = iter(arguments)
    path = route.pattern.replace("{account}", account, 1).removesuffix("$")
    return _GROUP.sub(lambda _: next(rest), path).replace("\\", "")


async def sample(route: ConsoleRoute, console: Console) -> str:
    """Return an address of `city` that names something real."""
    return filled(route, await arguments(route, console))


async def arguments(route: ConsoleRoute, console: Console) -> tuple[str, ...]:
    """Make what a route's path names, and return how it is named."""
    if not _groups(route) or route.name in COMMON:
        return COMMON.get(route.name, ())
    assert route.name in SAMPLES, f"add a sample for the route {route.name!r}"
    return await SAMPLES[route.name](console)


def names_something(route: ConsoleRoute) -> bool:
    """Whether the path names a thing besides the account."""
    return bool(_groups(route))


def _groups(route: ConsoleRoute) -> list[str]:
    return [found[1] for found in _GROUP.finditer(route.pattern)]


def _fitting(group: str) -> str:
    pattern = re.sub(r"^\?P<\w+>", "", group)
    for candidate in MADE_UP:
        if re.fullmatch(pattern, candidate):
            return candidate
    words = re.findall(r"[a-z_]+", pattern)
    for word in words:
        if re.fullmatch(pattern, word):
            return word
    raise AssertionError(f"add something that fits {group!r} to MADE_UP")
