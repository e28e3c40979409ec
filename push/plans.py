"""Recurring plans (周期任务): every planned time becomes exactly one occurrence.

An occurrence's id is made of its plan and planned time, and (plan, planned time) is unique in the
database. So dying between two steps, several planners at once, and an occurrence that is lost and
made again all end with one occurrence; made again, it finds its own batches and deliveries in
place and sends to nobody twice.

Nothing here trusts that the last tick happened. Whenever a plan is looked at, all its times within
the look-back are compared with the occurrences there are, and what is missing is made: the latest
one runs if it is late by no more than the plan allows, and the others are recorded as missed.
Times of a year whose calendar has arrived meanwhile are worked out anew in the same step.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from domain.broadcast import Broadcast
from domain.ids import BroadcastId
from domain.recurrence import Recurrence, times_between
from push.recurrences import ReadRecurrence
from storage.mongo.broadcasts import AlreadyThere, MongoBroadcasts

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=1)  # at least; a plan that may be later is looked at further back
AT_ONCE = 50  # occurrences made for a plan in one go; the rest in the next tick
ONE_TICK = timedelta(milliseconds=1)  # what the database tells apart
PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When a broadcast is looked at next; a plan's times count strictly after `since`."""

    since: datetime | None
    due_at: datetime


def occurrence_id(plan: BroadcastId, planned: datetime) -> BroadcastId:
    """Return the id that an occurrence has however often it is made."""
    digest = sha256(f"{plan}:{int(planned.timestamp())}".encode()).hexdigest()
    return BroadcastId(f"bc_{digest[:24]}")


def begin_at(recurrence: Recurrence, at: datetime | None, now: datetime) -> Times:
    """Return when a plan begins; it may start exactly on one of its times."""
    since = at - ONE_TICK if at is not None and at > now else now
    return Times(since=since, due_at=recurrence.next_after(since))


def resume_at(recurrence: Recurrence, plan: Broadcast, now: datetime) -> Times:
    """Return when a plan goes on after a pause: times that passed in it are not made up for."""
    since = max(plan.since or now, now)
    return Times(since=since, due_at=recurrence.next_after(since))


class Plans:
    """Makes the occurrences of recurring broadcasts. Safe in any number of processes."""

    def __init__(self, store: MongoBroadcasts, read: ReadRecurrence) -> None:
        self._store = store
        self._read = read

    async def look_back(self, now: datetime) -> AsyncIterator[Broadcast]:
        """Look at every plan: make what should exist, and correct when each is due next.

        Yields what is to begin, as `look_at` returns it.
        """
        after = ""
        while page := await self._store.list_plans(after=after, limit=PAGE):
            for plan in page:
                try:
                    made = await self.look_at(plan, now)
                except Exception:  # outermost: the other plans are looked at all the same
                    log.exception("schedule.look_back_failed", extra={"broadcast": plan.id})
                    continue
                for occurrence in made:
                    yield occurrence
            after = page[-1].id

    async def look_at(self, plan: Broadcast, now: datetime) -> list[Broadcast]:
        """Make the plan's missing occurrences, then move its due time on (or end it).

        Returns those to begin. When the process dies before it does, they are due all the same.
        """
        try:
            recurrence = self._read(plan.cron or "")
        except ValueError as error:  # the tax calendar no longer has that name
            await self._give_up(plan, str(error), now)
            return []
        since = plan.since or (plan.due_at or now) - ONE_TICK
        start = max(since, now - max(LOOK_BACK, plan.late_by))
        expected = [
            moment
            for moment in times_between(recurrence, start, now)
            if plan.expires_at is None or moment < plan.expires_at
        ]
        there = await self._store.planned_times(plan.id, start, now) if expected else set()
        missing = [moment for moment in reversed(expected) if moment not in there]
        made = [await self._make(plan, moment, expected[-1], now) for moment in missing[:AT_ONCE]]
        if len(missing) <= AT_ONCE:  # else the due time stays, and the next tick goes on
            await self._move_on(plan, recurrence, max(since, now), now)
        return [occurrence for occurrence in made if occurrence and not occurrence.reason]

    async def _move_on(
        self, plan: Broadcast, recurrence: Recurrence, after: datetime, now: datetime
    ) -> None:
        following = recurrence.next_after(after)
        if plan.expires_at is not None and following >= plan.expires_at:
            await self._store.advance(plan, None, now)
            return
        if following == plan.due_at or not await self._store.advance(plan, following, now):
            return
        if recurrence.is_provisional(following):
            log.warning(
                "schedule.provisional",
                extra={"broadcast": plan.id, "until": following.isoformat()},
            )

    async def _make(
        self, plan: Broadcast, moment: datetime, latest: datetime, now: datetime
    ) -> Broadcast | None:
        """Write one occurrence, to run or as missed with its reason; None if it is there."""
        problem = _problem(plan, moment, latest, now)
        occurrence = replace(
            plan,
            id=occurrence_id(plan.id, moment),
            cron=None,
            at=moment,
            parent=plan.id,
            planned_at=moment,
            since=None,
            created_at=now,
            started_at=None,
            state="failed" if problem else "scheduled",
            due_at=None if problem else moment,
            finished_at=now if problem else None,
            reason=problem,
        )
        try:
            await self._store.add(occurrence, content=await self._store.find_content(plan.id))
        except AlreadyThere:
            return None
        if problem:
            log.error("broadcast.missed", extra={"broadcast": plan.id, "reason": problem})
        return occurrence

    async def _give_up(self, plan: Broadcast, problem: str, now: datetime) -> None:
        reason = f"its recurring time cannot be read any more: {problem}"
        if await self._store.move(plan.id, {"scheduled"}, "failed", reason=reason, finished_at=now):
            log.error("broadcast.missed", extra={"broadcast": plan.id, "reason": reason})


def _problem(plan: Broadcast, moment: datetime, latest: datetime, now: datetime) -> str:
    """Return why a planned time is not to be sent any more, or nothing."""
    seen = f"missed: planned for {moment.isoformat()}, looked at {now.isoformat()}"
    if plan.expires_at is not None and now >= plan.expires_at:
        return f"{seen}, and expired"
    if now - moment > plan.late_by:
        return seen
    return f"{seen}, when {latest.isoformat()} was due already" if moment != latest else ""
