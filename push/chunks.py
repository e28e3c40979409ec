"""A sub-chunk's way: intent, pace, send, outcomes, closing (push-engine.md 2.6).

Dying at any point of it loses nobody and doubles nobody:

- before the intent: nothing was sent; the sub-chunk is simply still open;
- between intent and closing: whoever has a delivery written is done; the others may have been
  sent and are repeated with the same client_msg_id while the platform would recognise it,
  counted from the first intent, and recorded as unknown after that;
- closing is one update that marks the sub-chunk, adds its counts and opens its children.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta

from domain.channel import TEMPLATE_ONLY
from domain.clock import Clock
from domain.delivery import Outcome
from domain.errors import TemporaryDeliveryError
from domain.ids import AccountId, OpenId
from domain.ledger import Batch, Chunk, Delivery, delivery_id, tally
from push import counters
from push.channels.base import One
from push.channels.ways import Ways
from push.gate import Gate, Verdict
from push.jobs import Job, Jobs
from push.receipts import Receipts
from push.rounds import Round
from push.sender import (
    MOST_PUT_OFF,
    NEXT_MINUTE,
    REDIS_BACK,
    Misconfigured,
    NoAnswer,
    NotThisWay,
    PutOff,
    Result,
    Sender,
    TokenRejected,
    WrongMessage,
)
from storage.mongo.deliveries import MongoDeliveries
from storage.mongo.ledger import LeaseLost, MongoLedger
from storage.redis.limiter import Limiter
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(seconds=20)  # a platform that does not answer is left alone that long
MANY_SILENT = 5
MANY_REJECTED = 5  # tokens, and half of what was sent: then it is not chance
SILENT_HOLD = timedelta(seconds=5)
TOKEN_HOLD = timedelta(seconds=20)  # a token is replaced once a minute at most


class Chunks:
    """Works off sub-chunks. Raises `LeaseLost` when the batch is no longer ours."""

    def __init__(
        self,
        ledger: MongoLedger,
        deliveries: MongoDeliveries,
        receipts: Receipts,
        jobs: Jobs,
        sender: Sender,
        limiter: Limiter,
        gate: Gate,
        clock: Clock,
        ways: Ways,
    ) -> None:
        self._ways = ways
        self._ledger = ledger
        self._deliveries = deliveries
        self._receipts = receipts
        self._jobs = jobs
        self._sender = sender
        self._limiter = limiter
        self._gate = gate
        self._clock = clock

    async def work(self, job: Job, batch: Batch, chunk: Chunk) -> Round:
        """Send one open sub-chunk and say what happened; `close` must follow if it was `begun`."""
        people = [batch.people[position] for position in chunk.positions]
        found = Round()
        if chunk.intended_at is not None:
            known = await self._deliveries.outcomes(batch.broadcast, people)
            found.known = dict(known)
            people = [openid for openid in people if openid not in known]
        verdict = await self._gate.ask(job.broadcast)
        if verdict.word in ("paused", "quiet", "cancelled", "closed"):
            found.stopped = verdict
            return found
        if chunk.intended_at is not None and job.content.channels != TEMPLATE_ONLY:
            people = await self._ways.split(job, batch, people, found)
        if chunk.intended_at is not None and self._ways.may_repeat(job):
            await self._repeat(job, batch, chunk, chunk.intended_at, people, verdict, found)
        elif verdict.word == "expired":
            found.deliveries += self._all(people, "skipped", "expired")
        else:
            await self._first(job, batch, chunk, people, found)
        found.begun = True
        return found

    async def write_off(self, job: Job, batch: Batch, reason: str) -> None:
        """Close a cancelled batch: who was not begun is skipped, the rest is looked up."""
        skipped = 0
        known: list[Outcome] = []
        doubtful: list[Delivery] = []
        for chunk in batch.open.values():
            people = [batch.people[position] for position in chunk.positions]
            if chunk.intended_at is None:
                skipped += len(people)
                continue
            outcomes = await self._deliveries.outcomes(batch.broadcast, people)
            known += outcomes.values()
            rest = [openid for openid in people if openid not in outcomes]
            if job.content.channels != TEMPLATE_ONLY:
                doubtful += await self._ways.write_off(job, batch, rest, reason)
                continue
            doubtful += self._all(rest, "unknown", f"{reason} while it was being sent")
        counts = tally([*known, *await self._record(job, batch, doubtful)])
        counts["skipped"] += skipped
        await self._ledger.write_off(batch, counts)
        batch.open.clear()

    async def catch_up(self, batch: Batch) -> None:
        """Join receipts that came before the deliveries of this lease were written."""
        await self._receipts.catch_up(batch.account, batch.msgids)
        batch.msgids.clear()
        await self._receipts.catch_up_nameless(batch.nameless)
        batch.nameless.clear()

    # --- the two kinds of pass ------------------------------------------------------------

    async def _first(
        self, job: Job, batch: Batch, chunk: Chunk, people: Sequence[OpenId], found: Round
    ) -> None:
        """Nobody of these was sent anything yet."""
        meant = await self._jobs.still_meant(job, people)
        gone = [openid for openid in people if openid not in meant]
        found.deliveries += self._all(gone, "skipped", "no longer subscribed or reachable")
        if not meant:
            return
        found.intended_at = intended_at = self._clock.now()
        await self._ledger.intend(batch, chunk, intended_at)
        rest = [openid for openid in people if openid in meant]
        if job.content.channels == TEMPLATE_ONLY:
            await self._send(job, batch, rest, intended_at, found, at_risk=False)
            return

        async def leave(some: Sequence[OpenId], one: One) -> None:
            await self._send(job, batch, some, intended_at, found, at_risk=False, one=one)

        await self._ways.go(job, batch, rest, found, leave)

    async def _repeat(
        self,
        job: Job,
        batch: Batch,
        chunk: Chunk,
        intended_at: datetime,
        people: Sequence[OpenId],
        verdict: Verdict,
        found: Round,
    ) -> None:
        """Any of these may have been sent already: only the first intent's window helps."""
        if verdict.word == "expired":
            found.deliveries += self._all(people, "unknown", "expired before an answer came")
        elif self._clock.now() - intended_at >= self._ways.safe_to_repeat(job):
            found.deliveries += self._all(people, "unknown", "no answer, and too late to repeat")
        else:
            meant = await self._jobs.still_meant(job, people)
            gone = [openid for openid in people if openid not in meant]
            found.deliveries += self._all(gone, "unknown", "left before an answer came")
            rest = [openid for openid in people if openid in meant]
            if not self._ways.is_mass(job):
                await self._send(job, batch, rest, intended_at, found, at_risk=True)
                return

            async def leave(some: Sequence[OpenId], one: One) -> None:
                await self._send(job, batch, some, intended_at, found, at_risk=True, one=one)

            await self._ways.repeat(job, batch, rest, found, leave)

    # --- sending --------------------------------------------------------------------------

    async def _send(
        self,
        job: Job,
        batch: Batch,
        people: Sequence[OpenId],
        intended_at: datetime,
        found: Round,
        *,
        at_risk: bool,
        one: One | None = None,
    ) -> None:
        """Send at the account's pace; `one` says how when it is not a template message."""
        safe = self._ways.safe_to_repeat(job)

        async def may_go_on() -> bool:
            verdict = await self._gate.ask(job.broadcast)
            now = self._clock.now()
            in_time = batch.is_held(now) and now - intended_at < safe and not batch.leaving
            if verdict.word != "go":
                found.stopped = verdict
            return in_time and verdict.word == "go" and found.misconfigured is None

        async def send(openid: OpenId) -> None:
            if one is not None:
                self._note(openid, await one(openid, may_go_on), found)
                return
            result = await self._sender.send(
                batch.account,
                batch.broadcast,
                openid,
                job.content,
                may_go_on=may_go_on,
                at_risk=at_risk,
                rank=batch.rank,
            )
            self._note(openid, result, found)

        waiting = list(people)
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            try:
                await stack.enter_async_context(self._jobs.readers(job, people))
            except StoreAway as error:
                found.halted_until = self._clock.now() + _pause(error)
            while waiting and found.halted_until is None and await may_go_on():
                try:
                    with counters.waiting(batch.account):
                        number = await self._limiter.acquire(
                            batch.account, len(waiting), rank=batch.rank
                        )
                except (TemporaryDeliveryError, StoreAway) as error:
                    found.halted_until = self._clock.now() + _pause(error)
                    break
                if not await may_go_on():
                    break
                for openid in waiting[:number]:
                    group.create_task(send(openid))
                del waiting[:number]
                found.sends += number
                await asyncio.sleep(0)  # let them leave before the next turn is taken
        if not batch.is_held(self._clock.now()):
            batch.lost = True
            # what was answered is true whoever holds the batch now, and can be written only once
            await self._record(job, batch, found.deliveries)
            raise LeaseLost(batch.id)
        await self._leave_alone(batch.account, found)
        (found.at_risk if at_risk else found.afresh).extend(waiting)

    async def _leave_alone(self, account: AccountId, found: Round) -> None:
        """Hold the account, for all processes, when nobody is answered or our token is rejected."""
        if _is_many(len(found.at_risk) + found.silent, MANY_SILENT, found):
            pause = SILENT_HOLD
        elif _is_many(len(found.rejected), MANY_REJECTED, found):
            pause = TOKEN_HOLD
        else:
            return
        found.halted_until = self._clock.now() + pause
        try:
            await self._limiter.hold(account, pause)
        except StoreAway as error:
            log.warning("limiter.away", extra={"reason": f"{error}; nothing is sent without it"})

    def _note(self, openid: OpenId, result: Result | None, found: Round) -> None:
        if isinstance(result, Delivery) and result.state != "unknown":
            found.deliveries.append(result)
            return
        match result:
            case None:  # the channel has noted it
                pass
            case Delivery():  # unknown
                found.deliveries.append(result)
                found.silent += 1
                if _is_many(found.silent, MANY_SILENT, found):
                    found.halted_until = self._clock.now() + SILENT_HOLD
            case NotThisWay():
                found.turned_away[openid] = result
            case WrongMessage(delivery=delivery):
                found.deliveries.append(delivery)
                found.refused_as_wrong += 1
            case PutOff(until=until, counts=False):
                found.afresh.append(openid)
                found.halted_until = max(found.halted_until or until, until)
            case PutOff(until=until):
                found.put_off.append(openid)
                found.put_off_until = max(found.put_off_until or until, until)
            case NoAnswer():
                found.at_risk.append(openid)
            case TokenRejected():
                self._note_rejected(openid, result, found)
            case Misconfigured():
                found.afresh.append(openid)
                found.misconfigured = result

    def _note_rejected(self, openid: OpenId, result: TokenRejected, found: Round) -> None:
        """Put somebody off until the next token may be asked for; halt when it is everybody.

        A token that is rejected soon after it was replaced is replaced again within a minute:
        only when that helps nobody, a person must be called (`close`).
        """
        until = self._clock.now() + NEXT_MINUTE
        found.rejected.append(result)
        found.put_off.append(openid)
        found.put_off_until = max(found.put_off_until or until, until)
        if _is_many(len(found.rejected), MANY_REJECTED, found):
            found.halted_until = self._clock.now() + TOKEN_HOLD

    # --- outcomes -------------------------------------------------------------------------

    async def close(self, job: Job, batch: Batch, chunk: Chunk, found: Round) -> None:
        """Write the outcomes, then close the sub-chunk with its counts and children.

        One of which nobody was concluded stays as it is, with a later time: held up every second
        for hours, a batch must not grow.
        """
        if chunk.tries + 1 > MOST_PUT_OFF and found.rejected:  # a person must see to the token
            found.misconfigured = Misconfigured(found.rejected[0].errcode, found.rejected[0].reason)
        elif chunk.tries + 1 > MOST_PUT_OFF:
            found.deliveries += self._all(found.put_off, "failed", "put off too often")
            found.put_off.clear()
        outcomes = await self._record(job, batch, found.deliveries)
        counts = tally([*found.known.values(), *outcomes])
        children = self._children(batch, chunk, found)
        if not counts and len(children) == 1:  # everybody waits: no child, however often it comes
            again = replace(children[0], id=chunk.id)
            await self._ledger.put_back(batch, again)
            batch.open[chunk.id] = again
            return
        await self._ledger.close_chunk(batch, chunk, counts, children)
        del batch.open[chunk.id]
        batch.open.update({child.id: child for child in children})

    def _children(self, batch: Batch, chunk: Chunk, found: Round) -> list[Chunk]:
        position = {batch.people[number]: number for number in chunk.positions}

        def child(mark: str, people: Sequence[OpenId], due_at: datetime | None) -> Chunk:
            return Chunk(
                id=f"{chunk.id}{mark}",
                positions=tuple(sorted(position[openid] for openid in people)),
                due_at=due_at,
                tries=chunk.tries,
            )

        children: list[Chunk] = []
        if found.afresh:
            children.append(child("r", found.afresh, found.halted_until))
        if found.put_off:
            put_off = child("p", found.put_off, found.put_off_until)
            children.append(replace(put_off, tries=chunk.tries + 1))
        if found.at_risk:
            pause = found.ask_again or ASK_AGAIN
            doubtful = child("u", found.at_risk, self._clock.now() + pause)
            first = chunk.intended_at or found.intended_at
            children.append(replace(doubtful, intended_at=first))
        return children

    async def _record(
        self, job: Job, batch: Batch, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        """Write deliveries and return what stands in the ledger for these people now."""
        broadcast = job.broadcast
        fresh = await self._deliveries.record(
            batch.account, broadcast.id, broadcast.parent, deliveries
        )
        batch.msgids += [delivery.msgid for delivery in deliveries if delivery.msgid is not None]
        if job.content.notice is not None:
            batch.nameless += [
                delivery_id(broadcast.id, delivery.openid)
                for delivery in deliveries
                if delivery.channel == "subscription"
            ]
        if fresh:
            return [delivery.state for delivery in deliveries]
        people = [delivery.openid for delivery in deliveries]
        written: Mapping[OpenId, Outcome] = await self._deliveries.outcomes(broadcast.id, people)
        return list(written.values())

    def _all(self, people: Sequence[OpenId], state: Outcome, reason: str) -> list[Delivery]:
        now = self._clock.now()
        return [Delivery(openid=openid, state=state, at=now, reason=reason) for openid in people]


def _is_many(number: int, many: int, found: Round) -> bool:
    """Whether it is more than chance: at least so many, and half of what was sent."""
    return number >= many and 2 * number >= found.sends


def _pause(error: TemporaryDeliveryError | StoreAway) -> timedelta:
    return error.retry_after if isinstance(error, TemporaryDeliveryError) else REDIS_BACK
