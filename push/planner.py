"""The planner (计划): what is due begins, once, whoever looks.

`tick` is called every half second by each scheduler process. It only looks and claims; expansion,
and the look back over recurring plans, run in tasks of their own, so a long one does not keep an
urgent broadcast waiting. Urgent ones are looked at first and are never held up by a full house.

A broadcast that could have begun longer ago than it allows (`late_by`) is not sent any more: it
fails as missed, with its reason. Quiet hours and a send window only move the moment from which
that is counted.
"""

import asyncio
import logging
import secrets
from datetime import datetime, time, timedelta

from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.schedule import open_at
from push.fanout import LEASE, Fanout
from push.plans import Plans
from push.recurrences import ReadRecurrence, recurrence
from storage.mongo.broadcasts import MongoBroadcasts

log = logging.getLogger(__name__)

EXPANSIONS = 16  # at once in one process, urgent ones apart
LOOK_BACK_EVERY = timedelta(seconds=30)


class Planner:
    """Starts what is due. Two planners at once are harmless: every step is claimed."""

    def __init__(
        self,
        store: MongoBroadcasts,
        fanout: Fanout,
        clock: Clock,
        *,
        quiet_hours: tuple[time, time] | None,
        read: ReadRecurrence = recurrence,
    ) -> None:
        self._store = store
        self._fanout = fanout
        self._clock = clock
        self._quiet_hours = quiet_hours
        self._plans = Plans(store, read)
        self._owner = f"planner-{secrets.token_hex(6)}"
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking_back: asyncio.Task[None] | None = None
        self._looked_back_at: datetime | None = None

    async def tick(self, now: datetime | None = None) -> None:
        """Claim what is due at `now` and begin to expand it."""
        now = now or self._clock.now()
        self._look_back(now)
        for broadcast in await self._store.due(now):
            try:
                await self._look_at(broadcast, now)
            except Exception:  # outermost: one that cannot begin keeps no other one waiting
                log.exception("broadcast.not_begun", extra={"broadcast": broadcast.id})
        while len(self._tasks) < EXPANSIONS:
            abandoned = await self._store.take_fanout(now=now, owner=self._owner, until=now + LEASE)
            if abandoned is None:
                break
            self._expand(abandoned)

    async def _look_at(self, broadcast: Broadcast, now: datetime) -> None:
        if not broadcast.cron:
            await self._begin(broadcast, now)
            return
        for occurrence in await self._plans.look_at(broadcast, now):
            await self._begin(occurrence, now)

    async def settle(self) -> None:
        """Wait until what was begun has ended."""
        while waiting := {*self._tasks, *([self._looking_back] if self._looking_back else [])}:
            await asyncio.wait(waiting)

    async def aclose(self) -> None:
        """Stop; another process takes unfinished expansions over."""
        tasks = [*self._tasks, *([self._looking_back] if self._looking_back else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- recurring ------------------------------------------------------------------------

    def _look_back(self, now: datetime) -> None:
        """Now and then, and at the start: make what an outage or a crash has left out."""
        last = self._looked_back_at
        # a clock that was set back must not put it off
        fresh = last is not None and last <= now < last + LOOK_BACK_EVERY
        if self._looking_back is not None or fresh:
            return
        self._looked_back_at = now
        self._looking_back = asyncio.create_task(self._look_back_safely(now))

    async def _look_back_safely(self, now: datetime) -> None:
        try:
            async for occurrence in self._plans.look_back(now):
                await self._begin(occurrence, now)
        except Exception:  # outermost: in half a minute again
            log.exception("schedule.look_back_failed")
        finally:
            self._looking_back = None

    # --- one broadcast --------------------------------------------------------------------

    async def _begin(self, broadcast: Broadcast, now: datetime) -> None:
        quiet = self._quiet_hours if broadcast.heeds_quiet_hours else None
        due_at = broadcast.due_at or now
        could_begin = open_at(due_at, quiet, broadcast.window) or due_at
        opens = open_at(now, quiet, broadcast.window)
        if now - could_begin > broadcast.late_by:
            reason = f"missed: due at {due_at.isoformat()}, looked at {now.isoformat()}"
            await self._store.move(
                broadcast.id, {"scheduled"}, "failed", reason=reason, finished_at=now
            )
            log.error("broadcast.missed", extra={"broadcast": broadcast.id, "reason": reason})
        elif opens is not None:
            await self._store.move(broadcast.id, {"scheduled"}, "scheduled", due_at=opens)
            log.info("broadcast.held", extra={"broadcast": broadcast.id, "until": opens})
        elif await self._plan_allows(broadcast, now) and await self._claim(broadcast, now):
            self._expand(broadcast)

    async def _claim(self, broadcast: Broadcast, now: datetime) -> bool:
        has_room = len(self._tasks) < EXPANSIONS or broadcast.priority == "urgent"
        return has_room and await self._store.start(
            broadcast, now=now, owner=self._owner, until=now + LEASE
        )

    async def _plan_allows(self, broadcast: Broadcast, now: datetime) -> bool:
        """Whether its plan still stands: one may be stopped just when an occurrence is made."""
        if broadcast.parent is None:
            return True
        plan = await self._store.status(broadcast.parent)
        if plan is None or plan.state in ("cancelled", "failed"):
            await self._store.move(
                broadcast.id,
                {"scheduled"},
                "cancelled",
                reason="its plan was cancelled",
                finished_at=now,
            )
            return False
        if plan.state == "paused":
            await self._store.move(
                broadcast.id, {"scheduled"}, "paused", reason="its plan was paused"
            )
            return False
        return True

    def _expand(self, broadcast: Broadcast) -> None:
        task = asyncio.create_task(self._expand_safely(broadcast))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _expand_safely(self, broadcast: Broadcast) -> None:
        try:
            await self._fanout.expand(broadcast, owner=self._owner)
        except Exception:  # outermost: whoever sees the claim run out expands the rest
            log.exception("fanout.failed", extra={"broadcast": broadcast.id})
