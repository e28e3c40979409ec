"""What all pages of the console share (管理台页面): who looks, at which account, with what right.

`prepare` enforces the route table before a page's own code runs:

- nobody: a page leads to the sign-in, a form or a part of a page is refused (403);
- an account in which one has no role answers 404, exactly as one that does not exist;
- a missing right, or a form without this session's token: 403.

A page reads its form with `self.form(Model)`. When that, or what it calls, raises `FormRefused`
or an error that names a field, the page's `again` shows the form once more with the sentences.
"""

import functools
import hmac
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

import orjson
from tornado.web import HTTPError

from config.settings import AccountSettings
from domain.access import OperatorAccount
from domain.audit import Outcome
from domain.console_session import Session
from domain.errors import CitizenError, NotAllowed
from domain.ids import AccountId
from domain.rights import Right, accounts_of, rights_of
from push.audit import Act
from push.orders import OrderRefused
from templates.console import LANGUAGES, Language
from web.admin import assets, cookies
from web.admin.forms import FormRefused, Model, read_form, shown_values, upright
from web.admin.navigation import navigation
from web.admin.table import NAMES, ConsoleRoute
from web.admin.words import mark
from web.base import UNFORESEEN, Page, say_of
from web.remote import remote_of

HOME = "/admin/"
SIGN_IN = "/admin/sign-in"
MAX_FORM = 8 * 1024 * 1024  # larger than any field, so that a field too long is named as such
CSRF_FIELD = "_csrf"
CSRF_HEADER = "X-CSRF-Token"
_SIGNED_OUT = mark("您没有登录，或登录已经过期，内容没有提交。请登录后再试。")
_STILL_THERE = mark(
    "您没有登录，或登录已经过期。写好的内容还在这一页：请在新的标签页登录，再回到这里继续。"
)
_FAILED = mark("服务出了点问题，请稍后再试。")
_STALE = mark("这个页面停留太久或来自别处，内容没有提交。请返回上一页，刷新后重试。")


class AdminPage(Page):
    """A page of the console for those who are signed in."""

    max_body = MAX_FORM
    is_public: ClassVar[bool] = False
    asks_by_itself: ClassVar[bool] = False  # asked by an open page again and again, by nobody
    again: Callable[..., Awaitable[None]] | None = None  # again(refused, *path arguments)
    route: ConsoleRoute
    session: Session | None = None
    visitor: OperatorAccount | None = None  # on public pages: somebody or nobody
    operator: OperatorAccount
    account: AccountSettings
    language: Language = "zh"
    _account: AccountSettings | None = None
    _is_stale = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "post" in cls.__dict__:
            cls.post = _showing_refusals(cls.__dict__["post"])

    def initialize(self, route: ConsoleRoute) -> None:
        """Know one's place in the table."""
        self.route = route

    # --- who may -----------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Let in whom the table lets in."""
        trusted = self.ctx.settings.server.trusted_proxies
        self.request.remote_ip = remote_of(self.request, trusted)
        await self._recognise()
        self._choose_language()
        if self.visitor is None and not self.is_public:
            self._send_to_sign_in()
            return
        if self.route.is_of_account:
            self._enter(self.path_args.pop(0))
        needed = self.route.needs(self.request.method)
        if needed is None:
            raise HTTPError(405)
        if "anyone" not in needed and not self.rights.intersection(needed):
            raise HTTPError(403)
        await super().prepare()
        if self.request.method == "POST" and not self._has_csrf_token():
            self._is_stale = True
            raise NotAllowed(_STALE)

    @property
    def rights(self) -> frozenset[Right]:
        """What this operator may do here: in the account of the path, if there is one."""
        if self.visitor is None:
            return frozenset()
        if self._account is None:
            return rights_of(self.visitor.grants)
        return rights_of(self.visitor.grants, AccountId(self._account.id))

    def can(self, right: Right) -> bool:
        """Whether this operator has a right here; to show less, never to be safe."""
        return right in self.rights

    @property
    def visible_accounts(self) -> tuple[AccountId, ...]:
        """The accounts in which this operator has a role, in the order of the settings."""
        return accounts_of(self.visitor.grants, self.ctx.accounts) if self.visitor else ()

    @property
    def is_below_account(self) -> bool:
        """Whether this page is about one account, which its operator may see."""
        return self._account is not None

    @property
    def account_id(self) -> AccountId:
        """The account of the path."""
        return AccountId(self.account.id)

    async def still_may(self) -> bool:
        """Whether who asked is still signed in and allowed to: for answers that take long."""
        token = cookies.read(self, cookies.SESSION)
        found = await self.ctx.sign_in.find(token, by_hand=False) if token else None
        if found is None or found[1].id != self.operator.id:
            return False
        self.session, self.operator = found
        self.visitor = self.operator
        if self._account is not None and self.account_id not in self.visible_accounts:
            return False
        return bool(self.rights.intersection(self.route.needs(self.request.method) or ()))

    async def _recognise(self) -> None:
        token = cookies.read(self, cookies.SESSION)
        by_hand = not self.asks_by_itself
        found = await self.ctx.sign_in.find(token, by_hand=by_hand) if token else None
        if found is not None:
            self.session, self.operator = found
            self.visitor = self.operator

    def _enter(self, account: str) -> None:
        if AccountId(account) not in self.visible_accounts:
            raise HTTPError(404)
        self._account = self.account = self.ctx.accounts[AccountId(account)]

    def _send_to_sign_in(self) -> None:
        if self.request.method != "GET" or self.is_htmx:
            raise NotAllowed(_STILL_THERE if self.is_htmx else _SIGNED_OUT)
        here = self.request.uri or ""
        more = "?" + urlencode({"next": here}) if self.request.path != HOME else ""
        self.redirect(SIGN_IN + more)

    async def begin_session(self, operator: OperatorAccount) -> None:
        """Sign somebody in who has proved who they are; a new token each time."""
        token, session = await self.ctx.sign_in.open(
            operator,
            remote=self.request.remote_ip or "",
            agent=self.request.headers.get("User-Agent", ""),
        )
        self.session, self.visitor, self.operator = session, operator, operator
        cookies.write(self, cookies.SESSION, token)

    async def end_session(self) -> None:
        """Sign out."""
        if self.session is not None:
            await self.ctx.sign_in.close(self.session)
        cookies.clear(self, cookies.SESSION)

    # --- forms -------------------------------------------------------------------------------

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Read a field's bytes; those that are no UTF-8 become U+FFFD, as in every browser.

        What turns the direction of writing is dropped, in forms and queries alike. An address that
        is none is refused: what it means cannot be told (`name` None).
        """
        if name is None:
            return super().decode_argument(value)
        return upright(value.decode(errors="replace"))

    @property
    def csrf_token(self) -> str:
        """What a form must bring back: this session's, or of a browser without one."""
        if self.session is not None:
            return cookies.signed(self.session.csrf_secret, "csrf", self.session.id)
        return cookies.signed(self._key, "csrf", cookies.form_secret(self))

    def _has_csrf_token(self) -> bool:
        given = self.request.headers.get(CSRF_HEADER) or self.get_body_argument(CSRF_FIELD, "")
        return hmac.compare_digest(given.encode(), self.csrf_token.encode())

    def form(self, model: type[Model]) -> Model:
        """Return the form as a model; `FormRefused` has a sentence for each wrong field."""
        return read_form(self, model, self.say)

    # --- answers -----------------------------------------------------------------------------

    @property
    def is_htmx(self) -> bool:
        """Whether a part of a page is asked for."""
        return self.request.headers.get("HX-Request") == "true"

    def page(self, name: str, /, **data: Any) -> None:
        """Answer with a whole page; its template extends `admin/layout.html`."""
        flash = cookies.take_flash(self, self._flash_key)
        self._answer(name, {"flash": flash, **data})

    def fragment(self, name: str, /, **data: Any) -> None:
        """Answer with a part of a page, for htmx."""
        self._answer(name, {"flash": None, **data})

    def flash(self, text: str, kind: str = "success") -> None:
        """Say one sentence on the next page; kinds are success, info, warning, danger."""
        cookies.write_flash(self, self._flash_key, self.say(text), kind)

    def address(self, name: str, /, *args: object, account: str | None = None) -> str:
        """Return a route's address; below an account, the one of this page unless told."""
        route = self.console_routes[name]
        parts = [str(part) for part in args]
        if route.is_of_account:
            parts.insert(0, account or self.account.id)
        return self.reverse_url(NAMES + name, *parts)

    def go(self, name: str, /, *args: object, account: str | None = None, query: str = "") -> None:
        """Lead on to another page after a form (303), also when htmx sent it."""
        address = self.address(name, *args, account=account) + (f"?{query}" if query else "")
        if self.is_htmx:
            self.set_header("HX-Redirect", address)
            self.set_status(204)
            self.finish()
            return
        self.redirect(address, status=303)

    @property
    def console_routes(self) -> Mapping[str, ConsoleRoute]:
        """The table, by name."""
        return cast("Mapping[str, ConsoleRoute]", self.application.settings["console_routes"])

    def say(self, text: str) -> str:
        """Return a string of the code in the language chosen."""
        return self.ctx.renderer.console_say(self.language, text)

    async def note(
        self,
        action: str,
        object_: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        outcome: Outcome = "done",
    ) -> None:
        """Leave in the audit log what this operator did to what; values are masked ones.

        For what matters most use `async with self.noting(…)`.
        """
        await self.ctx.audit.record(
            self.operator,
            action,
            object_,
            account=self._account.id if self._account else None,
            remote=self.request.remote_ip or "",
            before=before,
            after=after,
            outcome=outcome,
        )

    def noting(
        self, action: str, object_: str, *, before: Mapping[str, Any] | None = None
    ) -> AbstractAsyncContextManager[Act]:
        """Leave the intention in the audit log, let the block act, and leave what came of it."""
        return self.ctx.audit.around(
            self.operator,
            action,
            object_,
            account=self._account.id if self._account else None,
            remote=self.request.remote_ip or "",
            before=before,
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say what is wrong in the console's own look, or in one sentence for htmx."""
        info = kwargs.get("exc_info")
        error = cast("BaseException | None", info[1]) if info else None
        found = say_of(error, status_code)
        say = self.say(_FAILED if found == UNFORESEEN else found)  # 12345 is for citizens
        data = {"status": status_code, "say": say, "reference": self.reference}
        if self.is_htmx:
            self._help_on()
            self.fragment("admin/_error.html", **data)
        else:
            self.page("admin/error.html", **data)

    def _help_on(self) -> None:
        """Let a page that is open go on: what somebody writes there must not be lost.

        Whoever is signed out while they write stays on the page. When they have signed in in
        another tab, the page gets the new session's token, as reloading it would; the request
        itself stays refused.
        """
        if self.visitor is None and not self.is_public:
            if self.request.method == "GET":
                self.set_header("HX-Redirect", SIGN_IN)
            else:
                self.set_header("HX-Trigger", "console:signed-out")
        elif self._is_stale and self.visitor is not None:
            token = {"token": self.csrf_token, "operator": self.visitor.id}
            self.set_header("HX-Trigger", orjson.dumps({"console:token": token}))

    # --- what templates may use --------------------------------------------------------------

    def _answer(self, name: str, data: Mapping[str, Any]) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(self.ctx.renderer.console_page(self.language, name, {**self._shared(), **data}))

    def _shared(self) -> dict[str, Any]:
        return {
            "language": self.language,
            "operator": self.visitor,
            "account": self._account,
            "nav": navigation(self),
            "values": {},
            "errors": {},
            "can": self.can,
            "address": self.address,
            "has_route": self.console_routes.__contains__,
            "csrf_token": self.csrf_token,
            "static": assets.own,
            "npm": assets.borrowed,
            "is_prepared": assets.are_there(),
            "now": self.ctx.clock.now(),
        }

    @property
    def _key(self) -> bytes:
        return self.ctx.settings.security.secret_key.get_secret_value().encode()

    @property
    def _flash_key(self) -> bytes:
        return self.session.csrf_secret if self.session else self._key

    def _choose_language(self) -> None:
        asked = self.get_query_argument("lang", "")
        kept = cookies.read(self, cookies.LANGUAGE)
        for language in LANGUAGES:
            if asked == language:
                cookies.write(self, cookies.LANGUAGE, language, days=cookies.YEAR_DAYS)
        self.language = next((one for one in LANGUAGES if one == (asked or kept)), "zh")


class PublicAdminPage(AdminPage):
    """A page of the console for anybody, such as the sign-in; `operator` is None for nobody."""

    is_public = True


class AdminNotFound(PublicAdminPage):
    """Any address below /admin/ that is not in the table."""

    async def prepare(self) -> None:
        await self._recognise()
        self._choose_language()
        raise HTTPError(404)


def _showing_refusals(
    post: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    """Let a page's `again` show what its `post` refused."""

    @functools.wraps(post)
    async def guarded(self: AdminPage, *args: str) -> None:
        try:
            await post(self, *args)
        except (CitizenError, OrderRefused) as error:
            refused = _refusal(self, error)
            if refused is None or self.again is None:
                raise
            self.set_status(refused.status)
            await self.again(refused, *args)

    return guarded


def _refusal(page: AdminPage, error: CitizenError | OrderRefused) -> FormRefused | None:
    """Return an error as sentences beside fields; None if it is about no field."""
    if isinstance(error, FormRefused):
        return FormRefused(error.errors, error.values or shown_values(page))
    if isinstance(error, OrderRefused):
        errors = {fault.field: fault.message for fault in reversed(error.faults)}
        return FormRefused(errors, shown_values(page))
    if error.field is None:
        return None
    return FormRefused({error.field: page.say(error.say)}, shown_values(page))
