"""The overview (发送概况): read for a person (`push status`) or for a scrape (`/metrics`).

What cannot be read is left out and named in `troubles`: whoever looks does so because something
is wrong, and must see the rest.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from domain.clock import Clock
from domain.ids import AccountId
from domain.overview import BATCH_STATES, AccountView, BatchState, Overview, Running, Seen
from storage.mongo.ledger import MongoLedger
from storage.mongo.overview import MongoOverview, OpenBatches
from storage.redis.limiter import Limiter
from storage.redis.processes import Processes
from storage.redis.scripts import StoreAway

FRESH = 5.0  # seconds that a scrape may be old
PATIENCE = 5.0  # for all questions of one look


class Overviews:
    """Looks at everything at once."""

    def __init__(
        self,
        store: MongoOverview,
        ledger: MongoLedger,
        limiter: Limiter,
        processes: Processes,
        accounts: Collection[AccountId],
        clock: Clock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._limiter = limiter
        self._processes = processes
        self._accounts = accounts
        self._clock = clock
        self._kept: tuple[float, Overview] | None = None
        self._looking = asyncio.Lock()
        self._now: Callable[[], float] = time.monotonic

    async def read(self) -> Overview:
        """Look now: accounts, broadcasts with their sums, processes."""
        overview = await self._accounts_now()
        troubles = list(overview.troubles)
        async with asyncio.timeout(PATIENCE):
            running = [await self._summed(each) for each in await self._store.running()]
            leases = await self._store.leases()
        try:
            seen = await self._processes.seen(self._clock.now())
        except StoreAway as error:
            seen = []
            troubles.append(str(error))
        return replace(
            overview,
            running=tuple(running),
            processes=tuple(_with_leases(seen, leases)),
            troubles=tuple(dict.fromkeys(troubles)),
        )

    async def cached(self) -> Overview:
        """Return the accounts' figures, at most five seconds old, however often it is asked."""
        async with self._looking:
            if self._kept is None or self._now() - self._kept[0] >= FRESH:
                begun = self._now()
                self._kept = (begun, await self._accounts_now())
            return self._kept[1]

    async def _accounts_now(self) -> Overview:
        now = self._clock.now()
        async with asyncio.timeout(PATIENCE):
            batches = await self._store.open_batches(now)
            states = await self._store.count_broadcasts()
        views = []
        troubles: list[str] = []
        for account in self._accounts:
            theirs = {key[1]: state for key, state in states.items() if key[0] == account}
            view = AccountView(
                account=account,
                batches=_by_state(each for each in batches if each.account == account),
                running=sum(state == "sending" for state in theirs.values()),
                paused=sum(state == "paused" for state in theirs.values()),
                lag=_lag(
                    (each for each in batches if theirs.get(each.broadcast) == "sending"), now
                ),
            )
            try:
                pace = await self._limiter.pace(account)
            except StoreAway as error:
                troubles.append(str(error))
            else:
                view = replace(
                    view,
                    per_second=pace.per_second,
                    held_for=pace.held_for,
                    used_today=pace.used,
                    quota=pace.quota,
                )
            views.append(view)
        return Overview(at=now, accounts=tuple(views), troubles=tuple(dict.fromkeys(troubles)))

    async def _summed(self, running: Running) -> Running:
        return replace(running, totals=await self._ledger.totals(running.id))


def _by_state(batches: Iterable[OpenBatches]) -> dict[BatchState, int]:
    found: Counter[BatchState] = Counter(dict.fromkeys(BATCH_STATES, 0))
    for each in batches:
        match each.state:
            case "ready":
                found["ready"] += each.due
                found["waiting"] += each.number - each.due
            case "leased":
                found["leased"] += each.number
            case "dead":
                found["dead"] += each.number
    return dict(found)


def _lag(batches: Iterable[OpenBatches], now: datetime) -> timedelta:
    """Return how long the oldest due batch has been waiting for a worker."""
    oldest = [each.oldest for each in batches if each.state == "ready" and each.oldest is not None]
    return max(timedelta(0), now - min(oldest)) if oldest else timedelta(0)


def _with_leases(seen: Iterable[Seen], leases: dict[str, int]) -> list[Seen]:
    """Join who is alive with who holds batches; an owner begins with its process's name."""
    held: defaultdict[str, int] = defaultdict(int)
    for owner, number in leases.items():
        held[owner.rpartition(":")[0]] += number
    known = [replace(each, batches=held.pop(each.name, 0)) for each in seen]
    unheard = [
        Seen(name=name, roles="?", ago=timedelta.max, batches=number)
        for name, number in held.items()
    ]
    return known + unheard
