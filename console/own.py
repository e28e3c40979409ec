"""One's own account (我的账号): password, second factor, recovery codes and sessions.

Whoever changes how they come in proves once more who they are: with the present password, or with
a code of the phone. A recovery code is none: whoever found one slip would have ten. Wrong ones are
counted by the lock-out, so that a browser left open is no place for guessing. A changed password
ends all other sessions. Each act stands in the audit chain before it is done.
"""

from contextlib import AbstractAsyncContextManager

from console.entry import Visit
from console.lockout import Lockout
from console.second_factor import Enrolment, SecondFactors
from console.sign_in import SignIn
from domain.access import OperatorAccount
from domain.clock import Clock
from domain.console_session import Session
from domain.errors import InvalidInput, StateError
from domain.sentence import Sentence
from push.audit import Act, Audit
from storage.mongo.operators import MongoOperators


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
        async with self._around(operator, "password.change", visit) as act:
            await self._ask_password(operator, present)
            if await self._operators.has_password(operator.id, fresh):
                raise InvalidInput(Sentence("新密码不能与现在的相同。"), field="password")
            await self._operators.set_password(operator.id, fresh, now=self._clock.now())
            act.after["other sessions ended"] = await self._sessions.close_all(
                operator.id, but=here
            )
        await self._lockout.welcome(operator.name, remote=visit.remote, device=visit.device)
        return int(act.after["other sessions ended"])

    async def offer(self, operator: OperatorAccount, here: Session) -> Enrolment:
        """Return what a first phone is set up with; `StateError` with a second factor.

        Another browser of the same person is offered another: one may be a stranger's.
        """
        if await self._factors.state(operator.id):
            raise StateError(Sentence("您已设置动态口令。换手机请联系安全管理员重置。"))
        return await self._factors.offer(operator.id, operator.name, to=here.id)

    async def enrol(
        self, operator: OperatorAccount, here: Session, present: str, code: str, visit: Visit
    ) -> tuple[str, ...]:
        """Set up the first phone, for the present password; returns the recovery codes."""
        if await self._factors.state(operator.id):
            raise StateError(Sentence("您已设置动态口令。换手机请联系安全管理员重置。"))
        await self._lockout.knock("code", operator.name, remote=visit.remote, device=visit.device)
        async with self._around(operator, "second_factor.enrol", visit):
            await self._ask_password(operator, present)
            codes = await self._factors.confirm(operator.id, code, to=here.id)
            if codes is None:
                raise InvalidInput(Sentence("验证码不对，请等手机上显示下一个。"), field="code")
        await self._lockout.welcome(operator.name, remote=visit.remote, device=visit.device)
        return codes

    async def renew_recovery(
        self, operator: OperatorAccount, code: str, visit: Visit
    ) -> tuple[str, ...]:
        """Return fresh recovery codes for a code of the phone; those from before are void."""
        await self._lockout.knock("code", operator.name, remote=visit.remote, device=visit.device)
        async with self._around(operator, "second_factor.recovery", visit):
            if not await self._factors.check_phone(operator.id, code):
                raise InvalidInput(
                    Sentence("验证码不对，或已经用过。请等手机上显示下一个；这里不能用恢复码。"),
                    field="code",
                )
            codes = await self._factors.renew_recovery(operator.id)
        await self._lockout.welcome(operator.name, remote=visit.remote, device=visit.device)
        return codes

    async def prove_identity(
        self, operator: OperatorAccount, identity: str, present: str, visit: Visit
    ) -> None:
        """Say that the claim a colleague wrote down is one's own, for the present password.

        `identity` is what the person read, which may have been changed meanwhile. Not before
        somebody has confirmed who this is: else one stranger would vouch for another.
        """
        if operator.unconfirmed_since is not None or operator.single_sign_on_id is None:
            raise StateError(Sentence("没有等待您确认的单点登录账号。"))
        await self._lockout.knock(
            "password", operator.name, remote=visit.remote, device=visit.device
        )
        async with self._around(operator, "operator.prove_identity", visit) as act:
            await self._ask_password(operator, present)
            if not await self._operators.prove_identity(operator.id, identity):
                raise StateError(Sentence("单点登录账号刚刚改了，请刷新页面核对。"))
            act.after["identity"] = identity
        await self._lockout.welcome(operator.name, remote=visit.remote, device=visit.device)

    async def end_session(self, operator: OperatorAccount, session_id: str, visit: Visit) -> bool:
        """Sign one of one's own browsers out; False when it is over already."""
        async with self._around(operator, "session.end", visit) as act:
            ended = await self._sessions.close_one(operator.id, session_id)
            act.after["sessions"] = int(ended)
        return ended

    async def end_others(self, operator: OperatorAccount, here: Session, visit: Visit) -> int:
        """Sign all other browsers out and return how many."""
        async with self._around(operator, "session.end", visit) as act:
            ended = await self._sessions.close_all(operator.id, but=here)
            act.after["sessions"] = ended
        return ended

    async def _ask_password(self, operator: OperatorAccount, present: str) -> None:
        if not await self._operators.has_password(operator.id, present):
            raise InvalidInput(Sentence("现在的密码不对。"), field="present")

    def _around(
        self, operator: OperatorAccount, action: str, visit: Visit
    ) -> AbstractAsyncContextManager[Act]:
        return self._audit.around(operator, action, f"operator:{operator.id}", remote=visit.remote)
