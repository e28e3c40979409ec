"""The dispatcher (调度): one message in, one answer out within WeChat's five seconds.

It claims the message so that it runs once over all processes, takes its turn among the same
citizen's messages, runs the conversation, and decides what is said when that is slow or fails.
Errors are caught by branch here and nowhere else in the conversation. What happens when:

- the handler is slow: a short notice with a link at 4.3 s; the result follows by
  customer-service message if the window allows, and lies behind the link in any case
- it fails: a sentence with a reference number; the session stays as it was
- Redis is away: an apology at once; the handler does not run, for nothing would keep it single
- the process is killed: the lease runs out, and the next repeat of the push runs the handler
- events that nobody waits for fail: `NotProcessed` (503), so that WeChat sends them again,
  unless nothing is kept of them
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.conversation import Conversation
from bot.counters import LATE_SENT, REPEATED, SLOW
from bot.sentences import Sentences, about
from bot.session import Session
from domain.clock import Clock
from domain.conversation import (
    Answer,
    AuthorizationChange,
    Certification,
    ConsentEvent,
    DeskSession,
    Inbound,
    LocationReport,
    MassReceipt,
    MenuView,
    PublishReceipt,
    Reply,
    TemplateReceipt,
    Unfollow,
    UnknownEvent,
)
from domain.errors import DeliveryError, ServiceError
from domain.ids import AccountId, OpenId
from storage.redis.guards import Guards, Lost, SessionChange, Ticket
from storage.redis.late import LateResults
from storage.redis.scripts import StoreAway
from storage.redis.sessions import Sessions
from storage.redis.windows import Windows
from templates.environment import Renderer

log = logging.getLogger(__name__)

PATIENCE = 4.3  # seconds from arrival to the notice; WeChat cuts at 5
LONGEST = 30.0  # seconds a message may take in all
GRACE = 5.0  # seconds running messages get when the process stops
SEND_PATIENCE = 10.0
_POLL = 0.03
_LAST_MOMENT = 0.4  # what is being stored at the deadline, answer or notice, may take this long

SendText = Callable[[AccountId, OpenId, str], Awaitable[None]]

# nothing is kept of them: without Redis they pass by rather than be sent again
_PASSING = (
    Certification,
    DeskSession,
    LocationReport,
    MenuView,
    PublishReceipt,
    UnknownEvent,
)
# answered with nothing and waited for by nobody: no queue, no session
_QUIET = (*_PASSING, AuthorizationChange, ConsentEvent, Unfollow)


class NotProcessed(ServiceError):
    """An event could not be recorded; WeChat should send it again."""

    code = "not_processed"
    status = 503


@dataclass(slots=True)
class _Run:
    """One claimed message on its way through."""

    message: Inbound
    ticket: Ticket
    answer: Answer | None = None
    decided: bool = False  # the answer is known and being stored: too late to be late
    lost: bool = False  # another process took the message over
    token: str = ""  # of the late result, once a notice was decided on
    told: asyncio.Event = field(default_factory=asyncio.Event)  # the notice is stored
    shown: bool = False  # the result lies behind the link
    beating: asyncio.Task[None] | None = None


class Dispatcher:
    """Answers messages; owns every handler that is still running."""

    def __init__(
        self,
        conversation: Conversation,
        guards: Guards,
        sessions: Sessions,
        windows: Windows,
        late_results: LateResults,
        clock: Clock,
        public_url: str,
        send_text: SendText,
        renderer: Renderer,
        *,
        patience: float = PATIENCE,
        longest: float = LONGEST,
        grace: float = GRACE,
    ) -> None:
        self._conversation = conversation
        self._guards = guards
        self._sessions = sessions
        self._windows = windows
        self._late_results = late_results
        self._clock = clock
        self._send_text = send_text
        self._sentences = Sentences(renderer, late_results, public_url)
        self._patience = patience
        self._longest = longest
        self._grace = grace
        self._beat = guards.lease.total_seconds() / 3
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, message: Inbound, *, arrived: float | None = None) -> Answer:
        """Answer one push; `arrived` is the loop's time at which it reached the server."""
        if arrived is None:
            arrived = asyncio.get_running_loop().time()
        deadline = arrived + self._patience
        if _is_receipt(message):
            return await self._record(message, deadline)
        quiet = isinstance(message, _QUIET)
        try:
            answer = await self._answer(message, deadline, quiet=quiet)
        except StoreAway as error:
            if isinstance(message, _PASSING):
                return Answer.nothing()
            if quiet:
                raise NotProcessed(str(error)) from error
            return self._sentences.apology(message, error, "store")
        if answer is not None:
            return answer
        if quiet:
            raise NotProcessed("not done in time")
        return self._sentences.said(Reply.of("busy.txt"))

    async def aclose(self) -> None:
        """Let running messages finish for a while, then give them up for another process."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # --- one delivery of a push -----------------------------------------------------------

    async def _record(self, message: Inbound, deadline: float) -> Answer:
        """Take a receipt: they come by the thousand and recording one twice is harmless."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._conversation.answer(message, Session())
        except Exception as error:  # the outermost: WeChat repeats what was not recorded
            log.exception("receipt.not_recorded", extra=about(message))
            raise NotProcessed(str(error)) from error
        return Answer.nothing()

    async def _answer(self, message: Inbound, deadline: float, *, quiet: bool) -> Answer | None:
        """Run the message or find its answer; None when time is up without one."""
        loop = asyncio.get_running_loop()
        while True:
            begun = await self._guards.begin(message, queued=not quiet)
            if isinstance(begun, Answer):
                REPEATED.inc()
                return begun
            if isinstance(begun, Ticket):
                run = _Run(message, begun)
                task = self._own(self._work(run, quiet=quiet))
                await asyncio.wait((task,), timeout=deadline - loop.time())
                if run.decided and not task.done():
                    await asyncio.wait((task,), timeout=_LAST_MOMENT)
                if not run.lost:
                    if run.answer is None and not quiet and not task.done():
                        return await self._tell_late(run)
                    return run.answer
            if loop.time() + _POLL > deadline:
                return None
            await asyncio.sleep(_POLL)

    async def _tell_late(self, run: _Run) -> Answer:
        """Answer that it takes longer; from now on the result goes another way."""
        SLOW.inc()
        run.token = self._late_results.new_token()
        message = run.message
        link = self._sentences.link(message.account, run.token)
        notice = self._sentences.said(Reply.of("slow.txt", link=link))
        try:
            async with asyncio.timeout(_LAST_MOMENT):
                await self._late_results.announce(message.account, run.token)
                lost = await self._guards.notice(run.ticket, notice)
            if lost and lost.answer:
                return lost.answer
        except (StoreAway, TimeoutError) as error:
            log.error("late.not_announced", extra=about(message, reason=repr(error)))  # noqa: TRY400
            return self._sentences.said(Reply.of("slow.txt", link=None))
        finally:
            run.told.set()
        return notice

    # --- the work, which may outlive the delivery -----------------------------------------

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, run: _Run, *, quiet: bool) -> None:
        """Wait for the turn, run the conversation, store and deliver what comes of it."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._beat, self._start_beating, run)
        try:
            if run.ticket.before and not await self._turn(run):
                run.lost = True
                return
            if quiet:
                await self._note(run)
            else:
                await self._converse(run)
        except asyncio.CancelledError:
            await self._give_up(run)
            raise
        except Exception as error:  # the outermost: whatever it was, the citizen gets a sentence
            if run.answer is None and not quiet:
                run.answer = self._sentences.apology(run.message, error, "internal")
            else:
                log.exception("dispatcher.failed", extra=about(run.message))
            await self._give_up(run)
        finally:
            timer.cancel()
            if run.beating:
                run.beating.cancel()

    def _start_beating(self, run: _Run) -> None:
        run.beating = self._own(self._keep_alive(run.message, run.ticket))

    async def _keep_alive(self, message: Inbound, ticket: Ticket) -> None:
        """Renew the lease of a message that takes its time, until cancelled."""
        while True:
            try:
                if not await self._guards.beat(ticket):
                    log.warning("dispatcher.lease_lost", extra=about(message))
                    return
            except StoreAway as error:  # the lease may run out; `settle` will tell
                log.warning("dispatcher.not_renewed", extra=about(message, reason=str(error)))
            await asyncio.sleep(self._beat)

    async def _turn(self, run: _Run) -> bool:
        """Wait until the citizen's earlier messages are done; False if the message is lost."""
        async with asyncio.timeout(self._longest):
            while run.ticket.before:
                await asyncio.sleep(min(0.2, 0.02 * run.ticket.before))
                if not await self._guards.wait(run.ticket):
                    return False
        return True

    async def _note(self, run: _Run) -> None:
        """Handle an event that nobody waits for; on failure its next delivery tries again."""
        message = run.message
        async with asyncio.timeout(self._longest):
            answer = await self._conversation.answer(message, Session())
        if _is_farewell(message):
            await self._sessions.forget(message.account, message.openid)
        await self._guards.finish(run.ticket, answer)
        run.answer = answer

    async def _converse(self, run: _Run) -> None:
        message, ticket = run.message, run.ticket
        kept = self._sessions.open(message.account, message.openid, ticket.session)
        session = Session.from_json(kept)
        try:
            async with asyncio.timeout(self._longest):
                answer = await self._conversation.answer(message, session)
            content = session.to_json()
        except Exception as error:  # by branch in `_failed`; the session stays as it was
            answer, content = self._sentences.failed(message, error), kept
        change: SessionChange = "keep"
        sealed = b""
        if content != kept:
            change = "save" if content else "drop"
            if content:
                sealed = self._sessions.seal(message.account, message.openid, content)
        if run.token:
            await self._deliver_late(run, answer, change, sealed)
        else:
            run.decided = True
            await self._deliver(run, answer, change, sealed)

    async def _deliver(
        self, run: _Run, answer: Answer, change: SessionChange, sealed: bytes
    ) -> None:
        """Store the answer for repeats and hand the turn on."""
        run.answer = answer
        try:
            run.answer = answer = await self._sentences.fitted(run.message.account, answer)
            lost = await self._guards.finish(run.ticket, answer, change=change, session=sealed)
        except StoreAway as error:  # the citizen still gets it; a repeat would run again
            log.error("answer.not_stored", extra=about(run.message, reason=str(error)))  # noqa: TRY400
            return
        if isinstance(lost, Lost) and lost.answer:
            run.answer = lost.answer

    async def _deliver_late(
        self, run: _Run, answer: Answer, change: SessionChange, sealed: bytes
    ) -> None:
        """Put the result behind the link, and send it if the window is open."""
        message = run.message
        await run.told.wait()
        run.answer = answer = self._sentences.late_form(answer)
        await self._late_results.put(message.account, run.token, answer.text)
        run.shown = True
        await self._guards.finish(run.ticket, answer, change=change, session=sealed)
        if not await self._windows.take(message.account, message.openid, self._clock.now()):
            LATE_SENT.labels("link_only").inc()
            return
        fitted = await self._sentences.fitted(message.account, answer, run.token)
        try:
            async with asyncio.timeout(SEND_PATIENCE):
                await self._send_text(message.account, message.openid, fitted.text)
        except (DeliveryError, TimeoutError) as error:  # the link still holds it
            LATE_SENT.labels("failed").inc()
            log.warning("late.not_sent", extra=about(message, reason=str(error)))
        else:
            LATE_SENT.labels("sent").inc()

    async def _give_up(self, run: _Run) -> None:
        """Free the message, or say behind the link that its result will not come."""
        try:
            if run.token and not run.shown:
                await run.told.wait()
                text = self._sentences.said(Reply.of("interrupted.txt")).text
                await self._late_results.put(run.message.account, run.token, text)
            await self._guards.abandon(run.ticket)
        except StoreAway as error:  # the lease runs out by itself
            log.warning("dispatcher.not_freed", extra=about(run.message, reason=str(error)))


def _is_receipt(message: Inbound) -> bool:
    """Receipts of our own sends: no citizen acts, and they come by the thousand."""
    if isinstance(message, ConsentEvent):
        return message.kind == "sent"
    return isinstance(message, TemplateReceipt | MassReceipt)


def _is_farewell(message: Inbound) -> bool:
    if isinstance(message, AuthorizationChange):
        return message.kind == "cancelled"
    return isinstance(message, Unfollow)
