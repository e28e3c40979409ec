"""Guards of a conversation (锁与去重), shared by all processes.

One message runs once: the first process to see it claims it, WeChat's repeats find it running
or get its stored answer. One citizen's messages run one after the other, in the order they
came. Whoever works holds a short lease and renews it, so a killed process frees its message
and its place in the queue within seconds.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import orjson
from redis.asyncio import Redis

from domain.conversation import Answer, Inbound
from storage.redis.keys import citizen_key, digest
from storage.redis.line import Line
from storage.redis.scripts import Script
from storage.redis.sealing import Sealer
from storage.redis.sessions import LIFE as SESSION_LIFE
from storage.redis.windows import window_arguments

LEASE = timedelta(seconds=3)
KEPT = timedelta(minutes=25)  # a push is refused 10 min after, and 10 min before, its timestamp
_MILLISECOND = timedelta(milliseconds=1)
SessionChange = Literal["keep", "drop", "save"]


@dataclass(slots=True)
class Ticket:
    """Our claim on one message and our place in its citizen's queue."""

    owner: str
    keys: tuple[str, str, str, str, str]  # seen, queue, leases, session, window
    queued: bool
    before: int = 0  # messages of the same citizen that come first
    session: bytes | None = None  # sealed; only when it is our turn
    noticed: bool = False  # an answer is stored already


@dataclass(frozen=True, slots=True)
class Running:
    """Somebody else works on it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Another owner took it over because our lease ran out; perhaps with an answer."""

    answer: Answer | None


class Guards:
    """Claims, queues and stored answers."""

    def __init__(
        self,
        redis: Redis,
        sealer: Sealer,
        *,
        lease: timedelta = LEASE,
        kept: timedelta = KEPT,
    ) -> None:
        self.lease = lease
        self._lease_ms = lease // _MILLISECOND
        self._kept_ms = kept // _MILLISECOND
        self._session_ms = SESSION_LIFE // _MILLISECOND
        self._sealer = sealer
        line = Line(redis)
        self._begin = Script(redis, "begin", ask=line.ask)
        self._renew = Script(redis, "renew", ask=line.ask)
        self._settle = Script(redis, "settle", ask=line.ask)

    async def begin(self, message: Inbound, *, queued: bool = True) -> Ticket | Running | Answer:
        """Claim a message, or tell that it runs elsewhere, or return its stored answer."""
        citizen = citizen_key(message.account, message.openid)
        ticket = Ticket(
            owner=secrets.token_hex(8),
            keys=(
                f"{citizen}:seen:{digest(message.dedupe_key)}",
                f"{citizen}:queue",
                f"{citizen}:leases",
                f"{citizen}:session",
                f"{citizen}:window",
            ),
            queued=queued,
        )
        found = await self._begin(
            ticket.keys,
            ticket.owner,
            self._lease_ms,
            "1" if queued else "0",
            *window_arguments(message),
        )
        if found[0] == b"claimed":
            ticket.before, ticket.session = found[1], found[2]
            return ticket
        if found[0] == b"answered":
            answer = self._opened(ticket, found[1])
            if answer is not None:
                return answer
        return Running()

    async def wait(self, ticket: Ticket) -> bool:
        """Renew the lease and see whether it is our turn; False when the message is lost."""
        found = await self._renewed(ticket, "1")
        if found[0] == b"lost":
            return False
        ticket.before, ticket.session = found[1], found[2]
        return True

    async def beat(self, ticket: Ticket) -> bool:
        """Renew the lease while at work; False when the message is lost."""
        found = await self._renewed(ticket, "0")
        return bool(found[0] != b"lost")

    async def notice(self, ticket: Ticket, answer: Answer) -> Lost | None:
        """Store an answer for repeats while the work goes on."""
        ticket.noticed = True  # before asking: a beat that follows at once must not seem lost
        stored = False
        try:
            lost = await self._settled(ticket, self._sealed(ticket, answer), release=False)
            stored = lost is None
        finally:
            ticket.noticed = stored
        return lost

    async def finish(
        self,
        ticket: Ticket,
        answer: Answer,
        *,
        change: SessionChange = "keep",
        session: bytes = b"",
    ) -> Lost | None:
        """Store the answer unless a notice was, save the session, and let the next one go."""
        blob = b"" if ticket.noticed else self._sealed(ticket, answer)
        return await self._settled(ticket, blob, change=change, session=session)

    async def abandon(self, ticket: Ticket) -> None:
        """Give the message up: its next delivery starts afresh."""
        await self._settled(ticket, b"" if ticket.noticed else b"X")

    async def _renewed(self, ticket: Ticket, requeue: str) -> Any:
        return await self._renew(
            ticket.keys[:4],
            ticket.owner,
            self._lease_ms,
            "1" if ticket.noticed else "0",
            "1" if ticket.queued else "0",
            requeue,
        )

    async def _settled(
        self,
        ticket: Ticket,
        blob: bytes,
        *,
        release: bool = True,
        change: SessionChange = "keep",
        session: bytes = b"",
    ) -> Lost | None:
        found = await self._settle(
            ticket.keys[:4],
            ticket.owner,
            blob,
            self._kept_ms,
            "1" if release else "0",
            change,
            session,
            self._session_ms,
        )
        if found[0] == b"settled":
            return None
        return Lost(self._opened(ticket, found[1]) if found[1] else None)

    def _sealed(self, ticket: Ticket, answer: Answer) -> bytes:
        content = orjson.dumps([answer.kind, answer.text])
        return b"A" + self._sealer.seal(content, ticket.keys[0].encode())

    def _opened(self, ticket: Ticket, blob: bytes) -> Answer | None:
        content = self._sealer.unseal(blob, ticket.keys[0].encode())
        return None if content is None else Answer(*orjson.loads(content))
