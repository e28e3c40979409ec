"""Speed: a push process beside a bare loop of the same client and beside wechatpy, in turns."""

import json
from contextlib import AsyncExitStack

from bench.processes import Program, output_of
from bench.push.city import City, tag
from bench.report import Property, Ratio, Row, Sample, at_least, ratio, told

BARE_RATE, WECHATPY_RATE = 12_000, 1_800  # roughly, to fill the time
OURS = "run.py serve --roles push"


async def measure(city: City, worker: Program) -> tuple[list[Row], list[Ratio], list[Property]]:
    """Let each send in every round, on the same core, to the same platform."""
    ours: list[Sample] = []
    bare: list[Sample] = []
    wechatpy: list[Sample] = []
    plan = city.plan
    await _ours(city, worker, 0)  # connections, caches
    for number in range(plan.rounds):
        worker.rest()  # even idle it would take something from the others
        bare.append(await _other(city, "bare", BARE_RATE))
        wechatpy.append(await _other(city, "wechatpy", WECHATPY_RATE))
        worker.go_on()
        ours.append(await _ours(city, worker, number))
    rows = [
        Row.of("aiohttp, a bare loop", bare),
        Row.of(OURS, ours),
        Row.of("wechatpy, 32 threads", wechatpy),
    ]
    ratios = [
        ratio("push process / bare loop", ours, bare, aim=0.5),
        ratio("push process / wechatpy", ours, wechatpy, aim=2.5),
    ]
    names = ("speed beside a bare loop of the same client", "speed beside wechatpy, 32 threads")
    notes = (f"{rows[1].per_second:,.0f}/s beside {rows[n].per_second:,.0f}/s" for n in (0, 2))
    properties = [
        at_least(name, each.value, each.aim, unit="×", note=note)
        for name, each, note in zip(names, ratios, notes, strict=True)
    ]
    return rows, ratios, properties


async def crowded(city: City, one: Sample) -> list[Property]:
    """Two processes when no core is free: the second shares its core with the databases."""
    plan = city.plan
    async with AsyncExitStack() as stack:
        for name, core in (("crowded-1", plan.server_core), ("crowded-2", plan.client_core)):
            await stack.enter_async_context(city.worker(name, core=core))
        await city.reset()
        broadcast = await city.order(tag("s0"))
        found = await city.finished(broadcast, city.slice_size)
    rate = _rate(found)
    return [
        told(
            "two processes beside one, no core free",
            rate / one.per_second,
            unit="×",
            note=f"{rate:,.0f}/s; the second shares its core with databases and platform",
        )
    ]


async def one_alone(city: City, worker: Program) -> Sample:
    """One process, as in a round."""
    return await _ours(city, worker, 0)


async def _ours(city: City, worker: Program, number: int) -> Sample:
    slices = max(1, city.plan.people // city.slice_size)
    await city.reset()
    cpu = worker.cpu_seconds()
    broadcast = await city.order(tag(f"s{number % slices}"))
    found = await city.finished(broadcast, city.slice_size)
    cpu = worker.cpu_seconds() - cpu
    return Sample(
        requests=city.slice_size,
        seconds=city.slice_size / _rate(found),
        p50_ms=0.0,
        p99_ms=0.0,
        cpu_us=cpu / city.slice_size * 1e6,
    )


async def _other(city: City, who: str, rate: int) -> Sample:
    count = max(200, int(rate * city.plan.seconds))
    output = await output_of(
        ["-m", "bench.senders", who, str(city.platform_port), str(count)],
        core=city.plan.server_core,
        seconds=city.plan.seconds * 10 + 60,
    )
    return Sample(**json.loads(output))


def _rate(found: dict[str, float]) -> float:
    return (found["total"] - 1) / max(found["last"] - found["first"], 1e-3)
