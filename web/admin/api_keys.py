"""API keys of departments' systems (接口密钥): made, replaced with an overlap, revoked.

A key is shown once, in the answer to the form that made it, and opens nothing until a security
administrator has confirmed it: who makes keys would else write to a city alone (ADR 26). While a
key is replaced both open the same doors, so that the department can change it when it suits them.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from domain.access import SCOPES, Scope
from domain.errors import NotFound
from domain.sentence import Sentence
from web.admin.base import AdminPage
from web.admin.forms import FormRefused
from web.admin.table import ACCOUNT, route
from web.admin.words import mark

MOST = 100  # living keys of one account
SCOPE_WORDS: tuple[tuple[Scope, str], ...] = (
    ("broadcasts:write", mark("提交群发，由人审核")),
    ("broadcasts:publish", mark("直接发布群发")),
    ("notices:write", mark("发个人通知")),
    ("history:read", mark("查发送记录")),
    ("alerts:write", mark("发预警")),
)
_DAYS = (("1", mark("1 天")), ("7", mark("7 天")), ("30", mark("30 天")))


class KeyForm(BaseModel):
    """Who gets a key, and what it may do."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    scopes: Annotated[list[Scope], Field(min_length=1)]


class ReplaceForm(BaseModel):
    """How long the old key lives on."""

    days: Literal["1", "7", "30"] = "7"


class KeysBase(AdminPage):
    """What the pages of the keys share."""

    async def show(self, **data: Any) -> None:
        """List the living keys; `new_key` is shown this once."""
        now = self.ctx.clock.now()
        self.page(
            "admin/api_keys.html",
            **{
                "keys": await self.ctx.api_keys.list_(self.account_id, now=now),
                "scope_words": {scope: self.say(text) for scope, text in SCOPE_WORDS},
                "days": [(number, self.say(text)) for number, text in _DAYS],
                "new_key": None,
                "old": None,
                **data,
            },
        )

    async def again(self, refused: FormRefused, *_: str) -> None:
        """Show the form again with what is wrong; a scope that is none is about all of them."""
        errors = {name.partition(".")[0]: text for name, text in refused.errors.items()}
        await self.show(errors=errors, values=refused.values)


class KeysPage(KeysBase):
    """The list of keys, and the form for a new one."""

    async def get(self) -> None:
        await self.show()

    async def post(self) -> None:
        form = self.form(KeyForm)
        now = self.ctx.clock.now()
        if len(await self.ctx.api_keys.list_(self.account_id, now=now)) >= MOST:
            raise FormRefused({"name": self.say(mark("密钥太多了，请先停用不用的密钥。"))})
        scopes = [scope for scope in SCOPES if scope in form.scopes]
        async with self.noting("api_key.create", f"account:{self.account.id}") as act:
            key, key_id = await self.ctx.api_keys.make(
                self.account_id,
                form.name,
                scopes,
                now=now,
                waits_for_other_than=self.operator.id,
            )
            act.after.update(key=key_id, name=form.name, scopes=scopes)
        await self.show(new_key=key)


class ReplacePage(KeysBase):
    """Make a key in the place of another, which lives on for some days."""

    async def post(self, key_id: str) -> None:
        form = self.form(ReplaceForm)
        async with self.noting("api_key.replace", f"api_key:{key_id}") as act:
            made = await self.ctx.api_keys.replace(
                self.account_id,
                key_id,
                overlap=timedelta(days=int(form.days)),
                now=self.ctx.clock.now(),
                by=self.operator.id,
            )
            if made is None:
                raise NotFound(Sentence("没有这个密钥，或它正在被替换、已停用。"))
            key, old = made
            act.after.update(name=old.name, overlap_days=form.days)
        await self.show(new_key=key, old=old)


class RevokePage(KeysBase):
    """End a key at once."""

    async def post(self, key_id: str) -> None:
        async with self.noting("api_key.revoke", f"api_key:{key_id}"):
            ended = await self.ctx.api_keys.revoke(
                key_id, now=self.ctx.clock.now(), account=self.account_id
            )
            if not ended:
                raise NotFound(Sentence("没有这个密钥，或它已经停用。"))
        self.flash(mark("密钥已停用，立即生效。"))
        self.go("api-keys")


_KEY = r"settings/keys/([0-9a-f]{12})"
routes = (
    route(
        ACCOUNT + "settings/keys",
        KeysPage,
        "api-keys",
        get="account.read",
        post="account.write",
        nav=mark("接口密钥"),
    ),
    route(ACCOUNT + _KEY + "/replace", ReplacePage, "api-key-replace", post="account.write"),
    route(ACCOUNT + _KEY + "/revoke", RevokePage, "api-key-revoke", post="account.write"),
)
