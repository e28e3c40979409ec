"""How the departments' systems are doing (委办局接口状况), for the page that shows it.

`tick` carries what this process has counted to Redis; everything else reads what all processes
have written. Without Redis nobody is kept from asking a department: only the page is empty.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from connectors.watch import Watch, minute_of
from domain.clock import Clock
from domain.department_health import (
    BreakerSeen,
    BreakerState,
    Connector,
    Misfortune,
    Tally,
    together,
)
from domain.ids import AccountId
from domain.sentence import Sentence
from storage.mongo.triggers import MongoTriggers, TriggerRow
from storage.redis.department_health import DepartmentHealth
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

HOUR = 60  # minutes
# a feed is late when it was last read well so many of its intervals ago, and never within
PATIENCE = 5
SHORTEST_PATIENCE = timedelta(minutes=10)
State = Literal["well", "failing", "down", "silent", "not_set_up"]

# which department a trigger reads (runtime/triggers.py); the tax calendar is a file of ours
DEPARTMENT_OF: Mapping[str, str] = {
    "outage": "utilities",
    "violation": "traffic",
    "social_balance": "social",
    "medical_balance": "medical",
    "fund_balance": "fund",
    "alert": "weather",
    "fuel_price": "prices",
    "bus_detour": "transit",
    "enterprise_policy": "enterprise",
}
NAMES: Mapping[str, str] = {
    "social": Sentence("社会保险"),
    "medical": Sentence("医疗保险"),
    "fund": Sentence("住房公积金"),
    "traffic": Sentence("交通警察"),
    "utilities": Sentence("供水、供电、供气"),
    "weather": Sentence("气象台"),
    "prices": Sentence("发展改革（油价）"),
    "transit": Sentence("公共交通"),
    "enterprise": Sentence("企业服务平台"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorHealth:
    """One door to a department over the last hour."""

    connector: Connector
    is_set_up: bool
    hour: Tally
    errors: Sequence[Misfortune]  # the last ones, the newest first
    breakers: Sequence[BreakerSeen]  # of the processes where it is not closed

    @property
    def breaker(self) -> BreakerState:
        """Return the worst state over all processes."""
        states = {seen.state for seen in self.breakers}
        if "open" in states:
            return "open"
        return "probing" if "probing" in states else "closed"

    @property
    def state(self) -> State:
        """Return the one word that people look for first."""
        if not self.is_set_up:
            return "not_set_up"
        if self.breaker == "open":
            return "down"
        if not self.hour.calls:
            return "silent"
        return "failing" if self.hour.errors * 10 >= self.hour.calls else "well"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFreshness:
    """How far a trigger has read, and when it last did well."""

    trigger: str
    last_ok: datetime | None
    next_at: datetime
    failures: int  # in a row
    refused: int
    has_cursor: bool
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentView:
    """A department as one account's people see it."""

    key: str
    name: str
    connectors: Sequence[ConnectorHealth]
    feeds: Sequence[FeedFreshness]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One department's last hour, minute by minute; None where nobody asked."""

    minutes: Sequence[datetime]
    calls: Sequence[int]
    errors: Sequence[int]
    median: Sequence[float | None]  # seconds
    p95: Sequence[float | None]


class DepartmentDesk:
    """What the page of the departments asks."""

    def __init__(
        self,
        watch: Watch,
        store: DepartmentHealth,
        triggers: MongoTriggers,
        clock: Clock,
        *,
        process: str,
    ) -> None:
        self._watch = watch
        self._store = store
        self._triggers = triggers
        self._clock = clock
        self._process = process

    async def tick(self) -> None:
        """Write what has gathered in this process; what Redis does not take is tried again.

        A write whose answer got lost is counted twice: these are numbers to look at.
        """
        taken = self._watch.take()
        try:
            await self._store.add(
                self._process,
                self._clock.now(),
                taken.tallies,
                taken.errors,
                self._watch.breakers(),
            )
        except StoreAway as error:
            self._watch.give_back(taken)
            log.warning("departments.not_written", extra={"reason": str(error)})

    async def leave(self) -> None:
        """Write the rest and be forgotten: this process stops."""
        await self.tick()
        try:
            await self._store.leave(self._process)
        except StoreAway as error:
            log.info("departments.not_left", extra={"reason": f"{error}; forgotten by itself"})

    @property
    def keys(self) -> tuple[str, ...]:
        """The departments there are, by their names in the settings."""
        return tuple(dict.fromkeys(connector.key for connector in self._watch.connectors))

    async def overview(self, account: AccountId) -> tuple[int, list[DepartmentView]]:
        """Return how many processes say something, and every department's health."""
        now = self._clock.now()
        connectors = self._watch.connectors
        minutes = await self._store.minutes(minute_of(now) - HOUR + 1, minute_of(now))
        names = [connector.id for connector in connectors]
        errors = await self._store.last_errors(names)
        processes, breakers = await self._store.open_breakers(now)
        rows = await self._triggers.of(account, sorted(DEPARTMENT_OF))
        views = []
        for key in self.keys:
            health = [
                ConnectorHealth(
                    connector=connector,
                    is_set_up=is_set_up,
                    hour=together(m[connector.id] for m in minutes if connector.id in m),
                    errors=errors[connector.id],
                    breakers=breakers.get(connector.id, ()),
                )
                for connector, is_set_up in connectors.items()
                if connector.key == key
            ]
            feeds = [_freshness(row, now) for row in rows if DEPARTMENT_OF[row.trigger] == key]
            views.append(
                DepartmentView(key=key, name=NAMES.get(key, key), connectors=health, feeds=feeds)
            )
        return processes, views

    async def latency(self, key: str) -> Latency:
        """Return a department's last hour for a plot: all its doors together."""
        last = minute_of(self._clock.now())
        first = last - HOUR + 1
        rows = await self._store.minutes(first, last)
        names = [connector.id for connector in self._watch.connectors if connector.key == key]
        tallies = [together(row[name] for name in names if name in row) for row in rows]
        zone = self._clock.now().tzinfo
        return Latency(
            minutes=[
                datetime.fromtimestamp(minute * 60, zone) for minute in range(first, last + 1)
            ],
            calls=[tally.calls for tally in tallies],
            errors=[tally.errors for tally in tallies],
            median=[tally.quantile(0.5) for tally in tallies],
            p95=[tally.quantile(0.95) for tally in tallies],
        )


def _freshness(row: TriggerRow, now: datetime) -> FeedFreshness:
    every = max(row.next_at - row.last_ok, timedelta(0)) if row.last_ok else timedelta(0)
    patience = max(PATIENCE * every, SHORTEST_PATIENCE) if not row.failures else SHORTEST_PATIENCE
    return FeedFreshness(
        trigger=row.trigger,
        last_ok=row.last_ok,
        next_at=row.next_at,
        failures=row.failures,
        refused=row.refused,
        has_cursor=bool(row.since),
        is_late=row.last_ok is None or now - row.last_ok > patience,
    )
