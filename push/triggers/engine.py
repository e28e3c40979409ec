"""The engine of triggers: each due (account, trigger) is claimed, run within bounds, recorded.

`tick` is called every second by each scheduler process; runs are tasks of their own, a few at a
time. The cursor moves only after everything of a page has been emitted, in a write that names
the run: dying in between repeats the page, and the keys of what was emitted make that harmless.
Times are spread (`spread`), and failures back off.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from config.logging import without_documents
from domain.clock import Clock
from domain.errors import DepartmentError
from domain.ids import AccountId
from push.broadcasts import Broadcasts
from push.notices import Notices
from push.triggers.emit import Emitter
from push.triggers.ports import Cursor, Outcome, Trigger, Visit
from push.triggers.spread import backoff, next_on_grid
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.triggers import Claimed, MongoTriggers, row_id

log = logging.getLogger(__name__)

RUNS = 4  # at once in one process
LIMIT = 20.0  # seconds for one run: less than the lease, so that nobody else begins meanwhile
LEASE = timedelta(seconds=30)
STORE_SECONDS = 5.0
SOON = timedelta(seconds=1)  # when there is more to read


class LeaseLost(Exception):
    """Another process has this trigger now: end quietly, it does the same work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A trigger, the accounts it speaks for, and how often it asks."""

    trigger: Trigger
    accounts: tuple[AccountId, ...]
    every: timedelta
    publish: bool = True  # False: broadcasts wait for a person's approval


class TriggerEngine:
    """Runs what is due. Two engines at once are harmless: every step is claimed."""

    def __init__(
        self,
        store: MongoTriggers,
        plans: Iterable[Plan],
        broadcasts: Broadcasts,
        broadcast_store: MongoBroadcasts,
        notices: Notices,
        clock: Clock,
        *,
        limit: float = LIMIT,
    ) -> None:
        self._store = store
        self._plans = {
            row_id(account, plan.trigger.name): (account, plan)
            for plan in plans
            for account in plan.accounts
        }
        self._broadcasts = broadcasts
        self._broadcast_store = broadcast_store
        self._notices = notices
        self._clock = clock
        self._limit = limit
        self._owner = f"triggers-{secrets.token_hex(6)}"
        self._tasks: set[asyncio.Task[None]] = set()
        self._are_there = False
        self._ticked_at = clock.now()

    async def tick(self) -> None:
        """Begin what is due."""
        if not self._plans:
            return
        async with asyncio.timeout(STORE_SECONDS):
            ticks_at = self._clock.now()
            # after a clock was put right, rows may be due by what it said before: once more
            if not self._are_there or ticks_at < self._ticked_at:
                await self._make_rows()
            self._ticked_at = ticks_at
            while len(self._tasks) < RUNS:
                now = self._clock.now()
                claimed = await self._store.claim(
                    self._plans, now=now, owner=self._owner, until=now + LEASE
                )
                if claimed is None:
                    return
                task = asyncio.create_task(self._run(claimed))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until the runs that were begun have ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Stop; unfinished runs are given back and repeated elsewhere."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _make_rows(self) -> None:
        now = self._clock.now()
        for name, (account, plan) in self._plans.items():
            await self._store.ensure(
                account, plan.trigger.name, first_at=next_on_grid(name, plan.every, now)
            )
        self._are_there = True

    async def _run(self, claimed: Claimed) -> None:
        _, plan = self._plans[row_id(claimed.account, claimed.trigger)]
        emit = self._emitter(claimed, plan)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._limit):
                outcome = await plan.trigger.run(self._visit(claimed, emit))
            await self._succeeded(claimed, plan, outcome, emit, began)
        except asyncio.CancelledError:
            await self._given_back(claimed)
            raise
        except LeaseLost:
            log.warning("trigger.lease_lost", extra=_names(claimed))
        except (DepartmentError, TimeoutError) as error:
            await self._failed(claimed, error, plan.every)
        except Exception as error:  # outermost: the next run begins where this one did
            log.exception("trigger.crashed", extra=_names(claimed))
            await self._failed(claimed, error, plan.every)

    def _visit(self, claimed: Claimed, emit: Emitter) -> Visit:
        async def save(cursor: Cursor) -> None:
            if not await self._store.save(
                claimed, owner=self._owner, since=cursor.since, etag=cursor.etag
            ):
                raise LeaseLost

        cursor = None if claimed.since is None else Cursor(since=claimed.since, etag=claimed.etag)
        return Visit(
            account=claimed.account, now=self._clock.now(), cursor=cursor, emit=emit, save=save
        )

    def _emitter(self, claimed: Claimed, plan: Plan) -> Emitter:
        async def keep_lease() -> None:
            now = self._clock.now()
            if not await self._store.keep(claimed, owner=self._owner, now=now, until=now + LEASE):
                raise LeaseLost

        return Emitter(
            claimed.trigger,
            claimed.account,
            self._broadcasts,
            self._broadcast_store,
            self._notices,
            self._clock,
            keep_lease,
            publish=plan.publish,
        )

    async def _succeeded(
        self, claimed: Claimed, plan: Plan, outcome: Outcome, emit: Emitter, began: float
    ) -> None:
        now = self._clock.now()
        name = row_id(claimed.account, claimed.trigger)
        next_at = now + SOON if outcome.more else next_on_grid(name, plan.every, now)
        async with asyncio.timeout(STORE_SECONDS):
            ours = await self._store.succeeded(
                claimed,
                owner=self._owner,
                now=now,
                next_at=next_at,
                since=outcome.cursor.since,
                etag=outcome.cursor.etag,
                refused=emit.refused,
            )
        if not ours:
            raise LeaseLost
        log.log(
            logging.INFO if outcome.seen or emit.refused else logging.DEBUG,
            "trigger.ran",
            extra=_names(claimed)
            | {
                "seen": outcome.seen,
                "unchanged": outcome.unchanged,
                "more": outcome.more,
                "emitted": emit.emitted,
                "repeated": emit.repeated,
                "stale": emit.stale,
                "refused": emit.refused,
                "withdrawn": emit.withdrawn,
                "ms": round((time.monotonic() - began) * 1000),
            },
        )

    async def _failed(self, claimed: Claimed, error: Exception, every: timedelta) -> None:
        next_at = self._clock.now() + backoff(claimed.failures, every)
        reason = without_documents(f"{type(error).__name__}: {error}")
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._store.failed(claimed, owner=self._owner, next_at=next_at, error=reason)
        except Exception:  # MongoDB is away too: the lease runs out by itself
            log.exception("trigger.not_recorded", extra=_names(claimed))
        log.warning(
            "trigger.failed",
            extra=_names(claimed)
            | {"reason": reason, "failures": claimed.failures + 1, "next_at": next_at},
        )

    async def _given_back(self, claimed: Claimed) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._store.release(claimed, owner=self._owner, now=self._clock.now())
        except Exception as error:
            log.warning(
                "trigger.not_released",
                extra=_names(claimed) | {"reason": f"{type(error).__name__}; the lease runs out"},
            )


def _names(claimed: Claimed) -> dict[str, object]:
    return {"trigger": claimed.trigger, "account": claimed.account, "run": claimed.run}
