"""The one table of the console's routes (路由权限表): what is not here does not exist.

Each area's module ends with its own `routes`; a new area is one more name in `AREAS`, in the
order in which its entries stand in the navigation.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tornado.routing import URLSpec
from tornado.web import url

from web.admin import (
    api_keys,
    audit,
    broadcast_routes,
    compose,
    confirmations,
    dashboard,
    departments,
    home,
    me,
    menu,
    operators,
    people,
    settings,
    sign_in,
    templates,
    topics,
)
from web.admin.base import HOME, AdminNotFound
from web.admin.table import ConsoleRoute
from web.base import Page

AREAS: tuple[tuple[ConsoleRoute, ...], ...] = (
    sign_in.routes,
    home.routes,
    dashboard.routes,
    broadcast_routes.routes,
    compose.routes,
    me.routes,
    topics.routes,
    templates.routes,
    people.routes,
    menu.routes,
    departments.routes,
    settings.routes,
    api_keys.routes,
    confirmations.routes,
    operators.routes,
    audit.routes,
)


class ToHome(Page):
    """The console's address without its last stroke."""

    async def get(self) -> None:
        self.redirect(HOME)


def _joined() -> Mapping[str, ConsoleRoute]:
    table: dict[str, ConsoleRoute] = {}
    for area in AREAS:
        for one in area:
            if one.name in table:
                raise ValueError(f"two routes of the console are called {one.name!r}")
            table[one.name] = one
    return MappingProxyType(table)


ROUTES = _joined()


def specs() -> list[URLSpec]:
    """Return Tornado's routes, with the page for everything else below /admin/ at the end."""
    missing = ConsoleRoute(
        pattern=r"/admin/.*", page=AdminNotFound, name="nowhere", get=None, post=None, nav=None
    )
    return [
        *(one.spec() for one in ROUTES.values()),
        url(r"/admin", ToHome),
        url(missing.pattern, AdminNotFound, {"route": missing}),
    ]
