"""The page with the citizens' phones, and its live feed (Server-Sent Events)."""

import asyncio
from typing import Any

import orjson
from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from sandbox.accounts import Account
from sandbox.control_reads import lines_after
from sandbox.feed import Listener
from sandbox.world import World
from templates.environment import Renderer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PING_SECONDS = 15.0
STATES = {
    "stranger": "未关注",
    "follows": "已关注",
    "left": "已取消关注",
    "muted": "已关注，拒收消息",
    "blacklisted": "已关注，在黑名单",
    "frozen": "账号被冻结",
}


class _Page(RequestHandler):
    def initialize(self, world: World) -> None:
        self.world = world

    def account(self) -> Account | None:
        """Return the account the page is about, by default the first."""
        name = self.get_query_argument("account", "")
        if not name:
            return next(iter(self.world.accounts.values()), None)
        return self.world.accounts.get(name)


class Phones(_Page):
    """`/sandbox/`: several citizens side by side."""

    def initialize(self, world: World, renderer: Renderer) -> None:  # type: ignore[override]  # Tornado passes a route's own arguments
        super().initialize(world)
        self.renderer = renderer

    def get(self) -> None:
        account = self.account()
        if account is None:
            self.set_status(404)
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        page = self.renderer.page(
            "sandbox/phones.html",
            {
                "account": account,
                "accounts": list(self.world.accounts.values()),
                "citizens": self.world.citizens(account.id) if account else [],
                "menu": (account.menu or self.world.menu or {"button": []}) if account else {},
                "states": STATES,
            },
        )
        self.finish(page)


class Events(_Page):
    """`/sandbox/events`: first what the page has missed, then everything as it happens.

    A browser that reconnects says the number of the last line it saw.
    """

    listener: Listener | None = None

    def on_connection_close(self) -> None:
        """The page was closed: stop waiting for news."""
        if self.listener is not None:
            self.listener.hand(None)

    async def get(self) -> None:
        account = self.account()
        if account is None:
            self.send_error(404)
            return
        openids = self.get_query_arguments("openid")
        after = self.request.headers.get("Last-Event-ID", "")
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        async with self.world.feed.listen(account.id, openids) as listener:
            self.listener = listener
            try:
                await self._catch_up(account, openids, int(after) if after.isdecimal() else 0)
                while (news := await self._next(listener.queue)) is not None:
                    await self._tell(*news)
            except StreamClosedError:
                return  # the page was closed

    async def _catch_up(self, account: Account, openids: list[str], after: int) -> None:
        menu = account.menu or self.world.menu or {"button": []}
        await self._tell("menu", dict(menu))
        missed: list[dict[str, Any]] = []
        for openid in openids:
            person = account.followers.get(openid)
            if person is None:
                continue
            await self._tell("state", {"openid": openid, "state": person.state})
            for exchange in person.exchanges or ():
                await self._tell("exchange", {"openid": openid, **exchange.as_json()})
            missed += ({"openid": openid, **line} for line in lines_after(account, openid, after))
        for line in sorted(missed, key=lambda line: int(line["seq"])):
            await self._tell("line", line)

    async def _next(self, queue: asyncio.Queue[Any]) -> Any:
        try:
            async with asyncio.timeout(PING_SECONDS):
                return await queue.get()
        except TimeoutError:
            return "ping", {}

    async def _tell(self, kind: str, content: dict[str, Any]) -> None:
        number = f"id: {content['seq']}\n" if kind == "line" else ""
        self.write(f"event: {kind}\n{number}data: {orjson.dumps(content).decode()}\n\n")
        await self.flush()
