"""What every form of the console takes (表单字段): from models, and from the code that reads.

A page reads its form with `self.form(Model)`, or field by field. Both are found in the source of
the page and of the modules that read for it, so that a new field is tried without anybody
remembering to.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator

from pydantic import BaseModel

from web.admin import compose, compose_form, compose_rule, menu
from web.admin.base import AdminPage
from web.admin.table import ConsoleRoute

READS = {"get_body_argument", "get_body_arguments", "one", "many", "moment", "number", "hour"}
# forms that are a button alone, and say nothing but who is asking
BUTTONS = {
    "sign-out", "topics", "templates", "menu-version", "maintenance-end", "settings-checks",
    "settings-check", "callback-keys-discard", "callback-keys-end-old", "api-key-revoke",
    "operator-disable", "operator-enable", "operator-password", "operator-factor",
    "incident-acknowledge", "confirm-key", "refuse-key",
}  # fmt: skip
MENU = (
    "row", "part", "revision", "do", "menu-tag_id", "menu-platform", "t0-name", "t0-type",
    "t0-value", "t0-appid", "t0-pagepath", "s0_0-name", "s0_0-type", "s0_0-value",
)  # fmt: skip
RULE = (
    "r.op", "r.0.kind", "r.0.not", "r.1.op", "r.1.0.kind", "r.0.topic", "r.0.region", "r.0.tag",
    "r.0.subject", "r.0.digest", "r.0.since", "r.0.until", "r.0.got",
)  # fmt: skip
DATA = ("data.area", "data.start", "data.end", "data.reason")
BY_HAND = {
    menu.MenuPage: MENU,
    compose._ComposePage: (*RULE, *DATA, "action", "edited", "tester", "reader", "search", "some"),
}


def fields_of(route: ConsoleRoute) -> tuple[str, ...]:
    """Return the names of all fields a route's form may bring."""
    found: dict[str, None] = {}
    for model in models_of(route.page):
        found |= dict.fromkeys(each.alias or name for name, each in model.model_fields.items())
    for source in _sources(route.page):
        found |= dict.fromkeys(_literals(source))
    for page, names in BY_HAND.items():
        if issubclass(route.page, page):
            found |= dict.fromkeys(names)
    found.pop("_csrf", None)
    return tuple(found)


def models_of(page: type[AdminPage]) -> list[type[BaseModel]]:
    """Return the models a page reads its form with."""
    found = []
    for base in _own(page):
        names = vars(sys.modules[base.__module__])
        for node in _calls(inspect.getsource(base)):
            if ast.unparse(node.func) == "self.form":
                model = node.args[0]
                assert isinstance(model, ast.Name), f"{page.__name__} hides its form's model"
                found.append(names[model.id])
    return found


def _own(page: type[AdminPage]) -> Iterator[type[AdminPage]]:
    for base in page.__mro__:
        if base is AdminPage:
            return
        yield base


def _sources(page: type[AdminPage]) -> Iterator[str]:
    yield from (inspect.getsource(base) for base in _own(page))
    if issubclass(page, compose._ComposePage):
        yield inspect.getsource(compose_form)
        yield inspect.getsource(compose_rule)


def _literals(source: str) -> Iterator[str]:
    for node in _calls(source):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        first = node.args[0] if node.args else None
        if name in READS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def _calls(source: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(textwrap.dedent(source))):
        if isinstance(node, ast.Call):
            yield node
