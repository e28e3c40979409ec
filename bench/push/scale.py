"""A million people: counting them, expanding them, the memory of it; stopping at full speed."""

import asyncio
import statistics
import time

from bench.processes import Program, spread
from bench.push.city import ACCOUNT, DISTRICTS, TOPICS, City, until
from bench.report import Property, at_least, at_most, told
from domain.broadcast import Audience
from domain.ids import BroadcastId, RegionCode, TopicId

COUNT_SECONDS = 1.0  # bars
EXPANSION_SECONDS = 30.0
MEMORY_MB = 200.0
STOP_SECONDS = 1.0
SENT_FOR_MEMORY = 150_000  # of the million; more would only take longer
STOPS = 3
WAIT = 2.0  # seconds after a stop in which a send would be seen
TRIAL_WAIT = 0.5  # the same in a trial, and there the platform takes its time, lest all be sent
TRIAL_LATENCY = 0.2


def imported(city: City) -> list[Property]:
    """Tell how fast everybody came in."""
    rate = city.plan.people / city.import_seconds
    return [told(f"import of {city.plan.people:,}", rate, unit="lines/s")]


async def counts(city: City) -> list[Property]:
    """Count audiences of every shape, each three times; MongoDB has all cores for it.

    Nothing else is measured meanwhile, and a count reads from several threads.
    """
    water, power = TopicId(TOPICS[0]), TopicId(TOPICS[1])
    district = RegionCode(DISTRICTS[0])
    shapes = {
        "everybody": Audience(all=True),
        "a topic": Audience(topics=(power,)),
        "two topics": Audience(topics=(power, TopicId(TOPICS[2]))),
        "topic and district": Audience(topics=(water,), regions=(district,)),
        "topic and city": Audience(topics=(power,), regions=(RegionCode("440300"),)),
        "a tag": Audience(tags=("s0",)),
        "topic, district and tag": Audience(
            topics=(water,), regions=(district,), tags=("s0", "s1")
        ),
    }
    found: dict[str, float] = {}
    with spread(city.mongod, (city.plan.server_core, city.plan.client_core)):
        for name, audience in shapes.items():
            took = []
            for _ in range(3):
                begin = time.perf_counter()
                await city.ctx.audiences.count(ACCOUNT, audience)
                took.append(time.perf_counter() - begin)
            found[name] = statistics.median(took)
    slowest = max(found, key=lambda name: found[name])
    told_all = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found.items())
    return [
        at_most(
            f"audience count at {city.plan.people:,}, slowest ({slowest})",
            found[slowest],
            COUNT_SECONDS,
            unit="s",
            note=told_all,
        )
    ]


async def expansion(city: City, scheduler: Program) -> tuple[BroadcastId, list[Property]]:
    """Expand a broadcast for everybody; no worker takes anything meanwhile."""
    begin = time.monotonic()
    broadcast = await city.order(Audience(all=True))
    store = city.ctx.stores.broadcasts

    async def is_expanded() -> bool:
        return await store.find_expanded(broadcast) is not None

    await until(is_expanded, 4 * EXPANSION_SECONDS)
    took = time.monotonic() - begin
    people = city.plan.people
    return broadcast, [
        at_most(f"expansion of {people:,}, due to ready", took, EXPANSION_SECONDS, unit="s"),
        at_most("memory of the scheduler that did it", scheduler.peak_mb(), MEMORY_MB, unit="MB"),
    ]


async def sending(city: City, worker: Program, broadcast: BroadcastId) -> list[Property]:
    """Send part of the million, stopping and going on; then cancel."""
    people = city.plan.people
    target = people // 4 if city.is_small else min(SENT_FOR_MEMORY, people // 2)
    await city.reset(latency=TRIAL_LATENCY if city.is_small else 0.0)
    before = worker.peak_mb()
    worker.go_on()
    stops: list[float] = []
    times = 1 if city.is_small else STOPS
    for stop in range(1, times + 1):
        await _reaches(city, target * stop // (times + 1))
        stops.append(await _stop(city, broadcast, cancel=False))
        await city.ctx.broadcasts.resume(broadcast)
    await _reaches(city, target)
    peak = worker.peak_mb()
    cancelled = await _stop(city, broadcast, cancel=True)
    found = await city.tally()
    await _closed(city, broadcast)
    report = await city.ctx.broadcasts.report(broadcast)
    counts = report.counts
    concluded = counts.sent + counts.failed + counts.skipped + counts.unknown
    city.recipients += counts.sent
    city.lost += counts.sent - int(found["distinct"])
    city.doubled += int(found["doubled"])
    return [
        at_most(
            f"memory of a push process, {people:,} ready, {found['total']:,} of them sent",
            peak,
            MEMORY_MB,
            unit="MB",
            note=f"{before:.0f} before",
        ),
        at_most(f"last send after the answer to pause, worst of {times}", max(stops), STOP_SECONDS,
                unit="s"),
        at_most("last send after the answer to cancel", cancelled, STOP_SECONDS, unit="s"),
        at_least("cancelled: everybody counted", concluded, counts.audience),
    ]  # fmt: skip


async def _reaches(city: City, number: int) -> None:
    async def has_reached() -> bool:
        await asyncio.sleep(0.1)
        return await city.sent() >= number

    await until(has_reached, 90.0)


async def _stop(city: City, broadcast: BroadcastId, *, cancel: bool) -> float:
    """Stop at full speed; return how much later than the answer the last send came."""
    if cancel:
        await city.ctx.broadcasts.cancel(broadcast)
    else:
        await city.ctx.broadcasts.pause(broadcast)
    answered = time.time()
    await asyncio.sleep(TRIAL_WAIT if city.is_small else WAIT)
    last = float((await city.tally())["last"])
    return max(0.0, last - answered)


async def _closed(city: City, broadcast: BroadcastId) -> None:
    async def is_closed() -> bool:
        await asyncio.sleep(0.1)
        return await city.ctx.stores.broadcasts.find_totals(broadcast) is not None

    await until(is_closed, 90.0)
