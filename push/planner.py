"""The planner (计划): what is due begins, once, whoever looks.

`tick` is called every half second by each scheduler process. It only looks and claims;
expansion runs in tasks of its own, so a long one does not keep an urgent broadcast waiting.
"""

import asyncio
import logging
import secrets
from dataclasses import replace
from datetime import datetime, time, timedelta

from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.ids import BroadcastId, new_id
from domain.schedule import Cron, quiet_until
from push.fanout import LEASE, Fanout
from storage.mongo.broadcasts import AlreadyThere, MongoBroadcasts

log = logging.getLogger(__name__)

TOO_LATE = timedelta(hours=1)
LOOK_BACK = timedelta(days=1)  # times missed longer ago are not recorded one by one
MOST_MISSED = 20  # how many missed times of one plan are recorded one by one
EXPANSIONS = 8  # at once in one process


class Planner:
    """Starts what is due. Two planners at once are harmless: every step is claimed."""

    def __init__(
        self,
        store: MongoBroadcasts,
        fanout: Fanout,
        clock: Clock,
        *,
        quiet_hours: tuple[time, time] | None,
    ) -> None:
        self._store = store
        self._fanout = fanout
        self._clock = clock
        self._quiet_hours = quiet_hours
        self._owner = f"planner-{secrets.token_hex(6)}"
        self._tasks: set[asyncio.Task[None]] = set()

    async def tick(self, now: datetime | None = None) -> None:
        """Claim what is due at `now` and begin to expand it."""
        now = now or self._clock.now()
        for broadcast in await self._store.due(now):
            if broadcast.cron:
                await self._next_occurrence(broadcast, now)
            else:
                await self._begin(broadcast, now)
        while len(self._tasks) < EXPANSIONS:
            abandoned = await self._store.take_fanout(now=now, owner=self._owner, until=now + LEASE)
            if abandoned is None:
                break
            self._expand(abandoned)

    async def settle(self) -> None:
        """Wait until the expansions that were begun have ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Stop; another process takes unfinished expansions over."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, broadcast: Broadcast, now: datetime) -> None:
        due_at = broadcast.due_at or now
        quiet_end = quiet_until(now, self._quiet_hours)
        if broadcast.heeds_quiet_hours and quiet_end is not None:
            await self._store.move(broadcast.id, {"scheduled"}, "scheduled", due_at=quiet_end)
            log.info("broadcast.held", extra={"broadcast": broadcast.id, "until": quiet_end})
        elif now - due_at > TOO_LATE:
            reason = f"missed: due at {due_at.isoformat()}, looked at {now.isoformat()}"
            await self._store.move(
                broadcast.id, {"scheduled"}, "failed", reason=reason, finished_at=now
            )
            log.error("broadcast.missed", extra={"broadcast": broadcast.id, "reason": reason})
        elif len(self._tasks) < EXPANSIONS and await self._store.start(
            broadcast, now=now, owner=self._owner, until=now + LEASE
        ):
            log.info("broadcast.started", extra={"broadcast": broadcast.id})
            self._expand(broadcast)

    async def _next_occurrence(self, plan: Broadcast, now: datetime) -> None:
        """Make the occurrence that is due, then move the plan on.

        The occurrence comes first: it is unique on (plan, planned time), so dying between the
        two, or two planners at once, makes one occurrence and never none.
        """
        cron = Cron(plan.cron or "")
        planned = plan.due_at or now
        since = max(planned, now - LOOK_BACK)
        times = [planned, *cron.between(since, now)][-MOST_MISSED:]
        for moment in times[:-1]:
            await self._missed(plan, moment, now)
        latest = times[-1]
        if plan.expires_at is not None and latest >= plan.expires_at:
            await self._store.advance(plan, None, now)
            return
        if now - latest > TOO_LATE:
            await self._missed(plan, latest, now)
        else:
            child = replace(
                _occurrence(plan, latest, now), state="scheduled", due_at=max(latest, now)
            )
            await self._add(child, plan.id)
        following = cron.next_after(now)
        ends = plan.expires_at is not None and following >= plan.expires_at
        await self._store.advance(plan, None if ends else following, now)

    async def _missed(self, plan: Broadcast, moment: datetime, now: datetime) -> None:
        reason = f"missed: planned for {moment.isoformat()}, looked at {now.isoformat()}"
        child = replace(
            _occurrence(plan, moment, now), state="failed", reason=reason, finished_at=now
        )
        if await self._add(child, plan.id):
            log.error("broadcast.missed", extra={"broadcast": plan.id, "reason": reason})

    async def _add(self, child: Broadcast, plan: BroadcastId) -> bool:
        try:
            await self._store.add(child, content=await self._store.find_content(plan))
        except AlreadyThere:
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


def _occurrence(plan: Broadcast, planned: datetime, now: datetime) -> Broadcast:
    return replace(
        plan,
        id=BroadcastId(new_id("bc")),
        cron=None,
        at=planned,
        parent=plan.id,
        planned_at=planned,
        created_at=now,
        started_at=None,
        finished_at=None,
        due_at=None,
        reason="",
    )
