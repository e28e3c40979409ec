"""APScheduler as a clock (心跳): it says "look now", and what is due is in the database.

Several processes may tick at once. A tick that is still running is not started again; ticks that
were missed while the loop was busy become one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

Tick = Callable[[], Awaitable[None]]


@asynccontextmanager
async def ticking(ticks: Mapping[str, tuple[Tick, timedelta]]) -> AsyncIterator[None]:
    """Call each tick at its interval while the block lasts; a failing one is logged."""
    scheduler = AsyncIOScheduler(timezone=UTC)
    for name, (tick, every) in ticks.items():
        scheduler.add_job(
            tick,
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
        scheduler.shutdown(wait=False)
