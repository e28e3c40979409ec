"""The operators' desk (人员管理): who there is, what they may do, and help when they cannot get in.

The system administrator creates and disables people and gives one-time passwords; the security
administrator grants roles, resets second factors, and confirms who it is that came in with a
password somebody else gave (ADR 26): until then no role of theirs counts. So neither alone can
make, or become, a person who may do something. Nobody does it to themselves, and storage refuses
what would leave one of the three administrators nobody.
Whatever takes something away ends the person's sessions at once. Each act is written to the audit
chain before and after.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from console.second_factor import SecondFactors
from console.sign_in import SignIn
from domain.access import EVERYWHERE, Grants, OperatorAccount
from domain.audit import Named
from domain.clock import Clock
from domain.errors import InvalidInput, NotAllowed, StateError
from domain.ids import AccountId
from domain.passwords import one_time_password
from domain.rights import check_grants
from domain.sentence import Sentence
from push.audit import Act, Audit
from storage.mongo.operators import MongoOperators

LONGEST_IDENTITY = 200


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does something, and from where."""

    who: Named
    remote: str


class OperatorDesk:
    """Creates, grants, resets and disables."""

    def __init__(
        self,
        operators: MongoOperators,
        factors: SecondFactors,
        sessions: SignIn,
        trail: Audit,
        accounts: tuple[AccountId, ...],
        clock: Clock,
    ) -> None:
        self._operators = operators
        self._factors = factors
        self._sessions = sessions
        self._trail = trail
        self._accounts = accounts
        self._clock = clock

    async def list_(self) -> list[OperatorAccount]:
        """Return everybody, the disabled ones too, by name."""
        return await self._operators.list_(disabled=True)

    async def get(self, operator_id: str) -> OperatorAccount:
        """Return one, or raise `NotFound`."""
        return await self._operators.get(operator_id)

    async def create(
        self, name: str, by: Doer, *, grants: Grants | None = None
    ) -> tuple[OperatorAccount, str]:
        """Add somebody; returns them and the password for their first sign-in, shown once."""
        password = one_time_password()
        async with self._trail.around(
            by.who, "operator.create", "operator:new", remote=by.remote
        ) as act:
            operator_id = await self._operators.create(
                name, grants or {}, password, now=self._clock.now(), one_time=True
            )
            operator = await self._operators.get(operator_id)
            act.after |= {"id": operator.id, "name": operator.name, **granted(grants or {})}
        return operator, password

    async def give_password(self, operator_id: str, by: Doer) -> str:
        """Return a one-time password for somebody who forgot theirs, which is void.

        Without a phone enrolled it is all that proves them, so they are to be confirmed anew.
        """
        self._not_oneself(operator_id, by, Sentence("不能给自己重置密码，请在“我的账号”里修改。"))
        password = one_time_password()
        async with self._around(by, "operator.give_password", operator_id) as act:
            has_phone = await self._factors.state(operator_id) is not None
            act.after["to be confirmed"] = not has_phone
            await self._operators.set_password(
                operator_id,
                password,
                now=self._clock.now(),
                one_time=True,
                unconfirmed=not has_phone,
            )
            await self._sessions.close_all(operator_id)
        return password

    async def confirm(self, operator_id: str, code: str, by: Doer) -> None:
        """Let somebody's roles count, whose code was heard from themselves."""
        self._not_oneself(operator_id, by, Sentence("不能确认自己，请由另一位安全管理员办理。"))
        async with self._around(by, "operator.confirm", operator_id):
            person = await self._operators.get(operator_id)
            if person.unconfirmed_since is None:
                raise StateError(Sentence("该人员不需要确认。"))
            if not person.confirm_code:
                raise StateError(Sentence("该人员还没有登录过，登录后才有确认码。"))
            if not await self._operators.confirm(operator_id, code):
                raise InvalidInput(Sentence("确认码不对，请与本人核对。"), field="code")

    async def confirm_at_server(self, operator_id: str, by: Doer) -> bool:
        """Do so at the server's command line, without a code; False when it is not needed."""
        person = await self._operators.get(operator_id)
        if person.unconfirmed_since is None:
            return False
        async with self._around(by, "operator.confirm", operator_id):
            return await self._operators.confirm(operator_id, None)

    async def grant(
        self, operator_id: str, grants: Grants, by: Doer, *, seen: str | None = None
    ) -> None:
        """Replace somebody's roles; what they may do changes with their next request.

        Those that were `seen` must still be there: a role that a colleague took away meanwhile
        must not come back with somebody else's form.
        """
        if grants:
            check_grants(grants, self._accounts)
        before = await self._operators.get(operator_id)
        async with self._around(
            by, "operator.grant", operator_id, before=granted(before.grants)
        ) as act:
            await self._operators.set_grants(operator_id, grants, by=by.who.id, seen=seen)
            act.after |= granted(grants)

    async def disable(self, operator_id: str, by: Doer) -> None:
        """Keep somebody out, at once."""
        async with self._around(by, "operator.disable", operator_id):
            await self._operators.disable(operator_id, by=by.who.id, now=self._clock.now())
            await self._sessions.close_all(operator_id)

    async def enable(self, operator_id: str, by: Doer) -> None:
        """Let somebody in again."""
        self._not_oneself(operator_id, by, Sentence("不能启用自己。"))
        async with self._around(by, "operator.enable", operator_id):
            await self._operators.enable(operator_id)

    async def reset_second_factor(self, operator_id: str, by: Doer) -> bool:
        """Forget a lost phone: the person enrols anew with their password. False without one."""
        self._not_oneself(
            operator_id, by, Sentence("不能重置自己的动态口令，请由另一位安全管理员办理。")
        )
        await self._operators.get(operator_id)
        async with self._around(by, "second_factor.reset", operator_id):
            there_was = await self._factors.reset(operator_id)
            await self._operators.renew_credentials(operator_id)
            await self._sessions.close_all(operator_id)
        return there_was

    async def set_identity(self, operator_id: str, identity: str, by: Doer) -> None:
        """Say whom the single sign-on provider means by a claim; empty: nobody.

        It opens nothing until the person has proved that it is theirs.
        """
        identity = identity.strip()
        if len(identity) > LONGEST_IDENTITY or not identity.isprintable():
            raise InvalidInput(
                Sentence("最多 {longest_identity} 个可见字符。", longest_identity=LONGEST_IDENTITY),
                field="identity",
            )
        before = await self._operators.get(operator_id)
        async with self._around(
            by,
            "operator.single_sign_on",
            operator_id,
            before={"identity": before.single_sign_on_id},
        ) as act:
            await self._operators.set_single_sign_on_id(operator_id, identity or None)
            act.after["identity"] = identity or None

    def _around(
        self,
        by: Doer,
        action: str,
        operator_id: str,
        *,
        before: Mapping[str, Any] | None = None,
    ) -> AbstractAsyncContextManager[Act]:
        return self._trail.around(
            by.who, action, f"operator:{operator_id}", remote=by.remote, before=before
        )

    def _not_oneself(self, operator_id: str, by: Doer, say: str) -> None:
        if by.who.id == operator_id:
            raise NotAllowed(say)


def granted(grants: Grants) -> dict[str, str]:
    """Return grants as the audit chain shows them."""
    return {
        f"roles in {'all' if place == EVERYWHERE else place}": ", ".join(sorted(roles))
        for place, roles in grants.items()
    }
