"""What the dashboard shows (总览): today's numbers, series over time, and what waits for somebody.

Everything is read from what is kept ready: minutes and days that the scheduler writes, the
engine's overview, broadcasts by an index. Nothing counts people while a page renders.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from console.conditions import shut_departments
from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.figures import (
    Counts,
    day_of,
    days_until,
    minute_of,
    moment_of,
    named,
    quantile,
    together,
)  # fmt: skip
from domain.ids import AccountId
from domain.rights import Right
from push.approvals import Approvals, why_not
from push.lists import Lists
from push.overview import Overviews
from push.quota import Day, Quotas
from storage.mongo.figures import DayFigures, MongoFigures
from storage.mongo.troubles import MongoTroubles, Troubled
from storage.redis.department_health import DepartmentHealth
from storage.redis.scripts import StoreAway

SECONDS = 3.0  # for everything that one page asks
HOUR = timedelta(hours=1)
P95_OVER = 15  # minutes
DAYS = 30
IN_REVIEW = 30  # looked at one by one, the newest first
UNKNOWN_FOR = timedelta(days=7)

WaitKind = Literal["returned", "review", "publish", "paused", "unknown", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A minute, an hour or a day, and its numbers."""

    at: datetime
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The account at this moment. None: nobody knows."""

    at: datetime
    calls_per_minute: int
    p95_ms: float | None
    counts: Counts  # since midnight in Beijing
    followers: int | None
    minutes: Sequence[Point] = field(repr=False, default=())  # the last hour
    hours: Sequence[Point] = field(repr=False, default=())  # of today

    @property
    def queries(self) -> Mapping[str, int]:
        """Questions by service."""
        return named(self.counts, "q:")

    @property
    def refused(self) -> Mapping[str, int]:
        """Sends by the platform's code."""
        return named(self.counts, "e:")

    @property
    def undelivered(self) -> Mapping[str, int]:
        """Messages by the status of their receipt."""
        return named(self.counts, "r:")

    @property
    def failures(self) -> int:
        """How many sends did not arrive, or were refused."""
        return sum(self.refused.values()) + sum(self.undelivered.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something that this operator may do something about; `broadcast` None: not about one."""

    kind: WaitKind
    title: str
    broadcast: Troubled | None = None
    number: int = 0


class Dashboards:
    """Reads for the dashboard (runtime: `ctx.dashboards`)."""

    def __init__(
        self,
        figures: MongoFigures,
        troubles: MongoTroubles,
        overviews: Overviews,
        quotas: Quotas,
        approvals: Approvals,
        lists: Lists,
        health: DepartmentHealth,
        clock: Clock,
    ) -> None:
        self._figures = figures
        self._troubles = troubles
        self._overviews = overviews
        self._quotas = quotas
        self._approvals = approvals
        self._lists = lists
        self._health = health
        self._clock = clock

    # --- numbers ------------------------------------------------------------------------------

    async def today(self, account: AccountId) -> Today:
        """Return the account's numbers."""
        now = self._clock.now()
        midnight, minute = day_of(now), minute_of(now)
        since = min(midnight, moment_of(minute - 60 - minute % 60))
        async with asyncio.timeout(SECONDS):
            minutes = await self._figures.minutes(account, since, now)
            [day] = await self._figures.days(account, [midnight])
        last = range(minute - 60, minute)  # the one that runs is not whole
        first_today = minute_of(midnight)
        today = {number: counts for number, counts in minutes.items() if number >= first_today}
        recent = together(minutes.get(number, {}) for number in last[-P95_OVER:])
        return Today(
            at=now,
            calls_per_minute=minutes.get(minute - 1, Counter()).get("calls", 0),
            p95_ms=quantile(recent, 0.95),
            counts=together(today.values()),
            followers=day.followers,
            minutes=[
                Point(at=moment_of(number), counts=minutes.get(number, {})) for number in last
            ],
            hours=_hours(today, midnight, now),
        )

    async def quota(self, account: AccountId) -> Day:
        """Return the day's quota as the engine sees it: used, and reserved by what is planned."""
        async with asyncio.timeout(SECONDS):
            return await self._quotas.day(account, self._clock.now())

    async def days(self, account: AccountId) -> list[DayFigures]:
        """Return the last thirty days, today's as far as it has come."""
        async with asyncio.timeout(SECONDS):
            return await self._figures.days(account, days_until(self._clock.now(), DAYS))

    async def departments(self) -> Sequence[str] | None:
        """Return the departments that are left alone just now; None when nobody can tell."""
        try:
            return list(await shut_departments(self._health, self._clock.now()))
        except StoreAway:
            return None

    # --- what waits ---------------------------------------------------------------------------

    async def waiting(
        self, account: AccountId, author: str, can: Callable[[Right], bool]
    ) -> list[Waiting]:
        """Return what waits for a person with these rights."""
        async with asyncio.timeout(SECONDS):
            found: list[Waiting] = []
            if can("broadcasts.write"):
                returned = await self._troubles.in_state(account, "rejected", author=author)
                found += [_about("returned", each) for each in returned]
            if can("broadcasts.review") or can("broadcasts.publish"):
                found += await self._in_review(account, author, can)
            if can("broadcasts.publish") or can("broadcasts.write"):
                paused = await self._troubles.in_state(account, "paused")
                found += [_about("paused", each) for each in paused]
            if can("broadcasts.publish"):
                since = self._clock.now() - UNKNOWN_FOR
                unknown = await self._troubles.with_unknown(account, since)
                found += [_about("unknown", each) for each in unknown]
                found += await self._dead(account)
        return found

    async def _in_review(
        self, account: AccountId, author: str, can: Callable[[Right], bool]
    ) -> list[Waiting]:
        page = await self._lists.broadcasts(account, state="in_review", limit=IN_REVIEW)
        standings = await self._approvals.standings(page.items)
        found = []
        for broadcast in page.items:
            is_approved = standings[broadcast.id].approval is not None
            if is_approved and can("broadcasts.publish"):
                found.append(_about("publish", _troubled(broadcast)))
            elif not is_approved and can("broadcasts.review") and not why_not(broadcast, author):
                found.append(_about("review", _troubled(broadcast)))
        return found

    async def _dead(self, account: AccountId) -> list[Waiting]:
        overview = await self._overviews.cached()
        number = sum(
            view.batches.get("dead", 0) for view in overview.accounts if view.account == account
        )
        return [Waiting(kind="dead", title="", number=number)] if number else []


def _hours(minutes: Mapping[int, Counts], midnight: datetime, now: datetime) -> list[Point]:
    """Put a day's minutes together by hour, up to the one that runs."""
    first, found = minute_of(midnight), []
    for hour in range((minute_of(now) - first) // 60 + 1):
        part = range(first + hour * 60, first + hour * 60 + 60)
        counts = together(minutes[number] for number in part if number in minutes)
        found.append(Point(at=midnight + hour * HOUR, counts=counts))
    return found


def _about(kind: WaitKind, found: Troubled) -> Waiting:
    return Waiting(kind=kind, title=found.title, broadcast=found)


def _troubled(broadcast: Broadcast) -> Troubled:
    return Troubled(
        id=broadcast.id,
        title=broadcast.title,
        state=broadcast.state,
        author=broadcast.author,
        created_at=broadcast.created_at,
        reason=broadcast.reason,
    )
