"""Retention (保存期限, domain.md 10.4): sending records become pseudonymous, then mere counts.

`tick` is called every half minute by each scheduler process and does a bounded part. Erased
persons come first. Everything it does can be repeated and done by several at once.
"""

import logging
import time
from datetime import datetime, timedelta

from domain.clock import Clock
from storage.mongo.erasures import MongoErasures
from storage.mongo.retention import MongoRetention

log = logging.getLogger(__name__)

CONTENT_KEPT = timedelta(days=30)  # personal content after the end; receipts go as well by then
A_DAY_MORE = timedelta(days=1)  # for a receipt of the last moment
PART = 100
SECONDS = 5.0  # of one tick, as long as something is due


class Retention:
    """Lets go what is no longer needed."""

    def __init__(
        self,
        erasures: MongoErasures,
        store: MongoRetention,
        clock: Clock,
        *,
        history: timedelta,
    ) -> None:
        self._erasures = erasures
        self._store = store
        self._clock = clock
        self._history = history

    async def tick(self, now: datetime | None = None) -> None:
        """Do one part of what is due."""
        now = now or self._clock.now()
        for erasure in await self._erasures.due(now):
            changed, left = await self._erasures.apply(erasure)
            await self._erasures.looked_at(erasure, now, is_open=left > 0)
            if changed:
                log.info("history.pseudonymous", extra={"records": changed})
        until = time.monotonic() + SECONDS
        stripped = ended = deleted = 0
        while True:  # every notice and digest is one: a city makes more of them than a part a tick
            part = await self._store.strip(ended_before=now - CONTENT_KEPT - A_DAY_MORE, limit=PART)
            done = await self._store.thin(ended_before=now - self._history, limit=PART)
            stripped, ended, deleted = stripped + part, ended + done[0], deleted + done[1]
            if not (part or any(done)) or time.monotonic() >= until:
                break
        if stripped or ended:
            extra = {"broadcasts": stripped, "ended": ended, "records": deleted}
            log.info("history.thinned", extra=extra)
