"""A served console, and browsers in it that are signed in as whoever a test wants."""

import itertools
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
from argon2 import PasswordHasher
from yarl import URL

from domain.access import EVERYWHERE, Grants, OperatorAccount, Role
from domain.console_session import Session
from domain.ids import AccountId
from domain.rights import SEPARATE
from runtime.context import AppContext
from storage.mongo.hashing import PasswordHashes
from storage.mongo.operators import MongoOperators
from web.admin import cookies

PASSWORD = "correct-horse-battery-1"
QUICK = PasswordHashes(PasswordHasher(1, 64, 1))  # the real cost would be most of each test
Form = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser got."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def location(self) -> str:
        """Where it is led to."""
        return self.headers.get("Location", "")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Client:
    """One browser. `operator` and `session` are None for nobody."""

    base: str
    http: aiohttp.ClientSession
    operator: OperatorAccount | None = None
    session: Session | None = None

    @property
    def csrf(self) -> str:
        """The token of this session's forms."""
        assert self.session is not None
        return cookies.signed(self.session.csrf_secret, "csrf", self.session.id)

    @property
    def cookies(self) -> list[dict[str, str]]:
        """The cookies as Chromium wants them."""
        return [
            {"name": one.key, "value": one.value, "url": self.base} for one in self.http.cookie_jar
        ]

    async def get(self, path: str, *, htmx: bool = False) -> Answer:
        """Ask for a page; redirects are not followed."""
        return await self._ask("GET", path, headers=_headers(htmx))

    async def post(
        self, path: str, form: Form | None = None, *, csrf: bool = True, htmx: bool = False
    ) -> Answer:
        """Send a form with this session's token; a list is sent as several fields."""
        fields = [
            (name, one)
            for name, value in (form or {}).items()
            for one in ([value] if isinstance(value, str) else value)
        ]
        if csrf and self.session is not None:
            fields.append(("_csrf", self.csrf))
        # a stream: a large body may be sent piece by piece
        body = BytesIO(urlencode(fields, errors="surrogatepass").encode())
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._ask("POST", path, data=body, headers=_headers(htmx) | kind)

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Ask in any way at all, without what a form of ours brings."""
        return await self._ask(method, path, **more)

    async def _ask(self, method: str, path: str, **more: Any) -> Answer:
        address = URL(self.base + path, encoded=True)
        async with self.http.request(method, address, allow_redirects=False, **more) as answer:
            if answer.content_type == "text/event-stream":  # has no end
                return Answer(answer.status, "", answer.headers)
            text = await answer.text(errors="replace")
            return Answer(answer.status, text, answer.headers)


@dataclass(frozen=True, slots=True)
class Console:
    """The console of a running service."""

    ctx: AppContext
    base: str
    stack: AsyncExitStack
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def operator(
        self, roles: Collection[Role] = ("editor",), account: str | None = "city", name: str = ""
    ) -> OperatorAccount:
        """Create an operator; the three separate roles are always granted everywhere."""
        held = frozenset(roles)
        where = EVERYWHERE if account is None or held & SEPARATE else AccountId(account)
        return await self.operator_with({where: held}, name)

    async def operator_with(self, grants: Grants, name: str = "") -> OperatorAccount:
        """Create an operator with any grants; their password is `PASSWORD`."""
        operators = MongoOperators(self.ctx.stores.database, QUICK)
        name = name or f"王芳{next(self.numbers)}"
        made = await operators.create(name, grants, PASSWORD, now=self.ctx.clock.now())
        return cast("OperatorAccount", await operators.find(made))

    async def as_(
        self,
        roles: Collection[Role] = ("editor",),
        account: str | None = "city",
        name: str = "",
    ) -> Client:
        """Return a browser in which a new operator with these roles is signed in."""
        return await self.signed_in(await self.operator(roles, account, name))

    async def signed_in(self, operator: OperatorAccount) -> Client:
        """Return a browser in which this operator is signed in."""
        token, session = await self.ctx.sign_in.open(operator, remote="127.0.0.1", agent="test")
        http = await self._http({cookies.SESSION: token})
        return Client(base=self.base, http=http, operator=operator, session=session)

    async def nobody(self) -> Client:
        """Return a browser in which nobody is signed in."""
        return Client(base=self.base, http=await self._http({}))

    async def _http(self, kept: Mapping[str, str]) -> aiohttp.ClientSession:
        jar = aiohttp.CookieJar(unsafe=True)  # 127.0.0.1 may have cookies too
        jar.update_cookies(dict(kept), URL(self.base))
        session = aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=20))
        return await self.stack.enter_async_context(session)


@asynccontextmanager
async def open_console(ctx: AppContext, base: str) -> AsyncIterator[Console]:
    """Use the console of a context that is served at `base`; browsers are closed afterwards."""
    async with AsyncExitStack() as stack:
        yield Console(ctx, base, stack)


def _headers(htmx: bool) -> dict[str, str]:
    return {"HX-Request": "true"} if htmx else {}
