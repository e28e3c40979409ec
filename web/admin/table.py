"""How a route of the console says which right it needs (权限路由表).

Each area ends with `routes = (route(…), …)`; `web/admin/routes.py` joins them. `AdminPage.prepare`
enforces what stands here, so a page never asks about rights to be safe, only to show less.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tornado.routing import URLSpec
from tornado.web import url

from domain.rights import Right

if TYPE_CHECKING:
    from web.admin.base import AdminPage

ACCOUNT = "/admin/a/{account}/"
NAMES = "admin:"  # before the names of the console's routes, so that they meet no other page's
Needs = Right | tuple[Right, ...] | Literal["anyone"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRoute:
    """One address of the console. `None` for a method: there is no such method here."""

    pattern: str
    page: "type[AdminPage]"
    name: str
    get: Needs
    post: Needs
    nav: str | None

    @property
    def is_of_account(self) -> bool:
        """Whether it stands below an account."""
        return self.pattern.startswith(ACCOUNT)

    def needs(self, method: str | None) -> tuple[str, ...] | None:
        """Return the rights of which one is needed for a method; None if it is not answered."""
        needed: Needs = {"GET": self.get, "POST": self.post}.get(method or "")
        if needed is None or isinstance(needed, tuple):
            return needed
        return (needed,)

    def spec(self) -> URLSpec:
        """Return Tornado's form of it."""
        pattern = self.pattern.replace("{account}", "([^/]+)", 1)
        arguments: dict[str, Any] = {"route": self}
        return url(pattern, self.page, arguments, name=NAMES + self.name)


def route(
    pattern: str,
    page: "type[AdminPage]",
    name: str,
    *,
    get: Needs = None,
    post: Needs = None,
    nav: str | None = None,
) -> ConsoleRoute:
    """Describe a route: a right (or several, any of which will do) for each method it answers.

    `{account}` in the pattern stands for the account and is not passed to the page's method.
    `nav` (say `mark("群发")`) puts it into the navigation of those who may read it.
    """
    return ConsoleRoute(pattern=pattern, page=page, name=name, get=get, post=post, nav=nav)
