"""Operators (人员管理): the system administrator's and the security administrator's pages.

Who may press which button stands in the route table; that nobody serves themselves, that three
administrators are three people and that one security administrator remains is refused below, in
`console.desk` and storage, and shown here as a sentence. A one-time password is in the answer to
the form that made it and nowhere else.
"""

from typing import Annotated

from pydantic import BaseModel, Field

from console.desk import Doer
from domain.access import EVERYWHERE, ROLES, Grants, OperatorAccount
from domain.errors import InvalidInput, NotAllowed, StateError
from domain.ids import AccountId
from domain.rights import SEPARATE, spelt
from domain.sentence import Sentence, joined
from web.admin.base import AdminPage
from web.admin.forms import FormRefused
from web.admin.me import place_name
from web.admin.roles import ROLE_NAMES, ROLE_PURPOSES
from web.admin.table import route
from web.admin.words import mark


class NewOperator(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=40)]


class Identity(BaseModel):
    identity: Annotated[str, Field(max_length=200)] = ""


class ConfirmCode(BaseModel):
    code: Annotated[str, Field(min_length=1, max_length=40)]


class Granted(BaseModel):
    grant: Annotated[list[str], Field(max_length=2000)] = []  # "city:editor", "*:auditor"
    seen: Annotated[str, Field(max_length=100_000)] | None = None  # what was held then


class DeskPage(AdminPage):
    """What the pages about operators share."""

    @property
    def doer(self) -> Doer:
        """Who does it, and from where."""
        return Doer(self.operator, self.request.remote_ip or "")

    def places(self, grants: Grants) -> list[tuple[str, str]]:
        """Return (account, roles) in words."""
        return [
            (
                place_name(self, place),
                joined(self.say(ROLE_NAMES[role]) for role in ROLES if role in roles),
            )
            for place, roles in sorted(grants.items())
        ]

    def lead_back(self, operator_id: str, error: NotAllowed | StateError) -> None:
        """Say why something is not allowed on the person's own page."""
        self.flash(error.say, "warning")
        self.go("operator", operator_id)


class OperatorsPage(DeskPage):
    """`/admin/operators`: everybody, with their roles."""

    async def get(self) -> None:
        people = await self.ctx.console.desk.list_()
        self.page(
            "admin/operators.html",
            people=[(one, self.places(one.grants)) for one in people],
            holders=await self.ctx.console.factors.holders(),
        )


class NewOperatorPage(DeskPage):
    """`/admin/operators/new`: somebody new, without roles, with a one-time password."""

    async def get(self) -> None:
        self.page("admin/operator_new.html")

    async def again(self, refused: FormRefused) -> None:
        self.page("admin/operator_new.html", errors=refused.errors, values=refused.values)

    async def post(self) -> None:
        form = self.form(NewOperator)
        made, password = await self.ctx.console.desk.create(form.name, self.doer)
        self.page("admin/operator_password.html", person=made, password=password)


class PersonPage(DeskPage):
    """The pages about one person: what there is to see, and the forms that lead back to it."""

    async def show(self, operator_id: str, refused: FormRefused | None = None) -> None:
        person = await self.ctx.console.desk.get(operator_id)
        self.page(
            "admin/operator.html",
            errors=refused.errors if refused else {},
            values=refused.values if refused else {},
            person=person,
            places=self.places(person.grants),
            held=(refused.values.get("seen") if refused else None) or spelt(person.grants),
            factor=await self.ctx.console.factors.state(operator_id),
            is_me=person.id == self.operator.id,
            choices=self.choices(person, refused),
            has_provider=self.ctx.console.single_sign_on is not None,
        )

    async def show_again(self, refused: FormRefused, operator_id: str) -> None:
        """Show the page once more with what is wrong."""
        await self.show(operator_id, refused)

    def choices(
        self, person: OperatorAccount, refused: FormRefused | None
    ) -> list[tuple[str, str, list[tuple[str, ...]]]]:
        """Return (account, its name, roles to tick) for all accounts together and each one.

        Ticked is what the person holds, or what was ticked in a form that was refused.
        """
        held = {f"{place}:{role}" for place, roles in person.grants.items() for role in roles}
        ticked = set(refused.values["grant"]) if refused and "grant" in refused.values else held
        known: list[tuple[str, str, list[tuple[str, ...]]]] = []
        for place in (EVERYWHERE, *self.ctx.accounts):
            roles: list[tuple[str, ...]] = [
                (
                    role,
                    self.say(ROLE_NAMES[role]),
                    self.say(ROLE_PURPOSES[role]),
                    "1" if f"{place}:{role}" in ticked else "",
                )
                for role in ROLES
                if place == EVERYWHERE or role not in SEPARATE
            ]
            known.append((str(place), place_name(self, place), roles))
        return known


class OperatorPage(PersonPage):
    """`/admin/operators/…`: one person, and what may be done about them."""

    async def get(self, operator_id: str) -> None:
        await self.show(operator_id)


class GrantsPage(PersonPage):
    """`/admin/operators/…/grants`: replace somebody's roles."""

    async def again(self, refused: FormRefused, operator_id: str) -> None:
        sentence = joined(refused.errors.values(), "；")  # whichever rule, it is about the ticks
        typed: dict[str, str | list[str]] = {
            "grant": self.get_body_arguments("grant"),
            "seen": self.get_body_argument("seen", ""),
        }
        await self.show(operator_id, FormRefused({"grant": sentence}, typed))

    async def post(self, operator_id: str) -> None:
        form = self.form(Granted)
        try:
            await self.ctx.console.desk.grant(
                operator_id, _grants(form.grant), self.doer, seen=form.seen
            )
        except (NotAllowed, StateError) as error:
            self.lead_back(operator_id, error)
            return
        self.flash(mark("授权已保存，立即生效。"))
        self.go("operator", operator_id)


class DisablePage(DeskPage):
    """`/admin/operators/…/disable`: keep somebody out, at once."""

    async def post(self, operator_id: str) -> None:
        try:
            await self.ctx.console.desk.disable(operator_id, self.doer)
        except NotAllowed as error:
            self.lead_back(operator_id, error)
            return
        self.flash(mark("已停用，该人员已从所有浏览器退出。"))
        self.go("operator", operator_id)


class EnablePage(DeskPage):
    """`/admin/operators/…/enable`: let somebody in again."""

    async def post(self, operator_id: str) -> None:
        try:
            await self.ctx.console.desk.enable(operator_id, self.doer)
        except NotAllowed as error:
            self.lead_back(operator_id, error)
            return
        self.flash(mark("已启用。"))
        self.go("operator", operator_id)


class GivePasswordPage(DeskPage):
    """`/admin/operators/…/password`: a one-time password for somebody who forgot theirs."""

    async def post(self, operator_id: str) -> None:
        try:
            password = await self.ctx.console.desk.give_password(operator_id, self.doer)
        except NotAllowed as error:
            self.lead_back(operator_id, error)
            return
        person = await self.ctx.console.desk.get(operator_id)
        self.page("admin/operator_password.html", person=person, password=password)


class IdentityPage(PersonPage):
    """`/admin/operators/…/identity`: whom the single sign-on provider means."""

    again = PersonPage.show_again

    async def post(self, operator_id: str) -> None:
        form = self.form(Identity)
        await self.ctx.console.desk.set_identity(operator_id, form.identity, self.doer)
        self.flash(mark("单点登录账号已保存。"))
        self.go("operator", operator_id)


class ResetFactorPage(DeskPage):
    """`/admin/operators/…/second-factor`: a lost phone; the person enrols anew."""

    async def post(self, operator_id: str) -> None:
        try:
            there_was = await self.ctx.console.desk.reset_second_factor(operator_id, self.doer)
        except NotAllowed as error:
            self.lead_back(operator_id, error)
            return
        if there_was:
            self.flash(mark("动态口令已重置，该人员下次登录时重新设置。"))
        else:
            self.flash(mark("该人员还没有设置动态口令。"), "info")
        self.go("operator", operator_id)


def _grants(ticked: list[str]) -> Grants:
    """Read `city:editor` and the like; what is no such thing was not sent by our page."""
    found: dict[AccountId, set[str]] = {}
    for one in ticked:
        place, _, role = one.partition(":")
        if role not in ROLES:
            raise InvalidInput(Sentence("请从列出的选项中选择。"), field="grant")
        found.setdefault(AccountId(place), set()).add(role)
    return {
        place: frozenset(role for role in ROLES if role in roles) for place, roles in found.items()
    }


ONE = r"/admin/operators/(op_[0-9a-f]{1,40})"
routes = (
    route(r"/admin/operators", OperatorsPage, "operators", get="operators.read", nav=mark("人员")),
    route(
        r"/admin/operators/new",
        NewOperatorPage,
        "operator-new",
        get="operators.write",
        post="operators.write",
    ),
    route(ONE, OperatorPage, "operator", get="operators.read"),
    route(ONE + "/grants", GrantsPage, "operator-grants", post="roles.write"),
    route(ONE + "/disable", DisablePage, "operator-disable", post="operators.write"),
    route(ONE + "/enable", EnablePage, "operator-enable", post="operators.write"),
    route(ONE + "/password", GivePasswordPage, "operator-password", post="operators.write"),
    route(ONE + "/identity", IdentityPage, "operator-identity", post="operators.write"),
    route(ONE + "/second-factor", ResetFactorPage, "operator-factor", post="roles.write"),
)
