"""A running web server on a small context: real inboxes, dispatcher, Redis and templates."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from bot.dispatcher import Dispatcher
from bot.session import Session
from config.settings import Settings
from connectors.wechat.inbox import Inbox
from domain.clock import Clock, SystemClock
from domain.conversation import Answer, Inbound, TextMessage
from domain.figures import Figures
from domain.ids import AccountId, OpenId
from storage.redis.figures import MinuteFigures
from storage.redis.guards import Guards
from storage.redis.late import LateResults
from storage.redis.processes import Processes
from storage.redis.sealing import Sealer
from storage.redis.sessions import Sessions
from storage.redis.windows import Windows
from templates.environment import Renderer
from web.app import SERVER_OPTIONS, make_app

Answerer = Callable[[Inbound, Session], Awaitable[Answer]]


async def echo(message: Inbound, session: Session) -> Answer:
    """Say what was said."""
    if isinstance(message, TextMessage):
        return Answer("text", f"听到：{message.text}")
    return Answer.nothing()


@dataclass
class Talk:
    """A conversation that answers as a test wants and remembers what it was asked."""

    answerer: Answerer = echo
    heard: list[Inbound] = field(default_factory=list)

    async def answer(self, message: Inbound, session: Session) -> Answer:
        self.heard.append(message)
        return await self.answerer(message, session)


@dataclass
class Outbox:
    """Customer-service messages that were sent."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    fails: Exception | None = None
    hangs: asyncio.Event | None = None  # set when a message is being sent, for ever

    async def send(self, account: AccountId, openid: OpenId, text: str) -> None:
        if self.hangs:
            self.hangs.set()
            await asyncio.Event().wait()
        if self.fails:
            raise self.fails
        self.sent.append((openid, text))


class UnreadableLedger:
    """Overviews while MongoDB does not answer."""

    async def cached(self) -> None:
        raise TimeoutError


@dataclass
class SmallStores:
    """The stores that a process with the web role alone touches."""

    processes: Processes
    minute_figures: MinuteFigures


class Idle:
    """What a process looks after beside its roles, where there is nothing to look after."""

    async def refresh(self) -> None:
        return

    async def tick(self) -> None:
        return

    async def since(self) -> None:
        return

    async def leave(self) -> None:
        return


@dataclass
class SmallContext:
    """What the web role needs of an `AppContext`."""

    settings: Settings
    inboxes: Mapping[str, Inbox]
    dispatcher: Dispatcher
    late_results: LateResults
    renderer: Renderer
    stores: SmallStores
    clock: Clock
    overviews: UnreadableLedger = field(default_factory=UnreadableLedger)
    figures: Figures = field(default_factory=lambda: Figures(SystemClock()))
    troubles: dict[str, str | None] = field(default_factory=lambda: {"mongo": None, "redis": None})
    maintenance: Idle = field(default_factory=Idle)
    callback_keys: Idle = field(default_factory=Idle)
    department_desk: Idle = field(default_factory=Idle)
    secrets: Idle = field(default_factory=Idle)

    async def ready(self) -> dict[str, str | None]:
        return self.troubles


def make_dispatcher(
    redis: Redis,
    settings: Settings,
    clock: Clock,
    talk: Talk,
    outbox: Outbox,
    *,
    guards: Guards | None = None,
    **limits: float,
) -> Dispatcher:
    """Build a dispatcher as a process would, on its own Redis client."""
    sealer = Sealer(settings.security.master_key)
    conversation: Any = talk
    return Dispatcher(
        conversation,
        guards or Guards(redis, sealer),
        Sessions(redis, sealer),
        Windows(redis),
        LateResults(redis, sealer, clock),
        clock,
        settings.server.public_url,
        outbox.send,
        Renderer(),
        **limits,
    )


def make_context(
    redis: Redis, settings: Settings, clock: Clock, dispatcher: Dispatcher
) -> SmallContext:
    return SmallContext(
        settings=settings,
        inboxes={account.id: Inbox(account, clock) for account in settings.accounts},
        dispatcher=dispatcher,
        late_results=LateResults(redis, Sealer(settings.security.master_key), clock),
        renderer=Renderer(),
        stores=SmallStores(Processes(redis), MinuteFigures(redis)),
        clock=clock,
    )


@asynccontextmanager
async def serving(ctx: Any, port: int) -> AsyncIterator[str]:
    """Serve the application on 127.0.0.1 and give its address."""
    server = HTTPServer(make_app(ctx), **SERVER_OPTIONS)
    server.add_sockets(bind_sockets(port, "127.0.0.1"))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        await server.close_all_connections()
