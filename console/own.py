"""One's own account (我的账号): password, second factor, recovery codes and sessions.

Whoever changes how they come in proves once more who they are: with the present password, or with
a code of the second factor. Wrong ones are counted by the lock-out, so that a browser left open
is no place for guessing. A changed password ends all other sessions.
"""

from typing import Any

from console.entry import Visit
from console.lockout import Lockout
from console.second_factor import Enrolment, SecondFactors
from console.sign_in import SignIn
from domain.access import OperatorAccount
from domain.audit import Outcome
from domain.clock import Clock
from domain.console_session import Session
from domain.errors import InvalidInput, StateError
from push.audit import Audit
from storage.mongo.operators import MongoOperators

OWN = "own page"  # who enrols there is signed in already


class OwnAccount:
    """What somebody may do about themselves."""

    def __init__(
        self,
        operators: MongoOperators,
        factors: SecondFactors,
        sessions: SignIn,
        lockout: Lockout,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._operators = operators
        self._factors = factors
        self._sessions = sessions
        self._lockout = lockout
        self._audit = audit
        self._clock = clock

    async def change_password(
        self, operator: OperatorAccount, here: Session, present: str, fresh: str, visit: Visit
    ) -> int:
        """Change the password and return how many other browsers were signed out."""
        await self._lockout.knock(
            "password", operator.name, remote=visit.remote, device=visit.device
        )
        if not await self._operators.has_password(operator.id, present):
            await self._note(operator, "password.change", visit, outcome="refused")
            raise InvalidInput("现在的密码不对。", field="present")
        if await self._operators.has_password(operator.id, fresh):
            raise InvalidInput("新密码不能与现在的相同。", field="password")
        await self._operators.set_password(operator.id, fresh, now=self._clock.now())
        ended = await self._sessions.close_all(operator.id, but=here)
        await self._lockout.welcome(operator.name, remote=visit.remote, device=visit.device)
        await self._note(operator, "password.change", visit, {"other sessions ended": ended})
        return ended

    async def offer(self, operator: OperatorAccount) -> Enrolment:
        """Return what a first phone is set up with; `StateError` with a second factor."""
        if await self._factors.state(operator.id):
            raise StateError("您已设置动态口令。换手机请联系安全管理员重置。")
        return await self._factors.offer(operator.id, operator.name, to=OWN)

    async def enrol(
        self, operator: OperatorAccount, present: str, code: str, visit: Visit
    ) -> tuple[str, ...]:
        """Set up the first phone, for the present password; returns the recovery codes."""
        if await self._factors.state(operator.id):
            raise StateError("您已设置动态口令。换手机请联系安全管理员重置。")
        await self._lockout.knock("code", operator.name, remote=visit.remote, device=visit.device)
        if not await self._operators.has_password(operator.id, present):
            await self._note(operator, "second_factor.enrol", visit, outcome="refused")
            raise InvalidInput("现在的密码不对。", field="present")
        codes = await self._factors.confirm(operator.id, code, to=OWN)
        if codes is None:
            raise InvalidInput("验证码不对，请等手机上显示下一个。", field="code")
        await self._lockout.welcome(operator.name, remote=visit.remote, device=visit.device)
        await self._note(operator, "second_factor.enrol", visit)
        return codes

    async def renew_recovery(
        self, operator: OperatorAccount, code: str, visit: Visit
    ) -> tuple[str, ...]:
        """Return fresh recovery codes for a code of the phone; those from before are void."""
        await self._lockout.knock("code", operator.name, remote=visit.remote, device=visit.device)
        if await self._factors.check(operator.id, code) is None:
            await self._note(operator, "second_factor.recovery", visit, outcome="refused")
            raise InvalidInput("验证码不对，或已经用过。请等手机上显示下一个。", field="code")
        codes = await self._factors.renew_recovery(operator.id)
        await self._lockout.welcome(operator.name, remote=visit.remote, device=visit.device)
        await self._note(operator, "second_factor.recovery", visit)
        return codes

    async def end_session(self, operator: OperatorAccount, session_id: str, visit: Visit) -> bool:
        """Sign one of one's own browsers out; False when it is over already."""
        ended = await self._sessions.close_one(operator.id, session_id)
        if ended:
            await self._note(operator, "session.end", visit, {"sessions": 1})
        return ended

    async def end_others(self, operator: OperatorAccount, here: Session, visit: Visit) -> int:
        """Sign all other browsers out and return how many."""
        ended = await self._sessions.close_all(operator.id, but=here)
        await self._note(operator, "session.end", visit, {"sessions": ended})
        return ended

    async def _note(
        self,
        operator: OperatorAccount,
        action: str,
        visit: Visit,
        after: dict[str, Any] | None = None,
        *,
        outcome: Outcome = "done",
    ) -> None:
        await self._audit.record(
            operator,
            action,
            f"operator:{operator.id}",
            remote=visit.remote,
            after=after,
            outcome=outcome,
        )
