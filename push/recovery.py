"""Recovery (恢复): finds what a dead process, a flushed Redis or a lost message has left behind.

`tick` is called every half second by each push process, on its own timer and whether or not
there is traffic. Every step is safe to repeat and safe beside another process doing the same.
"""

import logging
import secrets
import time
from contextlib import suppress
from datetime import datetime, timedelta

from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.ids import BroadcastId
from push.broadcasts import Broadcasts
from push.chunks import Chunks
from push.closing import LISTS_KEPT, Closer
from push.dead import reason_of
from push.jobs import Jobs
from push.receipts import Receipts
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.ledger import LeaseLost, MongoLedger
from storage.redis.ring import Ring, broadcast_of
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
WRITE_OFF = 1.0  # seconds of one tick for broadcasts that were cancelled
PAGE = 200
FORGET_EVERY = timedelta(minutes=1)


class Recovery:
    """Puts back what was lost and closes what is complete."""

    def __init__(
        self,
        store: MongoBroadcasts,
        ledger: MongoLedger,
        ring: Ring,
        broadcasts: Broadcasts,
        chunks: Chunks,
        jobs: Jobs,
        closer: Closer,
        receipts: Receipts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._ring = ring
        self._broadcasts = broadcasts
        self._chunks = chunks
        self._jobs = jobs
        self._closer = closer
        self._receipts = receipts
        self._clock = clock
        self._owner = f"recovery-{secrets.token_hex(6)}"
        self._forget_at = clock.now()
        self._after = ""  # where the round through open broadcasts goes on

    async def tick(self, now: datetime | None = None) -> None:
        """Look once at everything that can be lost."""
        now = now or self._clock.now()
        expired = await self._ledger.expire_leases(now)
        if expired:
            log.warning(
                "lease.expired", extra={"batches": expired, "reason": "they are rung again"}
            )
        for batch, broadcast in await self._ledger.bury(now):
            reason = reason_of(batch)
            log.error("batch.dead", extra={"batch": batch, "reason": reason})
            await self._broadcasts.pause_by_itself(broadcast, reason=reason)
        try:
            await self._ring_again(now)
            await self._forget_queues(now)
        except StoreAway as error:
            log.warning("ring.away", extra={"reason": f"{error}; next sweep in a second"})
        await self._close_complete()
        await self._write_off_cancelled(now)
        await self._receipts.sweep(now)

    async def _ring_again(self, now: datetime) -> None:
        """Ring for batches that are ready in the ledger and absent from their queue."""
        await self._ring.rescue()
        waiting: dict[str, dict[BroadcastId, int]] = {}
        for queue, broadcast_id, number in await self._ledger.ready(now):
            waiting.setdefault(queue, {})[broadcast_id] = number
        everyone = {broadcast_id for ids in waiting.values() for broadcast_id in ids}
        sending = await self._store.with_state(everyone, "sending")
        for queue, numbers in waiting.items():
            ids = [broadcast_id for broadcast_id in numbers if broadcast_id in sending]
            wanted = sum(numbers[broadcast_id] for broadcast_id in ids)
            if wanted == 0 or not await self._ring.needs(queue, wanted):
                continue
            broadcast = await self._store.find(ids[0])
            if broadcast is None:
                continue
            ready = await self._ledger.list_ready(ids, now)
            missing = await self._ring.restore(queue, broadcast.priority, ready)
            if missing:
                log.info("ring.restored", extra={"queue": queue, "batches": missing})

    async def _forget_queues(self, now: datetime) -> None:
        """Now and then, drop queues that are read though their broadcast is not being sent.

        One is left when Redis was away at its end, or when it was rung for just after a cancel.
        Should its broadcast go on after all, the next tick rings for it.
        """
        if self._forget_at <= now:
            self._forget_at = now + FORGET_EVERY
            owners = {broadcast_of(queue): queue for queue in await self._ring.active()}
            mine = {owner: queue for owner, queue in owners.items() if owner is not None}
            for owner in mine.keys() - await self._store.with_state(mine.keys(), "sending"):
                await self._ring.drop(mine[owner])

    async def _close_complete(self) -> None:
        """Close what its last worker did not live to close, a page in each tick."""
        page = await self._store.list_expanded(after=self._after, limit=PAGE)
        for broadcast_id in page:
            await self._closer.close_if_complete(broadcast_id)
        self._after = page[-1] if len(page) == PAGE else ""

    async def _write_off_cancelled(self, now: datetime) -> None:
        """Conclude cancelled broadcasts; one that cannot be read keeps no other one waiting.

        A large one takes many ticks, between which everything else is looked at.
        """
        until = time.monotonic() + WRITE_OFF
        for cancelled in await self._store.cancelled(now=now):
            try:
                await self._write_off(cancelled, now, until)
            except Exception:  # outermost: it is tried again with the next tick
                log.exception("broadcast.write_off_failed", extra={"broadcast": cancelled.id})

    async def _write_off(self, broadcast: Broadcast, now: datetime, until: float) -> None:
        """Conclude the people of a cancelled broadcast whom no living worker holds."""
        job = await self._jobs.load(broadcast.id)
        for wanted in await self._ledger.list_open(broadcast.id):
            batch = await self._ledger.claim_for_closing(
                wanted, owner=self._owner, now=now, until=now + LEASE
            )
            if batch is None:
                continue
            with suppress(LeaseLost):  # then another process concludes it
                await self._chunks.write_off(job, batch, broadcast.state)
            if time.monotonic() >= until:
                break
        if await self._ledger.is_complete(broadcast.id):
            totals = await self._ledger.totals(broadcast.id)
            await self._store.close(broadcast.id, totals)
            await self._ledger.expire_people(broadcast.id, now + LISTS_KEPT)
            await self._closer.drop_queue(broadcast)
            log.info("broadcast.closed", extra={"broadcast": broadcast.id, "counts": str(totals)})
