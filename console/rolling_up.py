"""Rolling up numbers (汇总): from the minutes in Redis to hours and days in MongoDB.

`tick` belongs to the scheduler role; several may do it at once. Minutes of the last quarter of an
hour are written again each time, so what a slow process adds late is still seen; the first look
of a process goes back a day, so a scheduler that was away catches up, over midnight too.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from domain.broadcast import Audience
from domain.clock import Clock
from domain.figures import day_of, minute_of, moment_of
from domain.ids import AccountId
from storage.mongo.figures import MongoFigures
from storage.redis.figures import MinuteFigures
from subscriptions.audience import Audiences

log = logging.getLogger(__name__)

A_DAY = 24 * 60  # minutes
AGAIN = 15
MINUTES_AT_ONCE = 240
SECONDS = 20.0
COUNT_EVERY = timedelta(hours=1)
COUNT_SECONDS = 30.0
STILL_YESTERDAY = timedelta(hours=1)  # after midnight, its last minutes may come late


class RollingUp:
    """Keeps MongoDB's numbers true to those that processes write into Redis."""

    def __init__(
        self,
        minutes: MinuteFigures,
        store: MongoFigures,
        audiences: Audiences,
        accounts: Iterable[AccountId],
        clock: Clock,
    ) -> None:
        self._minutes = minutes
        self._store = store
        self._audiences = audiences
        self._accounts = tuple(accounts)
        self._clock = clock
        self._reached: dict[AccountId, int] = {}

    async def tick(self) -> None:
        """Bring every account up to this moment."""
        now = self._clock.now()
        for account in self._accounts:
            async with asyncio.timeout(SECONDS):
                first = await self._minutes_of(account, now)
                await self._days_of(account, moment_of(first), now)
                self._reached[account] = minute_of(now)
            await self._followers_of(account, now)

    async def _minutes_of(self, account: AccountId, now: datetime) -> int:
        """Write what is new or may have changed; returns the first minute of it."""
        last = minute_of(now)
        first = min(self._reached.get(account, last - A_DAY), last) - AGAIN
        for begin in range(first, last + 1, MINUTES_AT_ONCE):
            part = range(begin, min(begin + MINUTES_AT_ONCE, last + 1))
            await self._store.put_minutes(account, await self._minutes.read(account, part))
        return first

    async def _days_of(self, account: AccountId, since: datetime, now: datetime) -> None:
        """Sum today, and every day before it whose minutes were written again."""
        today = day_of(now)
        await self._store.sum_day(account, today)
        day = min(day_of(since), day_of(now - STILL_YESTERDAY))
        while day < today:
            await self._store.sum_day(account, day)
            day += timedelta(days=1)

    async def _followers_of(self, account: AccountId, now: datetime) -> None:
        """Count the followers once an hour; a process that dies over it is followed by the next."""
        if not await self._store.take_turn(account, day_of(now), now, COUNT_EVERY):
            return
        async with asyncio.timeout(COUNT_SECONDS):
            followers = await self._audiences.count(account, Audience(all=True))
        await self._store.put_followers(account, day_of(now), followers)
        log.info("figures.followers", extra={"account": account, "followers": followers})
