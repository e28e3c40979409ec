"""Lanes (发送车道): a worker's slots, divided so that nobody waits for somebody else's pace.

What an account sends in one rank is a lane. Each lane has slots of its own, because a slot is
held while its sub-chunk waits for the account's limiter: with common slots a slow account would
stop all others, and bulk would stop notices. Within a lane every queue has at least one
sub-chunk under way, so a broadcast of ten people need not wait for one of a million.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

from domain.ledger import Batch
from storage.redis.ring import Lane

MOST_BATCHES = 64  # of one rank, held at once
MOST_BEGUN = 512  # the same, when they were begun before: of 500 people each about 23 MB


def lane_of(batch: Batch) -> Lane:
    """Return the lane of a batch."""
    return batch.account, batch.rank


class Lanes:
    """Slots, room and rests of one worker.

    Of the `concurrency` sub-chunks under way in a lane two thirds may be at the platform; the
    others are writing what came of it. So neither waits for the other.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._sending = max(1, concurrency * 2 // 3)
        self._slots: dict[Lane, asyncio.Semaphore] = {}
        self._running: Counter[Lane] = Counter()
        self._running_of: Counter[str] = Counter()  # by queue
        self._resting: dict[Lane, datetime] = {}

    @asynccontextmanager
    async def slot(self, lane: Lane, queue: str) -> AsyncIterator[None]:
        """Hold a slot while the block lasts; a queue that has none gets one beside the others."""
        full = self._running[lane] >= self._sending
        if full and not self._running_of[queue]:
            with self._counted(lane, queue):
                yield
        else:
            slots = self._slots.setdefault(lane, asyncio.Semaphore(self._sending))
            async with slots:
                with self._counted(lane, queue):
                    yield

    @contextmanager
    def _counted(self, lane: Lane, queue: str) -> Iterator[None]:
        self._running[lane] += 1
        self._running_of[queue] += 1
        try:
            yield
        finally:
            self._running[lane] -= 1
            self._running_of[queue] -= 1
            if not self._running_of[queue]:
                del self._running_of[queue]

    def rest(self, lane: Lane, until: datetime) -> None:
        """Take nothing of this lane before then: it may not send."""
        self._resting[lane] = max(until, self._resting.get(lane, until))

    def resting(self, now: datetime) -> set[Lane]:
        """Return the lanes that may not send yet."""
        self._resting = {lane: until for lane, until in self._resting.items() if until > now}
        return set(self._resting)

    def room(self, lane: Lane, held: Iterable[Batch]) -> int:
        """Return how many more batches are worth holding: twice what can be under way."""
        waiting = in_rank = 0
        for batch in held:
            other = lane_of(batch)
            in_rank += other[1] == lane[1]
            waiting += len(batch.open) if other == lane else 0
        return max(0, min(2 * self._concurrency - waiting, MOST_BATCHES - in_rank))

    def room_for_begun(self, lane: Lane, held: Iterable[Batch]) -> int:
        """Return how many batches may be held that were begun before: they wait for no room.

        At a slow pace a worker's own batches fill its room for longer than their leases last, and
        on a bad day most batches were begun before: who dies then leaves many, and those who
        live must be able to take them all.
        """
        in_rank = sum(lane_of(batch)[1] == lane[1] for batch in held)
        return max(0, MOST_BEGUN - in_rank)
