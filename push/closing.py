"""Closing: a broadcast is finished only when its people and their outcomes agree."""

import logging
from datetime import timedelta

from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.ids import BroadcastId
from domain.ledger import Totals
from push.broadcasts import queue_for
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.deliveries import MongoDeliveries
from storage.mongo.ledger import MongoLedger
from storage.redis.ring import Ring
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

LISTS_KEPT = timedelta(days=30)


class Closer:
    """The verifier: compares what was meant with what was written, three ways."""

    def __init__(
        self,
        store: MongoBroadcasts,
        ledger: MongoLedger,
        deliveries: MongoDeliveries,
        ring: Ring,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._deliveries = deliveries
        self._ring = ring
        self._clock = clock

    async def close_if_complete(self, broadcast_id: BroadcastId) -> bool:
        """Finish the broadcast if nothing is left to do and the numbers agree."""
        if not await self._ledger.is_complete(broadcast_id):
            return False
        found = await self._store.find_expanded(broadcast_id)
        if found is None:
            return False
        broadcast, expected = found
        totals = await self._ledger.totals(broadcast_id)
        by_state = await self._deliveries.count_by_state(broadcast_id)
        written = Totals(people=sum(by_state.values()), **by_state)
        if totals != written or totals.people != expected or totals.concluded != expected:
            log.error(
                "broadcast.numbers_disagree",
                extra={
                    "broadcast": broadcast_id,
                    "expected": expected,
                    "ledger": str(totals),
                    "deliveries": str(written),
                },
            )
            return False
        now = self._clock.now()
        if not await self._store.close(broadcast_id, totals, finished_at=now):
            return False
        await self._ledger.expire_people(broadcast_id, now + LISTS_KEPT)
        await self.drop_queue(broadcast)
        return True

    async def drop_queue(self, broadcast: Broadcast) -> None:
        """Forget the queue of a broadcast that is over, if it had one of its own."""
        if broadcast.kind != "broadcast":
            return
        queue = queue_for(broadcast)
        try:
            await self._ring.drop(queue)
        except StoreAway as error:
            log.warning("ring.away", extra={"queue": queue, "reason": f"{error}; swept later"})
