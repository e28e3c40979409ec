"""How a broadcast is getting on right now (实时进度), for any number of people who watch.

However many watch a broadcast in one process, it is read once a second: from the sums of its
batches, never from its outcomes. How many were delivered costs more with every message, so of a
large broadcast that is what `push.reports` noted last.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.errors import TooOften
from domain.ids import AccountId, BroadcastId
from domain.ledger import Totals
from domain.sentence import Sentence
from push.dead import OVER
from push.finding import find_for
from push.reports import COUNTED_AT_ONCE
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.deliveries import MongoDeliveries
from storage.mongo.ledger import MongoLedger
from storage.mongo.mass_jobs import MongoMassJobs
from storage.mongo.reports import MongoReports

FRESH = 0.8  # seconds that a look may be old
PATIENCE = 5.0  # for one look
PACE_OVER = 20.0  # seconds that the pace is measured over
KEPT = 200  # broadcasts whose last look is remembered
MOST_STREAMS = 200  # open pages in one process that are told of changes
MOST_OF_ONE = 4  # of them by one person: a browser has six connections to a server


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One look. `people` is None while nobody knows; `delivered` when it was not asked yet."""

    broadcast: Broadcast
    people: int | None
    totals: Totals
    delivered: int | None
    per_second: float | None
    ends_at: datetime | None
    is_over: bool  # and no number will change any more, but for receipts

    @property
    def percent(self) -> int:
        """How much of the work is done."""
        if not self.people:
            return 100 if self.is_over else 0
        return min(100, self.totals.concluded * 100 // self.people)

    @property
    def left(self) -> int | None:
        """How many people nothing is known of yet."""
        return None if self.people is None else max(0, self.people - self.totals.concluded)


@dataclass(slots=True)
class _Watched:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: float = 0.0
    last: Progress | None = None
    sums: deque[tuple[float, int]] = field(default_factory=deque)  # when, concluded


class Live:
    """Looks at broadcasts, and bounds how many pages are told (runtime: `ctx.live`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        ledger: MongoLedger,
        deliveries: MongoDeliveries,
        reports: MongoReports,
        clock: Clock,
        mass_jobs: MongoMassJobs | None = None,
    ) -> None:
        self._reports = reports
        self._mass_jobs = mass_jobs
        self._store = store
        self._ledger = ledger
        self._deliveries = deliveries
        self._clock = clock
        self._watched: dict[BroadcastId, _Watched] = {}
        self._streams: dict[str, int] = {}
        self._now: Callable[[], float] = time.monotonic

    async def read(self, broadcast_id: BroadcastId, account: AccountId) -> Progress:
        """Look now, or return the look of less than a second ago; a foreign one is `NotFound`."""
        broadcast = await find_for(self._store, broadcast_id, account)
        watched = self._watched.pop(broadcast_id, None) or _Watched()
        self._watched[broadcast_id] = watched  # the latest is the last
        while len(self._watched) > KEPT:
            del self._watched[next(iter(self._watched))]
        async with asyncio.timeout(PATIENCE), watched.lock:
            last = watched.last
            is_fresh = self._now() - watched.at < FRESH
            if last is not None and is_fresh and last.broadcast == broadcast:
                return last
            watched.at = self._now()
            watched.last = await self._look(broadcast, watched)
            return watched.last

    @contextmanager
    def stream(self, who: str) -> Iterator[None]:
        """Count an open stream while the block lasts, or refuse one too many."""
        mine = self._streams.get(who, 0)
        if mine >= MOST_OF_ONE or sum(self._streams.values()) >= MOST_STREAMS:
            raise TooOften(Sentence("同时打开的进度页面太多，请关闭一些，或手动刷新页面。"))
        self._streams[who] = mine + 1
        try:
            yield
        finally:
            self._streams[who] -= 1
            if not self._streams[who]:
                del self._streams[who]

    @property
    def streams(self) -> int:
        """How many streams are open in this process."""
        return sum(self._streams.values())

    # --- inside ---------------------------------------------------------------------------

    async def _look(self, broadcast: Broadcast, watched: _Watched) -> Progress:
        if broadcast.cron:
            totals = await self._ledger.totals_of_plan(broadcast.id)
            return _progress(broadcast, totals.people, totals)
        has_begun = broadcast.started_at is not None
        frozen = await self._store.find_totals(broadcast.id) if has_begun else None
        if not has_begun:
            expected = await self._reports.find_expected(broadcast.id)
            over = broadcast.state in OVER
            return _progress(broadcast, expected, Totals(), is_over=over)
        totals = frozen or await self._ledger.totals(broadcast.id)
        people = totals.people if frozen else await self._reports.find_expected(broadcast.id)
        delivered = await self._delivered(broadcast, totals)
        pace = self._pace(broadcast, totals, watched)
        left = max(0, (people or totals.people) - totals.concluded)
        is_over = broadcast.state in OVER and frozen is not None
        return _progress(
            broadcast,
            people if people is not None else totals.people,
            totals,
            delivered=delivered,
            per_second=pace,
            ends_at=(self._clock.now() + timedelta(seconds=left / pace) if pace and left else None),
            is_over=is_over,
        )

    async def _delivered(self, broadcast: Broadcast, totals: Totals) -> int | None:
        if broadcast.channel == "mass" and self._mass_jobs is not None:
            return await self._mass_jobs.delivered(broadcast.id)  # told by the platform as a sum
        if totals.concluded <= COUNTED_AT_ONCE:
            return await self._deliveries.count_delivered(broadcast.id)
        return await self._reports.find_delivered(broadcast.id)

    def _pace(self, broadcast: Broadcast, totals: Totals, watched: _Watched) -> float | None:
        """Return people a second over the last moments; None while nothing is being sent."""
        now = self._now()
        if broadcast.state != "sending":
            watched.sums.clear()
            return None
        watched.sums.append((now, totals.concluded))
        while watched.sums and now - watched.sums[0][0] > PACE_OVER:
            watched.sums.popleft()
        first_at, first = watched.sums[0]
        if now - first_at < 1 or totals.concluded <= first:
            return None
        return (totals.concluded - first) / (now - first_at)


def _progress(
    broadcast: Broadcast,
    people: int | None,
    totals: Totals,
    *,
    delivered: int | None = None,
    per_second: float | None = None,
    ends_at: datetime | None = None,
    is_over: bool = False,
) -> Progress:
    return Progress(
        broadcast=broadcast,
        people=people,
        totals=totals,
        delivered=delivered,
        per_second=per_second,
        ends_at=ends_at,
        is_over=is_over,
    )
