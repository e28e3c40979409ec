"""A WeChat platform for the push engine's tests: it remembers every card it delivered.

Unlike `wechat_stub` it behaves like the real one: one `client_msg_id` per person is carried out
once in ten minutes, and a fault can strike before or after the message was carried out.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from domain.clock import Clock

WINDOW = timedelta(minutes=10)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a send. `carried_out`: the citizen gets the card all the same."""

    code: int = 0  # an errcode, if the platform answers at all
    silent: bool = False  # no answer: the connection is cut
    carried_out: bool = False


SWALLOWED = Fault(silent=True)
ANSWER_LOST = Fault(silent=True, carried_out=True)


@dataclass
class Platform:
    """What the platform knows; `fault` decides per (openid, how often it was asked for them)."""

    clock: Clock
    url: str = ""
    latency: float = 0.0
    token_seconds: float = 0.0  # until the token call answers
    fault: Callable[[str, int], Fault | None] = lambda _openid, _number: None
    on_card: Callable[[str, str], None] = lambda _openid, _msgid: None
    cards: list[tuple[str, str]] = field(default_factory=list)  # (openid, client_msg_id)
    messages: list[dict[str, Any]] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)  # every request, on the monotonic clock
    asked: Counter[str] = field(default_factory=Counter)
    # the other channels: who agreed how often, who may be written to, what left, what goes wrong
    agreed: Counter[str] = field(default_factory=Counter)
    refuses_custom: int = 0
    other_fault: Callable[[str, str], Fault | None] = lambda _channel, _openid: None
    notices: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    masses: list[dict[str, Any]] = field(default_factory=list)
    mass_calls: list[dict[str, Any]] = field(default_factory=list)
    _seen: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    _msgids: Any = field(default_factory=lambda: itertools.count(3717005636572528642))

    @property
    def cards_per_person(self) -> Counter[str]:
        return Counter(openid for openid, _ in self.cards)

    async def token(self, _request: web.Request) -> web.Response:
        await asyncio.sleep(self.token_seconds)
        return web.json_response({"access_token": "token", "expires_in": 7200})

    async def send(self, request: web.Request) -> web.StreamResponse:
        self.arrivals.append(time.monotonic())
        message = await request.json()
        openid = message["touser"]
        self.asked[openid] += 1
        fault = self.fault(openid, self.asked[openid])
        if fault is not None and not fault.carried_out:
            return await self._answer(request, fault, "")
        msgid = self._carry_out(message)
        if self.latency:
            await asyncio.sleep(self.latency)
        return await self._answer(request, fault, msgid)

    async def notice(self, request: web.Request) -> web.StreamResponse:
        """Answer bizsend: no key against repetition, a consent for each."""
        openid = (await request.json())["touser"]

        def carry_out() -> int:
            if self.agreed[openid] < 1:
                return 43101
            self.agreed[openid] -= 1
            self.notices.append(openid)
            return 0

        return await self._other(request, "subscription", openid, carry_out)

    async def custom(self, request: web.Request) -> web.StreamResponse:
        """Answer custom/send."""
        message = await request.json()

        def carry_out() -> int:
            if self.refuses_custom:
                return self.refuses_custom
            self.texts.append((message["touser"], message["text"]["content"]))
            return 0

        return await self._other(request, "custom", message["touser"], carry_out)

    async def mass(self, request: web.Request) -> web.StreamResponse:
        """Answer mass/send: one job per clientmsgid."""
        message = await request.json()
        self.mass_calls.append(message)
        known = [each for each in self.masses if each["clientmsgid"] == message["clientmsgid"]]

        def carry_out() -> int:
            if known:
                return 45065
            self.masses.append(message)
            return 0

        msg_id = 1000 + (self.masses.index(known[0]) if known else len(self.masses))
        return await self._other(request, "mass", "", carry_out, msg_id=msg_id)

    async def _other(
        self,
        request: web.Request,
        channel: str,
        openid: str,
        carry_out: Callable[[], int],
        **more: int,
    ) -> web.StreamResponse:
        fault = self.other_fault(channel, openid)
        if fault is not None and not fault.carried_out:
            return await self._answer(request, fault, "0")
        code = carry_out()
        if fault is not None:
            return await self._answer(request, fault, "0")
        return web.json_response({"errcode": code, "errmsg": "rid: 1-2-3", **more})

    def _carry_out(self, message: dict[str, Any]) -> str:
        key = (message["touser"], message["client_msg_id"])
        now = self.clock.now()
        seen = self._seen.get(key)
        if seen is not None and now - seen[1] < WINDOW:
            return seen[0]
        msgid = str(next(self._msgids))
        self._seen[key] = (msgid, now)
        self.cards.append(key)
        self.messages.append(message)
        self.on_card(key[0], msgid)
        return msgid

    @staticmethod
    async def _answer(request: web.Request, fault: Fault | None, msgid: str) -> web.StreamResponse:
        if fault is not None and fault.silent:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if fault is not None and fault.code:
            return web.json_response({"errcode": fault.code, "errmsg": "refused rid: 1-2-3"})
        return web.json_response({"errcode": 0, "errmsg": "ok", "msgid": int(msgid)})


@asynccontextmanager
async def running_platform(clock: Clock) -> AsyncIterator[Platform]:
    """Run a `Platform` on a free port."""
    platform = Platform(clock)
    app = web.Application()
    app.router.add_post("/cgi-bin/stable_token", platform.token)
    app.router.add_post("/cgi-bin/message/template/send", platform.send)
    app.router.add_post("/cgi-bin/message/subscribe/bizsend", platform.notice)
    app.router.add_post("/cgi-bin/message/custom/send", platform.custom)
    app.router.add_post("/cgi-bin/message/mass/send", platform.mass)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    platform.url = f"http://{host}:{port}"
    try:
        yield platform
    finally:
        await runner.cleanup()
