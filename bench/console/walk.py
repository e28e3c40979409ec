"""Walking the console as people do: signed in, page after page, and how long each answer took."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from bench.console.pages import Ask
from domain.access import OperatorAccount, Role
from runtime.context import AppContext
from web.admin import cookies

SECONDS = 60.0  # for one answer; whatever takes so long is a failure
ROUNDS = 50  # of asking again while a number is being counted
PAUSE = 0.3  # seconds between them, as the page has it
PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Browser:
    """One browser; `csrf` is empty for nobody."""

    http: aiohttp.ClientSession
    csrf: str

    async def ask(self, base: str, ask: Ask) -> list[float]:
        """Ask and check the answer; returns the milliseconds of each request that it took.

        While a number is being counted it asks again after a pause, as the page does.
        """
        took: list[float] = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            text = await self._answer(base, ask)
            took.append((time.perf_counter() - begin) * 1000)
            if not (ask.again and ask.again in text):
                break
            await asyncio.sleep(PAUSE)
        if ask.holds not in text:
            raise RuntimeError(f"{ask.name} ({ask.path}) has no {ask.holds!r}: {text[:300]}")
        return took

    async def drain(self, base: str, ask: Ask) -> int:
        """Read a whole export, keeping nothing; returns how many bytes it had."""
        total = 0
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.http.get(URL(base + ask.path, encoded=True), timeout=timeout) as answer:
            async for piece in answer.content.iter_chunked(PIECE):
                total += len(piece)
        return total

    async def _answer(self, base: str, ask: Ask) -> str:
        url = URL(base + ask.path, encoded=True)
        async with self._request(url, ask) as answer:
            # a stream's headers are its first bytes: a browser shows the file's name with them
            text = "" if ask.is_stream else await answer.text()
            if ask.is_stream and answer.content_type != _XLSX:
                await answer.content.readany()
            if answer.status not in ask.statuses:
                raise RuntimeError(f"{ask.name} ({ask.path}): {answer.status} {text[:300]}")
            if ask.is_stream:
                answer.close()
        return text

    def _request(self, url: URL, ask: Ask) -> "aiohttp.client._RequestContextManager":
        if ask.form is None:
            return self.http.get(url, allow_redirects=False)
        body = urlencode([*ask.form.items(), ("_csrf", self.csrf)], doseq=True)
        kind = {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
        return self.http.post(url, data=body, headers=kind, allow_redirects=False)


_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Browsers = Mapping[Role | None, Browser]


@asynccontextmanager
async def browsers(
    ctx: AppContext, base: str, people: Mapping[Role, OperatorAccount]
) -> AsyncIterator[Browsers]:
    """Open a browser for everybody, signed in, and one for nobody."""
    async with AsyncExitStack() as stack:

        async def opened(kept: Mapping[str, str], csrf: str) -> Browser:
            jar = aiohttp.CookieJar(unsafe=True)  # 127.0.0.1 may have cookies too
            jar.update_cookies(dict(kept), URL(base))
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            http = aiohttp.ClientSession(cookie_jar=jar, timeout=timeout)
            return Browser(await stack.enter_async_context(http), csrf)

        found: dict[Role | None, Browser] = {None: await opened({}, "")}
        for role, operator in people.items():
            token, session = await ctx.sign_in.open(operator, remote="127.0.0.1", agent="bench")
            csrf = cookies.signed(session.csrf_secret, "csrf", session.id)
            found[role] = await opened({cookies.SESSION: token}, csrf)
        yield found


@dataclass(slots=True)
class Walk:
    """What was asked so far: how long each answer took, and what went wrong instead."""

    base: str
    known: Browsers
    times: dict[str, list[float]] = field(default_factory=dict)
    waits: dict[str, list[float]] = field(default_factory=dict)  # until a number was there
    faults: dict[str, str] = field(default_factory=dict)

    async def through(self, asks: Sequence[Ask], rounds: int) -> None:
        """Ask for everything, one after the other, so many rounds."""
        for _ in range(rounds):
            for ask in asks:
                try:
                    took = await self.known[ask.role].ask(self.base, ask)
                except Exception as error:  # outermost: the other pages go on
                    self.faults[ask.name] = f"{type(error).__name__}: {error}"
                else:
                    self.times.setdefault(ask.name, []).extend(took)
                    if ask.again:
                        waited = sum(took) + PAUSE * 1000 * (len(took) - 1)
                        self.waits.setdefault(ask.name, []).append(waited)

    def medians(self) -> dict[str, float]:
        """Return the median of each, the slowest first."""
        found = {name: statistics.median(each) for name, each in self.times.items()}
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))
