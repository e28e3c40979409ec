"""Which loops a process runs (角色): web, push, scheduler, in any combination.

Everything started here is owned here: it ends, in reverse order, when the stop event is set or
when one part fails, and a failure ends the process so that its supervisor starts a fresh one.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application

from config.settings import Settings
from domain.errors import ConfigError
from push.audit_keeping import AuditKeeper
from push.channels.ways import Ways
from push.chunks import Chunks
from push.closing import Closer
from push.digests import Digests
from push.gate import Gate
from push.jobs import Jobs
from push.personal import personal_gateways
from push.planner import Planner
from push.recovery import Recovery
from push.retention import Retention
from push.sender import Sender
from push.worker import Worker
from runtime.context import AppContext, open_context, process_name
from runtime.counting import handing_over
from runtime.ticks import Tick, ticking
from runtime.triggers import make_triggers
from runtime.watching import watching_ticks
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

MakeApp = Callable[[AppContext], Application]
ALL_ROLES = frozenset({"web", "push", "scheduler"})
PLAN_EVERY = timedelta(milliseconds=500)
DIGEST_EVERY = timedelta(seconds=2)
QUOTA_EVERY = timedelta(seconds=5)  # it asks the platform far less often
REPORT_EVERY = timedelta(seconds=5)
RETIRE_EVERY = timedelta(seconds=30)
RECOVER_EVERY = timedelta(milliseconds=500)
TRIGGER_EVERY = timedelta(seconds=1)
AUDIT_EVERY = timedelta(minutes=5)
TURN_EVERY = timedelta(seconds=3)  # whose turn it is, not how often it is counted
BEAT_EVERY = timedelta(seconds=5)
LOOK_EVERY = timedelta(seconds=2)  # for what people change: notices, keys
STOP_SECONDS = 5.0  # leases are given back within this


async def serve(
    settings: Settings,
    roles: frozenset[str],
    make_app: MakeApp,
    server_options: dict[str, Any],
    stop: asyncio.Event,
    *,
    make_ops_app: MakeApp | None = None,
) -> None:
    """Run these roles until told to stop; `make_ops_app` is for `server.metrics_port`."""
    async with (
        open_context(settings) as ctx,
        _watched(ctx, make_ops_app, server_options),
        running(ctx, roles, make_app, server_options) as failed,
    ):
        _spare_the_collector()
        log.info("serve.started", extra={"roles": ",".join(sorted(roles))})
        await stopped_or_failed(stop, failed)
        log.info("serve.stopping")


def _spare_the_collector() -> None:
    """Let the garbage collector pass over what lives as long as the process does.

    Measured: 11–19 % more sends a second, 7 % more callbacks.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def stopped_or_failed(stop: asyncio.Event, failed: "asyncio.Future[None]") -> None:
    """Wait until told to stop; raise when one of the loops failed instead."""
    waiting = asyncio.ensure_future(stop.wait())
    waits: set[asyncio.Future[Any]] = {waiting, failed}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if failed.done():
        failed.result()


@asynccontextmanager
async def running(
    ctx: AppContext,
    roles: frozenset[str],
    make_app: MakeApp,
    server_options: dict[str, Any],
) -> AsyncIterator["asyncio.Future[None]"]:
    """Run the roles while the block lasts; the future fails when one of their loops does."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_beating(ctx, roles))
        await stack.enter_async_context(handing_over(ctx))
        if "web" in roles:
            await stack.enter_async_context(_listening(ctx, make_app, server_options))
        if "push" in roles:
            await stack.enter_async_context(_pushing(ctx, failed))
        if "scheduler" in roles:
            await stack.enter_async_context(_planning(ctx))
        yield failed
    if not failed.done():
        failed.cancel()


@asynccontextmanager
async def _listening(
    ctx: AppContext, make_app: MakeApp, options: dict[str, Any]
) -> AsyncIterator[None]:
    server = _listen(ctx, make_app, options, "port", ctx.settings.server.port)
    try:
        yield
    finally:
        server.stop()
        await ctx.dispatcher.aclose()  # what is being worked on is still answered
        await asyncio.sleep(0)  # those answers are written in the turn that ends their tasks
        async with asyncio.timeout(STOP_SECONDS):
            await server.close_all_connections()


@asynccontextmanager
async def _watched(
    ctx: AppContext, make_ops_app: MakeApp | None, options: dict[str, Any]
) -> AsyncIterator[None]:
    """Show health and metrics on a port of their own, where there is one in the settings."""
    port = ctx.settings.server.metrics_port
    if port is None or make_ops_app is None:
        yield
        return
    server = _listen(ctx, make_ops_app, options, "metrics_port", port)
    try:
        yield
    finally:
        server.stop()
        async with asyncio.timeout(STOP_SECONDS):
            await server.close_all_connections()


def _listen(
    ctx: AppContext, make_app: MakeApp, options: dict[str, Any], setting: str, port: int
) -> HTTPServer:
    host = ctx.settings.server.host
    server = HTTPServer(make_app(ctx), xheaders=False, **options)
    try:
        server.listen(port, host, reuse_port=False)
    except OSError as error:
        raise ConfigError(
            f"settings server.host and server.{setting}: {host}:{port} cannot be listened "
            f"on ({error.strerror}); stop what uses it or choose another port"
        ) from error
    return server


@asynccontextmanager
async def _beating(ctx: AppContext, roles: frozenset[str]) -> AsyncIterator[None]:
    """Say every few seconds that this process lives, for `push status`."""
    name = process_name()
    what = ",".join(sorted(roles))
    processes = ctx.stores.processes

    async def beat() -> None:
        try:
            await processes.beat(name, what, ctx.clock.now())
        except StoreAway as error:
            log.warning("processes.away", extra={"reason": f"{error}; said again in a moment"})

    await beat()
    await ctx.maintenance.refresh()
    await ctx.callback_keys.tick()
    await ctx.secrets.since()  # notes those that have changed
    ticks: dict[str, tuple[Tick, timedelta]] = {
        "beat": (beat, BEAT_EVERY),
        "departments": (ctx.department_desk.tick, BEAT_EVERY),
        "maintenance": (ctx.maintenance.refresh, LOOK_EVERY),
        "callback_keys": (ctx.callback_keys.tick, LOOK_EVERY),
    }
    async with ticking(ticks):
        yield
    await ctx.department_desk.leave()
    with suppress(StoreAway):  # a minute later it is forgotten anyway
        await processes.leave(name, what)


@asynccontextmanager
async def _planning(ctx: AppContext) -> AsyncIterator[None]:
    """Tick the planner, the triggers, the digests, retention and reports."""
    planner = Planner(
        ctx.stores.broadcasts, ctx.fanout, ctx.clock, quiet_hours=ctx.settings.push.quiet_hours
    )
    triggers = make_triggers(ctx)
    ticks: dict[str, tuple[Tick, timedelta]] = {
        "plan": (planner.tick, PLAN_EVERY),
        "triggers": (triggers.tick, TRIGGER_EVERY),
        "digests": (make_digests(ctx).tick, DIGEST_EVERY),
        "retention": (make_retention(ctx).tick, RETIRE_EVERY),
        "audit": (make_audit_keeper(ctx).tick, AUDIT_EVERY),
        "reports": (ctx.reports.tick, REPORT_EVERY),
        "topics": (ctx.topic_numbers.tick, TURN_EVERY),
        "templates": (ctx.template_watch.tick, TURN_EVERY),
    }
    async with ticking(ticks | watching_ticks(ctx)):
        try:
            yield
        finally:
            await triggers.aclose()
            await planner.aclose()


@asynccontextmanager
async def _pushing(ctx: AppContext, failed: "asyncio.Future[None]") -> AsyncIterator[None]:
    """Run the worker and its recovery tick."""
    worker, recovery = make_worker(ctx)
    stop = asyncio.Event()
    working = asyncio.create_task(worker.run(stop))

    def ended(task: asyncio.Task[None]) -> None:
        if not failed.done() and not task.cancelled() and (error := task.exception()):
            failed.set_exception(error)

    working.add_done_callback(ended)
    async with ticking(
        {"recover": (recovery.tick, RECOVER_EVERY), "quota": (ctx.quotas.tick, QUOTA_EVERY)}
    ):
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({working}, timeout=STOP_SECONDS)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def make_digests(ctx: AppContext) -> Digests:
    """Put together what makes digests."""
    stores = ctx.stores
    return Digests(
        stores.notices,
        stores.digests,
        ctx.digest_cards,
        ctx.fanout,
        ctx.accounts,
        ctx.clock,
    )


def make_retention(ctx: AppContext) -> Retention:
    """Put together what lets records go."""
    stores, days = ctx.stores, ctx.settings.push.history_days
    return Retention(stores.erasures, stores.retention, ctx.clock, history=timedelta(days=days))


def make_audit_keeper(ctx: AppContext) -> AuditKeeper:
    """Put together what lets old audit entries go."""
    kept = timedelta(days=ctx.settings.audit.days)
    return AuditKeeper(ctx.stores.audit, ctx.audit, ctx.clock, kept=kept)


def make_worker(ctx: AppContext) -> tuple[Worker, Recovery]:
    """Put the sending side together; both share what they know of running broadcasts."""
    stores, push, clock = ctx.stores, ctx.settings.push, ctx.clock
    jobs = Jobs(
        stores.broadcasts,
        stores.notices,
        ctx.audiences,
        stores.fields,
        ctx.digest_cards,
        ctx.personal,
    )
    gate = Gate(stores.broadcasts, clock, quiet_hours=push.quiet_hours)
    closer = Closer(stores.broadcasts, stores.ledger, stores.deliveries, stores.ring, clock)
    gateways = personal_gateways(ctx.platforms, ctx.personal)
    sender = Sender(gateways, stores.limiter, ctx.subscriptions, clock)
    ways = Ways.over(
        gateways,
        sender,
        consents=stores.consents,
        attempts=stores.attempts,
        slots=stores.slots,
        mass_jobs=stores.mass_jobs,
        windows=stores.windows,
        clock=clock,
    )
    chunks = Chunks(
        stores.ledger,
        stores.deliveries,
        ctx.receipts,
        jobs,
        sender,
        stores.limiter,
        gate,
        clock,
        ways,
    )
    worker = Worker(
        stores.ring,
        stores.ledger,
        chunks,
        jobs,
        gate,
        ctx.broadcasts,
        closer,
        clock,
        concurrency=push.concurrency,
        lease=timedelta(seconds=push.lease_seconds),
    )
    recovery = Recovery(
        stores.broadcasts,
        stores.ledger,
        stores.ring,
        ctx.broadcasts,
        chunks,
        jobs,
        closer,
        ctx.receipts,
        clock,
    )
    return worker, recovery
