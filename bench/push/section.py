"""The section `push`: one city, its measurements in an order that lets them share processes."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack

from bench.plan import Plan
from bench.push import pace, scale, speed
from bench.push.city import City, open_city
from bench.report import Property, Ratio, Row, Section

LONGEST = 240.0  # seconds for one measurement


async def measure(plan: Plan) -> Section:
    """Measure everything; what fails becomes a row that says so."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    found: list[Property] = []
    async with open_city(plan) as city:
        found += scale.imported(city)
        found += await _guarded("audience count", scale.counts(city))
        found += await _guarded("speed and size", _one_worker(city, rows, ratios))
        found += await _guarded("pace, scale and resumption", pace.pair(city))
        found.append(_nobody_lost(city))
    return Section(
        name="push",
        title=f"The push engine, {plan.people:,} subscribers",
        rows=rows,
        ratios=ratios,
        properties=found,
        checked="the platform's own book: every recipient of every broadcast, once",
    )


async def _one_worker(city: City, rows: list[Row], ratios: list[Ratio]) -> list[Property]:
    """Measure what one unhindered worker and one scheduler show."""
    plan = city.plan
    found: list[Property] = []
    async with AsyncExitStack() as stack:
        scheduler = await stack.enter_async_context(
            city.scheduler("scheduler", core=plan.client_core)
        )
        async with city.worker("push", core=plan.server_core) as worker:

            async def in_turns() -> list[Property]:
                more_rows, more_ratios, properties = await speed.measure(city, worker)
                rows.extend(more_rows)
                ratios.extend(more_ratios)
                return properties

            async def a_million() -> list[Property]:
                worker.rest()
                broadcast, properties = await scale.expansion(city, scheduler)
                return properties + await scale.sending(city, worker, broadcast)

            found += await _guarded("speed", in_turns())
            found += await _guarded("schedule", pace.schedule(city))
            found += await _guarded("expansion and memory", a_million())
            worker.go_on()
            one = await speed.one_alone(city, worker)
        found += await _guarded("two processes, no core free", speed.crowded(city, one))
    return found


async def _guarded(name: str, work: Awaitable[list[Property]]) -> list[Property]:
    """Bound a measurement, and let its failure cost nothing but its own rows."""
    try:
        async with asyncio.timeout(LONGEST):
            return await work
    except Exception as error:  # outermost: the other measurements go on
        why = f"{type(error).__name__}: {error}"
        return [Property(name=name, measured=f"failed: {why}", reached=False)]


def _nobody_lost(city: City) -> Property:
    return Property(
        name="lost, doubled over all of these broadcasts",
        measured=f"{city.lost}, {city.doubled} of {city.recipients:,} recipients",
        bar="0, 0",
        reached=city.lost == 0 and city.doubled == 0,
        values={"lost": city.lost, "doubled": city.doubled, "recipients": city.recipients},
    )
