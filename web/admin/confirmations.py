"""What waits for a second person (待确认): people who came in by a given password, and keys.

The system administrator makes both; the security administrator confirms them here, or refuses
(ADR 26). A person is confirmed on their own page, with the code they read out.
"""

from console.desk import Doer
from domain.errors import CitizenError, NotFound, StateError
from domain.sentence import Sentence
from web.admin.api_keys import SCOPE_WORDS
from web.admin.base import AdminPage
from web.admin.me import place_name
from web.admin.operators import ONE, ConfirmCode, PersonPage
from web.admin.table import route
from web.admin.words import mark


class ConfirmationsPage(AdminPage):
    """`/admin/confirmations`: everybody and every key that waits."""

    async def get(self) -> None:
        people = await self.ctx.console.desk.list_()
        words = dict(SCOPE_WORDS)
        self.page(
            "admin/confirmations.html",
            people=[one for one in people if one.unconfirmed_since and not one.disabled_at],
            keys=[
                (key, place_name(self, key.account), [self.say(words[one]) for one in key.scopes])
                for key in await self.ctx.api_keys.waiting()
            ],
        )


class KeyDecision(AdminPage):
    """What the two answers to a waiting key share."""

    @property
    def doer(self) -> Doer:
        """Who decides, and from where."""
        return Doer(self.operator, self.request.remote_ip or "")

    async def waiting_account(self, key_id: str) -> str:
        """Return whose key waits, for the audit log."""
        waiting = await self.ctx.api_keys.waiting()
        account = next((key.account for key in waiting if key.id == key_id), None)
        if account is None:
            raise NotFound(Sentence("没有这个密钥，或它已经处理。"))
        return account


class ConfirmKeyPage(KeyDecision):
    """`/admin/confirmations/keys/…`: let a key open its doors."""

    async def post(self, key_id: str) -> None:
        account = await self.waiting_account(key_id)
        try:
            async with self.ctx.audit.around(
                self.operator,
                "api_key.confirm",
                f"api_key:{key_id}",
                account=account,
                remote=self.doer.remote,
            ) as act:
                key = await self.ctx.api_keys.confirm(
                    key_id, by=self.operator.id, now=self.ctx.clock.now()
                )
                if key is None:
                    raise NotFound(Sentence("没有这个密钥，或它已经处理。"))
                act.after |= {"name": key.name, "scopes": sorted(key.scopes)}
        except CitizenError as error:
            self.flash(error.say, "warning")
        else:
            self.flash(mark("密钥已确认，现在可以使用。"))
        self.go("confirmations")


class RefuseKeyPage(KeyDecision):
    """`/admin/confirmations/keys/…/refuse`: end a key that never opened anything."""

    async def post(self, key_id: str) -> None:
        account = await self.waiting_account(key_id)
        async with self.ctx.audit.around(
            self.operator,
            "api_key.revoke",
            f"api_key:{key_id}",
            account=account,
            remote=self.doer.remote,
        ):
            await self.ctx.api_keys.revoke(key_id, now=self.ctx.clock.now())
        self.flash(mark("密钥已作废。"))
        self.go("confirmations")


class ConfirmPersonPage(PersonPage):
    """`/admin/operators/…/confirm`: let somebody's roles count, for the code they read out."""

    async def post(self, operator_id: str) -> None:
        form = self.form(ConfirmCode)
        try:
            await self.ctx.console.desk.confirm(operator_id, form.code, self.doer)
        except StateError as error:
            self.flash(error.say, "warning")
        else:
            self.flash(mark("已确认，该人员的角色现在生效。"))
        self.go("operator", operator_id)

    again = PersonPage.show_again


_KEY = r"/admin/confirmations/keys/([0-9a-f]{12})"
routes = (
    route(
        r"/admin/confirmations",
        ConfirmationsPage,
        "confirmations",
        get="roles.write",
        nav=mark("待确认"),
    ),
    route(_KEY, ConfirmKeyPage, "confirm-key", post="roles.write"),
    route(_KEY + "/refuse", RefuseKeyPage, "refuse-key", post="roles.write"),
    route(ONE + "/confirm", ConfirmPersonPage, "operator-confirm", post="roles.write"),
)
