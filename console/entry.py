"""Coming in (登录过程): password, second factor, a password of one's own; then a session.

    password ─┬─ has a second factor → code ─────┬─ somebody else chose the password → new ─┐
              ├─ none, and it is required → enrol┤                                          ├→ in
    provider ─┴─ none, and it is optional ───────┴─ own password, or through the provider ──┘

What is known between two steps is an entry: sealed, for ten minutes, under a token that is new
with every step and good for one. It is no session and opens no page, and it is over as soon as
anything about how its person comes in has changed. The session begins after the last step, with a
token of its own. A wrong code leaves the entry usable a few times; then it starts again with the
password.

A colleague may know the one-time password they gave, and may write their own claim at somebody
else. So whoever comes in by such a password without a phone enrolled before is unconfirmed, and
has no right until a security administrator has heard their code from them (ADR 26); and a claim
that a colleague wrote down opens nothing until the phone, or the person from inside, proved it.

Each step that succeeds or fails leaves an entry in the audit
chain; tries that the lock-out refuses leave a line in the log, or a flood would fill the chain.
"""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from console.lockout import Locked, Lockout
from console.second_factor import Enrolment, SecondFactors
from domain.access import OperatorAccount
from domain.audit import Actor
from domain.clock import Clock
from domain.errors import InvalidInput, NotAllowed
from domain.passwords import check_password
from domain.sentence import Sentence
from domain.sign_on import SignOnRefused
from push.audit import Audit
from storage.mongo.operators import MongoOperators
from storage.redis.entries import Entries

log = logging.getLogger(__name__)

LIFE = timedelta(minutes=10)
WRONG_CODES = 5  # then the password is asked for again
NOBODY = Actor("nobody", Sentence("未登录"))
Stage = Literal["code", "enrol", "password", "in"]
_WRONG = Sentence("姓名或密码不对。")
_UNPROVEN = Sentence(
    "请先用姓名和密码登录，在“我的账号”里确认这个单点登录账号是您的，以后就能单点登录。"
)


class EntryOver(NotAllowed):
    """What was known of an entry is gone: used, too old, or tried too often."""

    code = "entry_over"

    def __init__(self) -> None:
        super().__init__(Sentence("登录超时或尝试次数太多，请重新登录。"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Where a request comes from."""

    remote: str
    device: str = ""  # the device cookie, if there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What comes next, and for whom. `token` carries on to it, empty once one is in."""

    stage: Stage
    operator: OperatorAccount
    token: str = ""
    codes: tuple[str, ...] = ()  # recovery codes to show, this once


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    operator_id: str
    stage: Stage
    through: Literal["password", "provider"]
    credentials: int  # the person's when it began: with others it is over
    vouched: bool  # proved so far by what only the person has
    enrolled: bool = False  # the phone was set up on this way in
    wrong: int = 0

    def content(self) -> dict[str, Any]:
        return {
            "operator": self.operator_id,
            "stage": self.stage,
            "through": self.through,
            "credentials": self.credentials,
            "vouched": self.vouched,
            "enrolled": self.enrolled,
            "wrong": self.wrong,
        }


class Entrance:
    """Takes people from the sign-in page to a session."""

    def __init__(
        self,
        operators: MongoOperators,
        factors: SecondFactors,
        lockout: Lockout,
        entries: Entries,
        trail: Audit,
        clock: Clock,
        *,
        second_factor_required: bool,
    ) -> None:
        self._operators = operators
        self._factors = factors
        self._lockout = lockout
        self._entries = entries
        self._trail = trail
        self._clock = clock
        self._required = second_factor_required

    async def by_password(self, name: str, password: str, visit: Visit) -> Step:
        """Begin with name and password. All that is wrong has one answer, and takes as long."""
        await self._knock("password", name, visit)
        operator = await self._operators.find_by_password(name, password)
        now = self._clock.now()
        until = operator.password_until if operator else None
        if operator is None or (until is not None and now > until):
            who = operator or await self._operators.find_by_name(name)
            after = {"reason": "one-time password too old" if operator else "wrong password"}
            if who is None:  # never the text: people type passwords into the wrong field
                after = {"reason": "unknown name"}
            await self._note(who or NOBODY, "sign_in.password", visit, after, refused=True)
            raise InvalidInput(_WRONG, field="password")
        entry = _Entry(
            operator_id=operator.id,
            stage="code",
            through="password",
            credentials=operator.credentials,
            vouched=operator.password_until is None,
        )
        return await self._after_proof(operator, entry, visit)

    async def by_provider(
        self, operator: OperatorAccount, visit: Visit, *, has_two_factors: bool
    ) -> Step:
        """Begin with somebody whom the single sign-on provider named.

        A colleague wrote down by which claim. Until the person has proved that it is theirs, their
        phone is asked whatever the provider stands for; without one they are refused.
        """
        entry = _Entry(
            operator_id=operator.id,
            stage="code",
            through="provider",
            credentials=operator.credentials,
            vouched=operator.identity_proven,
        )
        if not operator.identity_proven and not await self._factors.state(operator.id):
            after = {"reason": "the person has not proved that this claim is theirs"}
            await self._note(operator, "sign_in.provider", visit, after, refused=True)
            raise SignOnRefused("claim not proved", _UNPROVEN)
        if has_two_factors and operator.identity_proven:
            return await self._after_factor(operator, entry, visit)
        return await self._after_proof(operator, entry, visit)

    async def stage(self, token: str) -> Step:
        """Return what an entry waits for, to show its page."""
        entry, operator = await self._read(token)
        return Step(stage=entry.stage, operator=operator, token=token)

    async def by_code(self, token: str, code: str, visit: Visit) -> Step:
        """Go on with a code of the phone or a recovery code, which is used up."""
        entry, operator = await self._read(token, "code")
        await self._knock("code", operator.name, visit)
        kind = await self._factors.check(operator.id, code)
        if kind is None:
            await self._wrong(token, entry, operator, visit)
        await self._take(token)
        left = await self._factors.state(operator.id) if kind == "recovery" else None
        after: dict[str, Any] = {"kind": kind}
        if left is not None:
            after["recovery codes left"] = left.recovery_left
        if entry.through == "provider" and operator.single_sign_on_id:
            await self._operators.prove_identity(operator.id, operator.single_sign_on_id)
        await self._note(operator, "sign_in.second_factor", visit, after)
        # the phone of somebody unconfirmed may be that of whoever knew the password first
        is_theirs = entry.vouched or operator.unconfirmed_since is None
        return await self._after_factor(operator, replace(entry, vouched=is_theirs), visit)

    async def enrolment(self, token: str) -> tuple[Step, Enrolment]:
        """Return what the phone is set up with, the same each time it is asked for."""
        entry, operator = await self._read(token, "enrol")
        await self._not_enrolled(operator)
        offered = await self._factors.offer(operator.id, operator.name, to=token)
        return Step(stage=entry.stage, operator=operator, token=token), offered

    async def enrol(self, token: str, code: str, visit: Visit) -> Step:
        """Go on with the first code of a phone just set up; returns the recovery codes."""
        entry, operator = await self._read(token, "enrol")
        await self._not_enrolled(operator)
        await self._knock("code", operator.name, visit)
        if not entry.vouched:  # first, so that no phone of a stranger's ever counts by itself
            await self._operators.unconfirm(operator.id, now=self._clock.now(), with_code=False)
        codes = await self._factors.confirm(operator.id, code, to=token)
        if codes is None:
            await self._wrong(token, entry, operator, visit)
        await self._take(token)
        await self._note(operator, "second_factor.enrol", visit, _said(entry))
        step = await self._after_factor(operator, replace(entry, enrolled=True), visit)
        return replace(step, codes=codes or ())

    async def new_password(self, token: str, password: str, visit: Visit) -> Step:
        """End with a password that nobody else knows."""
        entry, operator = await self._read(token, "password")
        check_password(password, operator.name)
        if await self._operators.has_password(operator.id, password):
            raise InvalidInput(Sentence("新密码不能与一次性密码相同。"), field="password")
        await self._take(token)
        now = self._clock.now()
        async with self._trail.around(
            operator, "password.change", f"operator:{operator.id}", remote=visit.remote
        ) as act:
            act.after |= _said(entry)
            if not entry.vouched:
                # a code only for who chose password and phone in one go: none for who was handed
                # a phone that somebody else had set up before
                own = entry.enrolled or await self._factors.state(operator.id) is None
                await self._operators.unconfirm(operator.id, now=now, with_code=own)
            if not await self._operators.set_password(
                operator.id, password, now=now, only_if=entry.credentials
            ):
                raise EntryOver
        return await self._in(await self._operators.get(operator.id), visit)

    # --- between the steps ----------------------------------------------------------------

    async def _not_enrolled(self, operator: OperatorAccount) -> None:
        """End an entry that was opened before its owner enrolled: they now have a phone to ask."""
        if await self._factors.state(operator.id):
            raise EntryOver

    async def _after_proof(self, operator: OperatorAccount, entry: _Entry, visit: Visit) -> Step:
        await self._note(operator, f"sign_in.{entry.through}", visit, {})
        if await self._factors.state(operator.id):
            return await self._go_on(operator, replace(entry, stage="code"))
        if self._required:
            return await self._go_on(operator, replace(entry, stage="enrol"))
        return await self._after_factor(operator, entry, visit)

    async def _after_factor(self, operator: OperatorAccount, entry: _Entry, visit: Visit) -> Step:
        if entry.through == "password" and operator.password_until is not None:
            return await self._go_on(operator, replace(entry, stage="password", wrong=0))
        if not entry.vouched:  # their phone was forgotten a moment ago
            raise EntryOver
        return await self._in(operator, visit)

    async def _go_on(self, operator: OperatorAccount, entry: _Entry) -> Step:
        token = await self._entries.put(entry.content(), LIFE)
        return Step(stage=entry.stage, operator=operator, token=token)

    async def _in(self, operator: OperatorAccount, visit: Visit) -> Step:
        await self._lockout.welcome(operator.name, remote=visit.remote, device=visit.device)
        await self._note(operator, "sign_in", visit, {})
        return Step(stage="in", operator=operator)

    async def _knock(self, what: str, name: str, visit: Visit) -> None:
        try:
            await self._lockout.knock(what, name, remote=visit.remote, device=visit.device)
        except Locked as error:
            log.warning(
                "console.locked",
                extra={"what": what, "remote": visit.remote, "wait": error.wait.total_seconds()},
            )
            raise

    async def _wrong(
        self, token: str, entry: _Entry, operator: OperatorAccount, visit: Visit
    ) -> None:
        """Note a wrong code, and end the entry with the last it bears."""
        await self._note(operator, "sign_in.second_factor", visit, {}, refused=True)
        worse = replace(entry, wrong=entry.wrong + 1)
        if worse.wrong >= WRONG_CODES:
            await self._entries.take(token)
            raise EntryOver
        await self._entries.write(token, worse.content())
        raise InvalidInput(Sentence("验证码不对，或已经用过。请等手机上显示下一个。"), field="code")

    async def _read(self, token: str, stage: Stage | None = None) -> tuple[_Entry, OperatorAccount]:
        kept = await self._entries.read(token) if token else None
        operator = await self._operators.find(kept["operator"]) if kept else None
        if kept is None or operator is None or (stage is not None and kept["stage"] != stage):
            raise EntryOver
        if kept.get("credentials") != operator.credentials:
            raise EntryOver
        entry = _Entry(
            operator_id=operator.id,
            stage=kept["stage"],
            through=kept["through"],
            credentials=kept["credentials"],
            vouched=kept["vouched"],
            enrolled=kept["enrolled"],
            wrong=kept["wrong"],
        )
        return entry, operator

    async def _take(self, token: str) -> None:
        """Use the entry up; of two requests with one token one goes on."""
        if await self._entries.take(token) is None:
            raise EntryOver

    async def _note(
        self,
        who: OperatorAccount | Actor,
        action: str,
        visit: Visit,
        after: dict[str, Any],
        *,
        refused: bool = False,
    ) -> None:
        await self._trail.record(
            who,
            action,
            f"operator:{who.id}",
            remote=visit.remote,
            after=after,
            outcome="refused" if refused else "done",
        )


def _said(entry: _Entry) -> dict[str, Any]:
    """Return what the audit chain says of somebody who came by a password that was given them."""
    return {} if entry.vouched else {"waits for": "a security administrator's confirmation"}
