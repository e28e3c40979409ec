"""How long the audit chain is kept (审计保存期限): old segments leave, the rest still verifies.

`tick` is called every few minutes by each scheduler process and does a bounded part. A segment is
followed before it leaves: what does not verify stays as it is, as evidence, and is an error in
the log. Everything can be repeated, and done by several at once.
"""

import logging
from datetime import datetime, timedelta

from domain.audit import Actor
from domain.clock import Clock
from push.audit import PART, Audit
from storage.mongo.audit import MongoAudit

log = logging.getLogger(__name__)

MOST = 5 * PART  # entries of one tick
SYSTEM = Actor("system", "系统")


class AuditKeeper:
    """Cuts what is older than `kept`."""

    def __init__(self, store: MongoAudit, audit: Audit, clock: Clock, *, kept: timedelta) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._kept = kept

    async def tick(self, now: datetime | None = None) -> None:
        """Do one part of what is due."""
        await self._store.sweep()
        due = await self._store.cuttable((now or self._clock.now()) - self._kept)
        walk = await self._audit.begin_check()
        due = min(due, walk.place.seq + MOST)
        start = walk.place.seq
        while walk.place.seq < due and not walk.is_over:
            walk = await self._audit.check(walk, min(PART, due - walk.place.seq))
        if walk.broken_at is not None:
            log.error(
                "audit.broken",
                extra={"entry": walk.broken_at, "reason": "nothing is cut; run `audit verify`"},
            )
            return
        last = await self._store.find(due) if due > start else None
        if last:
            await self._store.cut(last)
            await self._audit.record(
                SYSTEM, "audit.cut", "audit", after={"from": start + 1, "to": last.seq}
            )
