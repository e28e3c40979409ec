"""An account's settings (账号设置): what stands in the file, live checks, callback keys.

The settings file is read-only here: pages show it without its secrets. What a page can change is
the callback's pair of keys, which is bridged until the file has it too (ADR 23).
"""

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel

from console.checks.finding import Finding, worst
from console.checks.service import CHECKS, Check
from domain.callback_keys import CallbackPair
from domain.errors import NotFound
from domain.sentence import Sentence
from web.admin.base import AdminPage
from web.admin.forms import FormRefused
from web.admin.table import ACCOUNT, route
from web.admin.words import mark

_KNOWN = {check.key: check for check in CHECKS}
Hours = Literal["1", "24", "72"]
_OVERLAPS = (
    ("1", mark("1 小时")),
    ("24", mark("24 小时")),
    ("72", mark("72 小时")),
)


class PairForm(BaseModel):
    """How long the old pair counts once the new one is in use."""

    overlap: Hours = "24"


class SettingsBase(AdminPage):
    """What the pages of an account's settings share."""

    async def show(self, *, checks: list[dict[str, Any]] | None = None, **data: Any) -> None:
        """Show the settings; `pair` is a new pair of keys, shown this once."""
        account = self.account
        self.page(
            "admin/settings.html",
            **{
                "checks": checks or [self.line(check) for check in CHECKS],
                "callback_url": f"{self.ctx.settings.server.public_url}/wechat/{account.id}",
                "secrets": await self.ctx.secrets.of(account),
                "keys": await self.ctx.callback_keys.status(self.account_id),
                "overlaps": [(hours, self.say(text)) for hours, text in _OVERLAPS],
                "pair": None,
                **data,
            },
        )

    def line(
        self, check: Check, found: list[Finding] | None = None, *, is_waiting: bool = False
    ) -> dict[str, Any]:
        """Return one line of the list, with what was found if it was looked."""
        return {
            "key": check.key,
            "title": self.say(check.title),
            "looks_at": self.say(check.looks_at),
            "found": found,
            "verdict": worst(found) if found else "",
            "is_waiting": is_waiting,
        }

    async def again(self, refused: FormRefused, *_: str) -> None:
        """Show what is wrong with the form."""
        await self.show(errors=refused.errors, values=refused.values)


class SettingsPage(SettingsBase):
    """The settings of one account."""

    async def get(self) -> None:
        await self.show()


class ChecksPage(SettingsBase):
    """All checks: as lines that check themselves, or all at once where there is no script."""

    async def post(self) -> None:
        if self.is_htmx:
            lines = [self.line(check, is_waiting=True) for check in CHECKS]
            self.fragment("admin/_checks.html", checks=lines)
            return
        found = [await self.ctx.checks.run(self.account, check.key) for check in CHECKS]
        checks = [self.line(check, each) for check, each in zip(CHECKS, found, strict=True)]
        await self.show(checks=checks)


class CheckPage(SettingsBase):
    """One check."""

    async def post(self, key: str) -> None:
        if key not in _KNOWN:
            raise NotFound(Sentence("没有这项检查。"))
        found = await self.ctx.checks.run(self.account, key)
        if self.is_htmx:
            self.fragment("admin/_check.html", check=self.line(_KNOWN[key], found))
            return
        await self.show(
            checks=[self.line(check, found if check.key == key else None) for check in CHECKS]
        )


class PairPage(SettingsBase):
    """Prepare a new pair of callback keys; the answer shows it, this once."""

    async def post(self) -> None:
        form = self.form(PairForm)
        overlap = timedelta(hours=int(form.overlap))
        async with self.noting("callback_keys.prepare", f"account:{self.account.id}") as act:
            pair: CallbackPair = await self.ctx.callback_keys.prepare(
                self.account_id, overlap=overlap, by=self.operator.id
            )
            act.after["number"] = pair.number
            act.after["overlap_hours"] = form.overlap
        await self.show(pair=pair)


class PairDiscardPage(SettingsBase):
    """Give up the pair that was prepared."""

    async def post(self) -> None:
        async with self.noting("callback_keys.discard", f"account:{self.account.id}"):
            await self.ctx.callback_keys.discard(self.account_id)
        self.flash(mark("已放弃准备好的新密钥。"))
        self.go("settings")


class OldPairPage(SettingsBase):
    """Let the old pair count no longer."""

    async def post(self) -> None:
        async with self.noting("callback_keys.end_overlap", f"account:{self.account.id}"):
            await self.ctx.callback_keys.end_overlap(self.account_id)
        self.flash(mark("旧密钥已停用。"))
        self.go("settings")


routes = (
    route(ACCOUNT + "settings", SettingsPage, "settings", get="account.read", nav=mark("账号设置")),
    route(ACCOUNT + "settings/checks", ChecksPage, "settings-checks", post="account.read"),
    route(ACCOUNT + r"settings/checks/(\w+)", CheckPage, "settings-check", post="account.read"),
    route(ACCOUNT + "settings/callback-keys", PairPage, "callback-keys", post="account.write"),
    route(
        ACCOUNT + "settings/callback-keys/discard",
        PairDiscardPage,
        "callback-keys-discard",
        post="account.write",
    ),
    route(
        ACCOUNT + "settings/callback-keys/end-old",
        OldPairPage,
        "callback-keys-end-old",
        post="account.write",
    ),
)
