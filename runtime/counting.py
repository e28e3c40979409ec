"""Handing over what a process has counted (计数): every few seconds, and when it ends.

Whoever counts never waits for it. What cannot be written now is kept for the next time; a process
that is killed loses the seconds since the last one.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from push.counters import COUNTERS, SendDifferences
from runtime.context import AppContext
from runtime.ticks import ticking
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

HAND_OVER_EVERY = timedelta(seconds=5)


@asynccontextmanager
async def handing_over(ctx: AppContext) -> AsyncIterator[None]:
    """Write this process's numbers into Redis while the block lasts."""
    sends = SendDifferences(COUNTERS)

    async def hand_over() -> None:
        for account, name, number in sends.take():
            ctx.figures.add(account, name, number)
        gathered = ctx.figures.take()
        try:
            await ctx.stores.minute_figures.add(gathered)
        except StoreAway as error:
            ctx.figures.give_back(gathered)
            log.warning("figures.away", extra={"reason": f"{error}; written in a moment"})

    async with ticking({"figures": (hand_over, HAND_OVER_EVERY)}):
        yield
    await hand_over()
