"""Fan-out (群发展开): the audience becomes batches in the ledger.

The upper bound is fixed once; people are read in id order, a page ahead of what is written; each
batch remembers where the next one begins. So the last batch in the ledger is the checkpoint: after
a crash the expansion goes on behind it and rewrites nothing, and two processes expanding at once
cannot disagree, because a batch number can be written only once.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from domain import mass
from domain.broadcast import Broadcast, Priority
from domain.clock import Clock
from domain.ids import OpenId
from domain.ledger import NewBatch
from push.broadcasts import queue_for
from push.collecting import Collector
from push.ports import People, Source
from push.resends import Failed, FailureLists
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.ledger import MongoLedger, SeqTaken
from storage.mongo.notices import MongoNotices
from storage.redis.ring import Ring
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

Item = TypeVar("Item")

LEASE = timedelta(seconds=15)
BATCHES_PER_PAGE = 20
Page = Sequence[tuple[str, OpenId]]
Reading = asyncio.Task[list[tuple[str, OpenId]]]


class Fanout:
    """Writes a broadcast's people into the ledger and rings for them.

    Running it twice, or in two processes, is harmless.
    """

    def __init__(
        self,
        store: MongoBroadcasts,
        ledger: MongoLedger,
        ring: Ring,
        people: People,
        notices: MongoNotices,
        collector: Collector,
        failures: FailureLists,
        clock: Clock,
        *,
        batch_size: int = 500,
        lease: timedelta = LEASE,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._ring = ring
        self._people = people
        self._notices = notices
        self._collector = collector
        self._failures = failures
        self._clock = clock
        self._lease = lease
        self._batch_size = batch_size

    async def expand(self, broadcast: Broadcast, *, owner: str) -> bool:
        """Write everybody who is not written yet; False when the claim was lost on the way."""
        if broadcast.kind == "notice":
            done = await self._expand_notice(broadcast, owner)
        elif broadcast.kind == "digest":
            done = await self._expand_digest(broadcast, owner)
        else:
            done = await self._expand_audience(broadcast, owner)
        if not done:
            await self._store.drop_fanout(broadcast.id, owner=owner, now=self._clock.now())
            return False
        totals = await self._ledger.totals(broadcast.id)
        return await self._store.end_fanout(broadcast.id, owner=owner, people=totals.people)

    async def expand_digests(self, digests: Sequence[Broadcast], *, owner: str) -> None:
        """Expand digests that were just made, in a few writes for all of them."""
        found = await self._collector.gather(digests)
        now = self._clock.now()
        batches = [
            self._batch(digest, 0, (found[digest.id],), cursor="", due_at=now)
            for digest in digests
            if digest.id in found
        ]
        try:
            await self._ledger.add(batches)
        except SeqTaken:  # some were taken over by another process: each for itself
            for digest in digests:
                await self.expand(digest, owner=owner)
            return
        await self._ring_for(batches)
        empty = [digest.id for digest in digests if digest.id not in found]
        await self._notices.end_fanouts(found.keys(), owner=owner, people=1)
        await self._notices.end_fanouts(empty, owner=owner, people=0)

    async def _expand_audience(self, broadcast: Broadcast, owner: str) -> bool:
        people = self._source(broadcast)
        found = await people.upper_bound(broadcast.account, broadcast.audience)
        if found is None and await self._ledger.last(broadcast.id) is None:
            return await self._keep(broadcast, owner)
        up_to = await self._store.bound_fanout(broadcast.id, found or "")
        size = mass.MOST if broadcast.channel == "mass" else self._batch_size
        most = max(size, self._batch_size * BATCHES_PER_PAGE)

        def read(after: str | None, size: int) -> Reading:
            return asyncio.create_task(
                people.page(
                    broadcast.account, broadcast.audience, after=after, up_to=up_to, size=size
                )
            )

        seq, after = await self._reached(broadcast)
        coming = read(after, size)  # one batch, so that sending begins at once
        try:
            while (page := await self._kept(coming, broadcast, owner)) is not None:
                if not page:
                    return True
                batches = self._batches(broadcast, page, seq, size)
                coming = read(page[-1][0], most)  # while this one is written
                if await self._write(batches):
                    seq += len(batches)
                    continue
                await _dropped(coming)  # it follows a page that somebody else wrote otherwise
                seq, after = await self._reached(broadcast)
                coming = read(after, most)
        finally:
            await _dropped(coming)
        return False

    async def _reached(self, broadcast: Broadcast) -> tuple[int, str | None]:
        """Return the number of the next batch and the cursor it begins behind."""
        last = await self._ledger.last(broadcast.id)
        return (last[0] + 1, last[1]) if last else (0, None)

    async def _kept(self, coming: Reading, broadcast: Broadcast, owner: str) -> Page | None:
        """Wait for a page, renewing the claim meanwhile; None when the claim is lost.

        A page of few among millions may take longer than the claim lasts.
        """
        while await self._keep(broadcast, owner):
            done, _ = await asyncio.wait({coming}, timeout=self._lease.total_seconds() / 3)
            if done:
                return coming.result()
        return None

    async def _expand_notice(self, broadcast: Broadcast, owner: str) -> bool:
        """Write who is told at once; who is told later has an item before that."""
        notice = await self._notices.find(broadcast.id)
        if notice is None or not await self._keep(broadcast, owner):
            return False
        await self._write_people(broadcast, await self._collector.spread(broadcast, notice))
        return True

    async def _expand_digest(self, broadcast: Broadcast, owner: str) -> bool:
        """Write the one person it is for, once their items are taken.

        When they are written already the message may have left: what it took now would be lost.
        """
        if not await self._keep(broadcast, owner):
            return False
        if await self._ledger.last(broadcast.id) is None:
            found = await self._collector.gather([broadcast])
            await self._write_people(broadcast, tuple(found.values()))
        return True

    async def _write_people(self, broadcast: Broadcast, people: Sequence[OpenId]) -> None:
        now = self._clock.now()
        for number, part in enumerate(_parts(people, self._batch_size)):
            batch = self._batch(broadcast, number, tuple(part), cursor="", due_at=now)
            await self._write([batch])

    def _source(self, broadcast: Broadcast) -> Source:
        """Return where the people come from: the audience, or those another one failed for."""
        if broadcast.resend_of is not None:
            return Failed(self._failures, broadcast.resend_of)
        return self._people

    async def _write(self, batches: Sequence[NewBatch]) -> bool:
        """Write batches and ring; False when another process wrote one of them.

        The ledger knows better then where to go on.
        """
        try:
            await self._ledger.add(batches)
        except SeqTaken:
            return False
        await self._ring_for(batches)
        return True

    async def _ring_for(self, batches: Sequence[NewBatch]) -> None:
        """Ring for batches that were just written, the digests of a slice together."""
        now = self._clock.now()
        due: dict[tuple[str, Priority], list[str]] = {}
        for batch in batches:
            if batch.due_at <= now:
                due.setdefault((batch.queue, batch.priority), []).append(batch.id)
        for (queue, priority), ids in due.items():
            try:
                await self._ring.add(queue, priority, ids)
            except StoreAway as error:
                log.warning("ring.away", extra={"queue": queue, "reason": f"{error}; swept later"})

    async def _keep(self, broadcast: Broadcast, owner: str) -> bool:
        return await self._store.keep_fanout(
            broadcast.id, owner=owner, until=self._clock.now() + self._lease
        )

    def _batches(self, broadcast: Broadcast, page: Page, seq: int, size: int) -> list[NewBatch]:
        now = self._clock.now()
        return [
            self._batch(
                broadcast,
                seq + number,
                tuple(openid for _, openid in part),
                cursor=part[-1][0],
                due_at=now,
            )
            for number, part in enumerate(_parts(page, size))
        ]

    def _batch(
        self,
        broadcast: Broadcast,
        seq: int,
        people: tuple[OpenId, ...],
        *,
        cursor: str,
        due_at: datetime,
    ) -> NewBatch:
        return NewBatch(
            broadcast=broadcast.id,
            account=broadcast.account,
            seq=seq,
            people=people,
            cursor=cursor,
            queue=queue_for(broadcast),
            priority=broadcast.priority,
            rank=broadcast.rank,
            parent=broadcast.parent,
            due_at=due_at,
            chunk_size=mass.MOST if broadcast.channel == "mass" else None,  # one batch, one call
        )


def _parts(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


async def _dropped(coming: Reading) -> None:
    """Give up a page that nobody will use."""
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)
