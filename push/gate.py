"""The gate: may this broadcast send at this moment?

Asked before every send. The answer comes from memory and is never older than half a second, so
that pausing and cancelling take effect within a second in every process.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from datetime import time as time_of_day
from typing import Literal

from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.ids import BroadcastId
from domain.schedule import open_at
from storage.mongo.broadcasts import MongoBroadcasts, Status

Word = Literal["go", "paused", "cancelled", "closed", "quiet", "expired"]
FRESH = 0.4  # seconds
PATIENCE = 5.0
KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says; `until` when it knows how long, `resumes` to tell rounds apart."""

    word: Word
    until: datetime | None = None
    resumes: int = 0


class Gate:
    """Knows the state of every broadcast this process works on."""

    def __init__(
        self,
        store: MongoBroadcasts,
        clock: Clock,
        *,
        quiet_hours: tuple[time_of_day, time_of_day] | None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._quiet_hours = quiet_hours
        self._known: dict[BroadcastId, tuple[float, Status | None]] = {}
        self._asking: dict[BroadcastId, asyncio.Task[Status | None]] = {}
        self._now: Callable[[], float] = time.monotonic

    async def ask(self, broadcast: Broadcast) -> Verdict:
        """Return whether to go on with the broadcast."""
        status = await self._status(broadcast.id)
        if status is None:
            return Verdict("closed")
        if status.state == "sending":
            now = self._clock.now()
            if broadcast.expires_at is not None and now >= broadcast.expires_at:
                return Verdict("expired", resumes=status.resumes)
            quiet = self._quiet_hours if broadcast.heeds_quiet_hours else None
            until = open_at(now, quiet, broadcast.window)
            if until is not None:
                return Verdict("quiet", until=until, resumes=status.resumes)
            return Verdict("go", resumes=status.resumes)
        if status.state in ("paused", "scheduled"):
            return Verdict("paused", resumes=status.resumes)
        return Verdict("cancelled" if status.state in ("cancelled", "failed") else "closed")

    async def sending(self, broadcasts: Collection[BroadcastId]) -> set[BroadcastId]:
        """Return those that are neither paused nor over, asked anew, all in one question."""
        if not broadcasts:
            return set()
        async with asyncio.timeout(PATIENCE):
            return await self._store.with_state(broadcasts, "sending")

    def forget(self, broadcast: BroadcastId) -> None:
        """Ask anew next time (the state was changed from here)."""
        self._known.pop(broadcast, None)

    async def _status(self, broadcast: BroadcastId) -> Status | None:
        known = self._known.get(broadcast)
        if known is not None and self._now() - known[0] < FRESH:
            return known[1]
        task = self._asking.get(broadcast)
        if task is None:
            task = asyncio.create_task(self._ask_store(broadcast))
            self._asking[broadcast] = task
            task.add_done_callback(lambda _: self._asking.pop(broadcast, None))
        return await asyncio.shield(task)  # one asker may be cancelled, the others go on

    async def _ask_store(self, broadcast: BroadcastId) -> Status | None:
        asked_at = self._now()  # the answer is as old as the question
        async with asyncio.timeout(PATIENCE):
            status = await self._store.status(broadcast)
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[broadcast] = (asked_at, status)
        return status
