"""The section `console`: an account with everything in it, and every page of it timed."""

import asyncio
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.console import pages, sent
from bench.console.data import Stock, furnish
from bench.console.pages import Ask
from bench.console.walk import Walk, browsers
from bench.plan import Plan
from bench.processes import Running, server, spread
from bench.push.city import ACCOUNT, City, open_city, until
from bench.report import Property, Section, at_most, told
from domain.broadcast import Audience
from domain.ids import BroadcastId

BAR = 500.0  # ms at the median
SHOWN = 10  # the slowest of them
ROUNDS, ROUNDS_SMALL = 5, 1
MORE = 6  # of a page that missed the bar, alone: a neighbour may have been busy
DEEP, PAGE = 200, 500  # pages to go down in a list of people
MEMORY_MB = 200.0  # of the web process after it gave away a million rows, twice
SENT = 10_000  # sends after which people look at a broadcast that is under way


async def measure(plan: Plan) -> Section:
    """Fill a city, walk its console in all its states, and hold what was slow against the bar."""
    async with open_city(plan) as city:
        return section(plan, *await measured(city, await furnish(city)))


def section(plan: Plan, walk: Walk, found: Sequence[Property]) -> Section:
    """Return what was found as a table."""
    slow = walk.medians()
    missed = [name for name, took in slow.items() if took > BAR]
    shown = list(slow)[: max(SHOWN, len(missed))]
    return Section(
        name="console",
        title=f"The console, {plan.people:,} subscribers",
        rows=(),
        properties=[
            *_patience(walk),
            told("pages, parts, plots and streams asked for", len(slow)),
            at_most("those slower than half a second at the median", len(missed), 0),
            *(
                Property(name=name, measured=f"failed: {why}", reached=False)
                for name, why in walk.faults.items()
            ),
            *(at_most(name, slow[name], BAR, unit="ms") for name in shown),
            *found,
        ],
        checked="every status, and the figures of what counts people",
    )


def _patience(walk: Walk) -> list[Property]:
    """Tell how long it is until a number of people stands there, however often it was asked."""
    found = {name: statistics.median(each) / 1000 for name, each in walk.waits.items()}
    if not found:
        return []
    slowest = max(found, key=lambda name: found[name])
    usual = statistics.median(found.values())
    note = f"{slowest}; half of {len(found)} audiences {usual:.2f} s"
    name = "a number of people stands there after, slowest"
    return [told(name, found[slowest], unit="s", note=note)]


async def measured(city: City, stock: Stock) -> tuple[Walk, list[Property]]:
    """Walk the console while most of the big broadcast is sent, afterwards, and beside another."""
    rounds = ROUNDS_SMALL if city.is_small else ROUNDS
    async with AsyncExitStack() as stack:
        stack.enter_context(spread(city.mongod, (city.plan.server_core,)))
        web = await stack.enter_async_context(_web(city))
        base = f"http://127.0.0.1:{web.port}"
        known = await stack.enter_async_context(browsers(city.ctx, base, stock.people))
        walk = Walk(base, known)

        async def through(asks: Sequence[Ask]) -> None:
            await walk.through(asks, rounds)
            slow = walk.medians()
            await walk.through([ask for ask in asks if slow.get(ask.name, 0) > BAR], MORE)

        await through(pages.while_sending(stock.big, "99 % of all are sent"))
        await sent.finish(city, stock.big)
        everything = [*pages.everything(city, stock), *await pages.parts(city, stock)]
        everything += pages.deep(city, stock, await _cursor(city, stock), _older(city))
        await through(everything)
        async with _under_way(city) as broadcast:
            await through(pages.while_sending(broadcast, "while it is sent"))
        return walk, await _exports(city, stock, walk, web)


@asynccontextmanager
async def _web(city: City) -> AsyncIterator[Running]:
    """Run the service on the core where the databases are now."""
    port = city.settings.server.port
    arguments = ["run.py", "serve", "--roles", "web", "--config", str(city.file)]
    core, log = city.plan.server_core, city.plan.folder / "web.log"
    async with server(arguments, port=port, core=core, log=log) as running:
        yield running


@asynccontextmanager
async def _under_way(city: City) -> AsyncIterator[BroadcastId]:
    """Really send a broadcast to everybody while the block lasts; then cancel it."""
    await city.reset(latency=0.02 if city.is_small else 0.0)
    core = city.plan.client_core
    async with city.engine("engine", core=core):
        broadcast = await city.order(Audience(all=True))

        async def has_begun() -> bool:
            await asyncio.sleep(0.1)
            return await city.sent() >= (100 if city.is_small else SENT)

        await until(has_begun, 120.0)
        yield broadcast
        if await city.state(broadcast) == "sending":
            await city.ctx.broadcasts.cancel(broadcast)


async def _cursor(city: City, stock: Stock) -> str:
    """Walk down the list of the big broadcast's people."""
    cursor: str | None = None
    for _ in range(2 if city.is_small else DEEP):
        page = await city.ctx.lists.people(stock.big, ACCOUNT, cursor=cursor, limit=PAGE)
        cursor = page.cursor
    assert cursor
    return cursor


def _older(city: City) -> int:
    """Return a moment in the middle of the busiest follower's history, in milliseconds."""
    return int(city.ctx.clock.now().timestamp() * 1000) - 14 * 24 * 3_600_000


async def _exports(city: City, stock: Stock, walk: Walk, web: Running) -> list[Property]:
    """Take everybody's outcome away in both formats; the process must not grow with them."""
    before = _peak_mb(web.pid)
    sizes = []
    for kind in ("csv", "xlsx"):
        ask = pages.export(stock.big, kind)
        sizes.append(await walk.known[ask.role].drain(walk.base, ask) / 1e6)
    peak = _peak_mb(web.pid)
    rows = f"{city.plan.people:,} rows: {sizes[0]:.0f} MB of CSV, {sizes[1]:.0f} MB of XLSX"
    note = f"{rows}; {before:.0f} MB before"
    return [
        at_most("memory of the web process after exports", peak, MEMORY_MB, unit="MB", note=note)
    ]


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
