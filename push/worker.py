"""The worker (发送进程): takes batches from the ring and works them off under a lease.

Any number of workers on any number of machines. A worker that dies is noticed by its lease; one
that was too slow notices it itself and stops. The runtime calls `run(stop)` and sets `stop` to
end it: what is being sent is finished, and leases are given back.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from domain.clock import Clock
from domain.ids import BroadcastId
from domain.ledger import Batch, Chunk
from push.broadcasts import Broadcasts
from push.chunks import Chunks
from push.closing import Closer
from push.gate import Gate, Verdict
from push.health import Health
from push.jobs import Job, Jobs
from push.lanes import Lanes, lane_of
from push.rounds import Round
from push.sender import OF_ONE_MESSAGE
from storage.mongo.ledger import LeaseLost, MongoLedger
from storage.redis.ring import Lane, Ring, Ticket
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

IDLE = 0.1  # seconds between two looks at an empty ring
AWAY = 0.5  # the same while Redis does not answer
BEGUN = timedelta(milliseconds=200)  # between two looks for batches that were begun before
MOST_FOUND = 256  # of these in one look: what one worker leaves that died on a bad day
STOOD = timedelta(seconds=1)  # before a batch of a paused broadcast is looked at again
SETTINGS_AGAIN = timedelta(minutes=3)  # for personal notices, after an account's refusal
NEWCOMERS = 8  # batches of queues it holds nothing of, taken even when it is busy
GRACE = 3.5  # seconds for what is being sent when the process is asked to stop


class Worker:
    """One process's share of the sending."""

    def __init__(
        self,
        ring: Ring,
        ledger: MongoLedger,
        chunks: Chunks,
        jobs: Jobs,
        gate: Gate,
        broadcasts: Broadcasts,
        closer: Closer,
        clock: Clock,
        *,
        concurrency: int = 8,
        lease: timedelta = timedelta(seconds=10),
    ) -> None:
        self._ring = ring
        self._ledger = ledger
        self._chunks = chunks
        self._jobs = jobs
        self._gate = gate
        self._broadcasts = broadcasts
        self._closer = closer
        self._clock = clock
        self._concurrency = concurrency
        self._lease = lease
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lanes = Lanes(concurrency)
        self._held: dict[str, Batch] = {}
        self._look_for_begun = clock.now()
        self._room = asyncio.Event()  # a batch ended
        self._health = Health()
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what was begun and give the rest back."""
        renewing = asyncio.create_task(self._renew_forever())
        tasks: set[asyncio.Task[None]] = set()
        try:
            while not stop.is_set():
                _heed_cancellation()
                self._room.clear()
                batches, pause = await self._next()
                for batch in batches:
                    task = asyncio.create_task(self._work_safely(batch))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                if not batches:
                    await self._wait(stop, pause)
            await self._leave(tasks)
        finally:
            self._stopping = True
            for task in [*tasks, renewing]:
                task.cancel()
            await asyncio.gather(*tasks, renewing, return_exceptions=True)

    async def _wait(self, stop: asyncio.Event, seconds: float) -> None:
        """Wait until a batch ends and makes room, or so long."""
        waits = [asyncio.create_task(event.wait()) for event in (stop, self._room)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _leave(self, tasks: set[asyncio.Task[None]]) -> None:
        """Let sub-chunks end, and give back at once what does not end in time."""
        self._stopping = True
        if not tasks:
            return
        for batch in self._held.values():
            batch.leaving = True
        _, late = await asyncio.wait(tasks, timeout=GRACE)
        unfinished = list(self._held.values())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await asyncio.gather(*map(self._give_back, unfinished))

    async def _give_back(self, batch: Batch) -> None:
        try:
            await self._ledger.release(batch, self._clock.now())
        except LeaseLost:
            return  # it ended after all
        except Exception:  # outermost: the others are given back all the same
            log.exception("batch.not_given_back", extra={"batch": batch.id})

    # --- taking ---------------------------------------------------------------------------

    async def _next(self) -> tuple[list[Batch], float]:
        """Return newly leased batches, and how long to wait when there are none."""
        now = self._clock.now()
        resting = self._lanes.resting(now)
        batches: list[Batch] = []
        try:
            batches += await self._begun(resting, now)
            queues = {batch.queue for batch in self._held.values()}
            tickets = await self._ring.take(
                self._owner,
                free=2 * self._concurrency,
                room=self._room_in,
                extra=max(0, NEWCOMERS - len(queues)),
                held=queues,
                resting=resting,
            )
            batches += await self._claim(ticket.batch for ticket in tickets)
            await self._settle(tickets)
        except StoreAway as error:
            log.warning("ring.away", extra={"reason": f"{error}; asked again in {AWAY} s"})
            return batches, AWAY
        except Exception:  # outermost: the loop must survive what MongoDB may do
            log.exception("worker.take_failed", extra={"reason": f"again in {AWAY} s"})
            return batches, AWAY
        return batches, IDLE

    def _room_in(self, lane: Lane) -> int:
        return self._lanes.room(lane, self._held.values())

    async def _begun(self, resting: Collection[Lane], now: datetime) -> list[Batch]:
        """Take what was begun before, by a worker that died or until a pause was over.

        It waits in no queue: behind a long broadcast's batches the minutes would pass in which
        people who may have got the message can be sent it again without harm. What belongs to a
        broadcast that stands still is set aside, so that any number of those hides nobody else's;
        what it must wait for otherwise (quiet hours) is found out by working on it.
        """
        if now < self._look_for_begun:
            return []
        held = self._held.values()
        full = {lane for lane in map(lane_of, held) if not self._lanes.room_for_begun(lane, held)}
        found = await self._ledger.list_abandoned(now, limit=MOST_FOUND)
        found += await self._ledger.begun.list_(now, lanes={*resting, *full}, limit=MOST_FOUND)
        broadcasts = {broadcast for _, broadcast, _ in found}
        going = await self._gate.sending(broadcasts)
        standing = broadcasts - going
        if standing:
            await self._ledger.begun.set_aside(standing, now)
            for resumed in await self._gate.sending(standing):  # between our two questions
                await self._ledger.begun.take_up(resumed, now)
        room: dict[Lane, int] = {}
        wanted: list[str] = []
        for batch, broadcast, lane in found:
            if broadcast not in going or lane in resting:
                continue
            if room.setdefault(lane, self._lanes.room_for_begun(lane, held)) > 0:
                room[lane] -= 1
                wanted.append(batch)
        if len(found) < MOST_FOUND:  # else there is more, looked for as soon as there is room
            self._look_for_begun = now + BEGUN
        return await self._claim(wanted)

    async def _claim(self, wanted: Iterable[str]) -> list[Batch]:
        now = self._clock.now()
        batches = await self._ledger.claim(
            set(wanted) - self._held.keys(), owner=self._owner, now=now, until=now + self._lease
        )
        self._held.update({batch.id: batch for batch in batches})
        return batches

    async def _settle(self, tickets: Sequence[Ticket]) -> None:
        try:
            await self._ring.settle(tickets)
        except StoreAway as error:
            log.warning("ring.away", extra={"reason": f"{error}; the entries are swept"})

    # --- working --------------------------------------------------------------------------

    async def _work_safely(self, batch: Batch) -> None:
        fields = {"batch": batch.id, "attempt": batch.attempt}
        try:
            await self._work(batch)
        except* LeaseLost:
            log.warning("batch.lease_lost", extra=fields)
        except* Exception:  # outermost: its lease runs out and somebody tries again
            log.exception("batch.failed", extra=fields)
        finally:
            self._held.pop(batch.id, None)
            self._room.set()

    async def _work(self, batch: Batch) -> None:
        todo = sorted(self._due(batch), key=lambda chunk: (len(chunk.id), chunk.id))
        todo.reverse()  # taken from the end
        stopped: list[Verdict] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency, len(todo))):
                group.create_task(self._work_chunks(batch, todo, stopped))
        await self._conclude(batch, stopped[0] if stopped else None)

    async def _work_chunks(self, batch: Batch, todo: list[Chunk], stopped: list[Verdict]) -> None:
        lane = lane_of(batch)
        while todo and not stopped and not self._stopping:
            async with self._lanes.slot(lane, batch.queue):
                if not todo or stopped or self._stopping:
                    return
                chunk = todo.pop()
                # a digest is what it is at this moment, not when it began to wait for the slot
                job = await self._jobs.load(batch.broadcast)
                found = await self._chunks.work(job, batch, chunk)
            if found.begun:  # outcomes are written while others send
                await self._chunks.close(job, batch, chunk, found)
            if found.stopped is not None and found.stopped.word != "expired":
                stopped.append(found.stopped)
                return
            stop = await self._stop_for(job, batch, found)
            if stop is not None:
                stopped.append(stop)

    async def _stop_for(self, job: Job, batch: Batch, found: Round) -> Verdict | None:
        """Return what a sub-chunk's answers mean for the rest of its batch, if anything."""
        until = found.halted_until
        if job.broadcast.kind == "broadcast":
            verdict = await self._gate.ask(job.broadcast)
            reason = self._health.reason_to_pause(batch.broadcast, found, resumes=verdict.resumes)
            if reason is not None:
                await self._pause(batch.broadcast, reason)
                return Verdict("paused")
        elif (wrong := found.misconfigured) is not None:
            if wrong.errcode in OF_ONE_MESSAGE:
                await self._pause(batch.broadcast, f"configuration: {wrong.reason}")
                return Verdict("paused")
            # nobody looks after a single notice, and there may be thousands: they wait together
            # until the account is put right, and go on by themselves
            until = self._clock.now() + SETTINGS_AGAIN
            extra = {"account": batch.account, "reason": wrong.reason, "until": until}
            log.error("account.misconfigured", extra=extra)
        if until is None:
            return None
        self._lanes.rest(lane_of(batch), until)
        return Verdict("quiet", until=until)

    async def _conclude(self, batch: Batch, stopped: Verdict | None) -> None:
        """Finish the batch, write it off, or give it back for later."""
        await self._chunks.catch_up(batch)
        if not batch.open:
            await self._ledger.finish(batch)
            await self._closer.close_if_complete(batch.broadcast)
            return
        now = self._clock.now()
        if stopped is not None and stopped.word == "cancelled":
            job = await self._jobs.load(batch.broadcast)
            await self._chunks.write_off(job, batch, "cancelled")
            return
        due_at = min((chunk.due_at or now for chunk in batch.open.values()), default=now)
        if stopped is not None:
            stands = stopped.word in ("paused", "closed")
            due_at = max(due_at, stopped.until or (now + STOOD if stands else now))
        await self._ledger.release(batch, due_at)

    async def _pause(self, broadcast: BroadcastId, reason: str) -> None:
        log.error("broadcast.paused", extra={"broadcast": broadcast, "reason": reason})
        await self._broadcasts.pause_by_itself(broadcast, reason=reason)
        self._gate.forget(broadcast)

    def _due(self, batch: Batch) -> list[Chunk]:
        now: datetime = self._clock.now()
        return [
            chunk for chunk in batch.open.values() if chunk.due_at is None or chunk.due_at <= now
        ]

    # --- leases ---------------------------------------------------------------------------

    async def _renew_forever(self) -> None:
        pause = self._lease.total_seconds() / 3
        while True:
            _heed_cancellation()
            await asyncio.sleep(pause)
            if not self._held:
                continue
            try:
                async with asyncio.timeout(pause):
                    await self._renew()
            except Exception:  # outermost: without renewal the leases end and sending stops
                log.exception("worker.renewal_failed", extra={"reason": f"again in {pause} s"})

    async def _renew(self) -> None:
        batches = dict(self._held)
        until = self._clock.now() + self._lease
        mine = await self._ledger.renew(self._owner, batches.keys(), until)
        for batch in batches.values():
            if batch.id in mine:
                batch.lease_until = until
            else:
                batch.lost = True


def _heed_cancellation() -> None:
    """Raise a cancellation that a library has swallowed.

    Python 3.11's `asyncio.wait_for`, which drivers use, returns the result when cancellation and
    completion meet; a loop that never ends would then never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
