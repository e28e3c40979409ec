"""Who is at the console (登录): opening, finding and closing sessions.

A session ends when nothing was done for `idle`, when `absolute` is over, when it is closed, and
when its operator is disabled: the operator is read with every request. Whoever nobody has confirmed
yet (ADR 26) is found without a role, and in no session from before they became so. Their code is
known to the first session after it was made, and to no later one.
"""

from dataclasses import replace
from datetime import timedelta

from domain.access import OperatorAccount
from domain.clock import Clock
from domain.console_session import Session
from domain.errors import NotAllowed
from domain.sentence import Sentence
from storage.mongo.console_sessions import MongoConsoleSessions
from storage.mongo.operators import MongoOperators

NOTED_EVERY = timedelta(minutes=1)  # so that reading a page rarely writes


class SignIn:
    """Sessions of operators."""

    def __init__(
        self,
        sessions: MongoConsoleSessions,
        operators: MongoOperators,
        clock: Clock,
        *,
        idle: timedelta = timedelta(minutes=30),
        absolute: timedelta = timedelta(hours=12),
    ) -> None:
        self._sessions = sessions
        self._operators = operators
        self._clock = clock
        self._idle = idle
        self._absolute = absolute

    async def open(
        self, operator: OperatorAccount, *, remote: str, agent: str
    ) -> tuple[str, Session]:
        """Begin a session for somebody who has proved who they are; return token and session.

        `NotAllowed` when what they proved it with was changed meanwhile: whoever changes it signs
        out everywhere afterwards, and one of the two sees the other.
        """
        now = self._clock.now()
        token, session = await self._sessions.open(
            operator.id, now=now, expires_at=now + self._absolute, remote=remote, agent=agent
        )
        present = await self._operators.find(operator.id)
        if present is None or present.credentials != operator.credentials:
            await self._sessions.close(session.id)
            raise NotAllowed(Sentence("登录方式刚刚有变化，请重新登录。"))
        if present.confirm_code:
            await self._operators.show_code_in(operator.id, session.id)
        return token, session

    async def find(
        self, token: str, *, by_hand: bool = True
    ) -> tuple[Session, OperatorAccount] | None:
        """Return whose token it is; None when the session is over or the operator disabled.

        What a page asks by itself, again and again, is nothing that somebody does (`by_hand`): a
        page left open must not keep its session alive.
        """
        session = await self._sessions.find(token)
        now = self._clock.now()
        if session is None or now >= session.expires_at or now - session.seen_at > self._idle:
            return None
        operator = await self._operators.find(session.operator_id)
        if operator is None:
            return None
        if operator.unconfirmed_since and session.created_at < operator.unconfirmed_since:
            return None
        if by_hand and now - session.seen_at >= NOTED_EVERY:
            await self._sessions.seen(session.id, now=now)
        if operator.confirm_session != session.id:
            operator = replace(operator, confirm_code="")
        return session, operator.in_force

    async def close(self, session: Session) -> None:
        """Sign out; harmless when it is over already."""
        await self._sessions.close(session.id)

    async def list_(self, operator_id: str) -> list[Session]:
        """Return somebody's living sessions, the last used first."""
        now = self._clock.now()
        found = await self._sessions.list_(operator_id, now=now)
        return [session for session in found if now - session.seen_at <= self._idle]

    async def close_all(self, operator_id: str, *, but: Session | None = None) -> int:
        """Sign somebody out everywhere, or everywhere else; return from how many browsers."""
        return await self._sessions.close_all(operator_id, but=but.id if but else None)

    async def close_one(self, operator_id: str, session_id: str) -> bool:
        """End one session of somebody; False when it is over, or somebody else's."""
        return await self._sessions.close_all(operator_id, only=session_id) == 1
