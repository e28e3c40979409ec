"""APScheduler as a clock (心跳): it says "look now", and what is due is in the database.

Several processes may tick at once. A tick that is still running is not started again; ticks that
were missed while the loop was busy become one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

Tick = Callable[[], Awaitable[None]]


@asynccontextmanager
async def ticking(ticks: Mapping[str, tuple[Tick, timedelta]]) -> AsyncIterator[None]:
    """Call each tick at its interval while the block lasts; a failing one is logged."""
    scheduler = AsyncIOScheduler(timezone=UTC)
    running: set[asyncio.Task[None]] = set()
    closing = False

    def owned(tick: Tick) -> Tick:
        async def run() -> None:
            task = asyncio.current_task()
            if closing or task is None:
                return
            running.add(task)
            try:
                await tick()
            except asyncio.CancelledError:
                if not closing:
                    raise  # otherwise it was us, below: no error of the tick
            finally:
                running.discard(task)

        return run

    for name, (tick, every) in ticks.items():
        scheduler.add_job(
            owned(tick),
            "interval",
            seconds=every.total_seconds(),
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
    scheduler.start()
    try:
        yield
    finally:
        closing = True  # APScheduler stops a moment later, and waits for nothing
        scheduler.shutdown(wait=False)
        left = tuple(running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
