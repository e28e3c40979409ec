"""The router tree: which handler answers what (路由).

A handler module makes one `Router`, names it, and registers coroutines on it. `Routes.collect`
joins all routers, refuses duplicate keys, and is what the conversation looks things up in.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from bot.dialog import Dialog, Outcome
from bot.inquiry import Inquiry
from bot.services import Services
from domain.conversation import Inbound
from domain.errors import ConfigError

Handler = Callable[[Inquiry, Services], Awaitable[Outcome]]
Kind = Literal["menu", "always", "text", "pattern", "scene", "event", "dialog", "fallback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way in. `takes` names what may follow a word: 停水 <地点>."""

    kind: Kind
    key: str
    handler: Handler | None
    router: str
    takes: str = ""
    keeps_dialog: bool = False

    @property
    def where(self) -> str:
        """Return `module.function`, for people who look for the code."""
        if self.handler is None:
            return self.router
        return f"{self.handler.__module__}.{self.handler.__qualname__}"


class Router:
    """One service's part of the tree; `title` and `example` appear in the help text."""

    def __init__(self, name: str, *, title: str = "", example: str = "") -> None:
        self.name = name
        self.title = title
        self.example = example
        self.routes: list[Route] = []
        self.dialogs: list[Dialog] = []
        self.patterns: dict[str, re.Pattern[str]] = {}
        self.events: dict[str, type[Inbound]] = {}

    def menu(self, *keys: str) -> Callable[[Handler], Handler]:
        """Answer a tap on a menu button (CLICK) with one of these keys."""
        return self._register("menu", keys)

    def text(self, *words: str, takes: str = "") -> Callable[[Handler], Handler]:
        """Answer one of these words, exactly; with `takes`, also a word and what follows it."""
        return self._register("text", words, takes=takes)

    def always(self, *words: str, keeps_dialog: bool = False) -> Callable[[Handler], Handler]:
        """Answer a word in every state; it ends a running dialog unless it `keeps_dialog`."""
        return self._register("always", words, keeps_dialog=keeps_dialog)

    def pattern(self, expression: str) -> Callable[[Handler], Handler]:
        """Answer a text that the whole regular expression fits."""
        self.patterns[expression] = re.compile(expression)
        return self._register("pattern", (expression,))

    def scene(self, *prefixes: str) -> Callable[[Handler], Handler]:
        """Answer a scanned code whose scene is this, or starts with this and `:`."""
        return self._register("scene", prefixes)

    def event(self, kind: type[Inbound]) -> Callable[[Handler], Handler]:
        """Handle an event (or an odd message kind) by its class."""
        self.events[kind.__name__] = kind
        return self._register("event", (kind.__name__,))

    def fallback(self) -> Callable[[Handler], Handler]:
        """Answer what nobody else answers; there is exactly one."""
        return self._register("fallback", ("*",))

    def dialog(self, dialog: Dialog) -> Dialog:
        """Make a dialog known, so that its session can be continued."""
        self.dialogs.append(dialog)
        self.routes.append(Route(kind="dialog", key=dialog.key, handler=None, router=self.name))
        return dialog

    def _register(
        self,
        kind: Kind,
        keys: Iterable[str],
        *,
        takes: str = "",
        keeps_dialog: bool = False,
    ) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            self.routes.extend(
                Route(
                    kind=kind,
                    key=key,
                    handler=handler,
                    router=self.name,
                    takes=takes,
                    keeps_dialog=keeps_dialog,
                )
                for key in keys
            )
            return handler

        return add


@dataclass(frozen=True, slots=True)
class Match:
    """A route that fits, and what is left of what was said."""

    handler: Handler
    route: Route
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """All routers joined; lookups are dictionary reads except for patterns."""

    routers: tuple[Router, ...]
    table: Mapping[tuple[Kind, str], Route]
    dialogs: Mapping[str, Dialog]
    patterns: tuple[tuple[re.Pattern[str], Route], ...] = ()
    prefixes: tuple[str, ...] = field(default=())

    @classmethod
    def collect(cls, routers: Iterable[Router]) -> Self:
        """Join the routers, refusing a key that two handlers claim."""
        routers = tuple(sorted(routers, key=lambda router: router.name))
        table: dict[tuple[Kind, str], Route] = {}
        for router in routers:
            for route in router.routes:
                # a word means one thing, whether it works always or only outside dialogs
                kinds: tuple[Kind, ...] = (
                    ("always", "text") if route.kind in ("always", "text") else (route.kind,)
                )
                for kind in kinds:
                    other = table.get((kind, route.key))
                    if other is not None:
                        raise ConfigError(
                            f"two handlers claim {route.kind} {route.key!r}: {other.where} and "
                            f"{route.where}; rename one"
                        )
                table[route.kind, route.key] = route
        if not any(kind == "fallback" for kind, _ in table):
            raise ConfigError("no handler is registered as the fallback")
        return cls(
            routers=routers,
            table=table,
            dialogs={dialog.key: dialog for router in routers for dialog in router.dialogs},
            patterns=tuple(
                (router.patterns[route.key], route)
                for router in routers
                for route in router.routes
                if route.kind == "pattern"
            ),
            prefixes=tuple(
                sorted(
                    (key for (_, key), r in table.items() if r.takes),
                    key=len,
                    reverse=True,
                )
            ),
        )

    def find(self, kind: Kind, key: str) -> Match | None:
        """Return the route of exactly this key."""
        route = self.table.get((kind, key))
        if route is None or route.handler is None:
            return None
        return Match(route.handler, route)

    def for_text(self, text: str) -> Match | None:
        """Return what a text means: the word, the word with what follows it, or a pattern."""
        exact = self.find("text", text)
        if exact:
            return exact
        for word in self.prefixes:
            if text.startswith(word) and (found := self.find("text", word)):
                return Match(found.handler, found.route, text[len(word) :].strip(" ,，:：、"))
        for pattern, route in self.patterns:
            if route.handler is not None and pattern.fullmatch(text):
                return Match(route.handler, route, text)
        return None

    def for_scene(self, scene: str) -> Match | None:
        """Return what a scanned code is for; the part after `:` becomes the argument."""
        prefix, _, rest = scene.partition(":")
        found = self.find("scene", scene) or self.find("scene", prefix)
        return Match(found.handler, found.route, rest) if found else None

    @property
    def fallback(self) -> Match:
        """Return the one that answers when nobody else does."""
        found = self.find("fallback", "*")
        if found is None:
            raise ConfigError("no handler is registered as the fallback")
        return found
