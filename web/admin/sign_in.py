"""Signing in and out (登录与退出): password, second factor, a password of one's own, the provider.

Between two steps the browser holds the token of an entry in a cookie; it opens no page of the
console. The session's cookie is set after the last step and is a new one each time, and whatever
session the browser had is over. Where one wanted to go travels along as `next`, and only an
address of the console is one.
"""

from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from console.entry import EntryOver, Step, Visit
from console.lockout import DEVICE_LIFE, Locked
from domain.errors import CitizenError, InvalidInput
from domain.sign_on import SignOnRefused, SignOnUnavailable
from web.admin import cookies
from web.admin.base import AdminPage, PublicAdminPage
from web.admin.forms import FormRefused
from web.admin.table import route
from web.admin.words import mark

ENTRY = "wz_entry"  # cookie: the token of a half-finished sign-in
DEVICE = "wz_device"  # cookie: somebody came in with this browser before
PROVIDER = "wz_provider"  # cookie: the token of a way to the provider
LONGEST_NEXT = 500
PAGES = {"code": "sign-in-code", "enrol": "sign-in-enrol", "password": "sign-in-password"}
_OVER = mark("登录超时或尝试次数太多，请重新登录。")


class NameAndPassword(BaseModel):
    """Limits far above any honest name or password; the right ones are storage's business."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]


class Code(BaseModel):
    code: Annotated[str, Field(min_length=1, max_length=64)]


class NewPassword(BaseModel):
    password: Annotated[str, Field(min_length=1, max_length=1000)]
    again: Annotated[str, Field(min_length=1, max_length=1000)]

    def checked(self, say_differ: str) -> str:
        """Return the password if both spellings are the same."""
        if self.password != self.again:
            raise FormRefused({"again": say_differ})
        return self.password


class EntrancePage(PublicAdminPage):
    """What the steps of signing in share."""

    @property
    def visit(self) -> Visit:
        """Where this request comes from."""
        return Visit(remote=self.request.remote_ip or "", device=cookies.read(self, DEVICE))

    @property
    def token(self) -> str:
        """The token of the entry this browser is in."""
        return cookies.read(self, ENTRY)

    @property
    def next(self) -> str:
        """Where to go afterwards: an address of the console, or nothing."""
        wanted = self.get_query_argument("next", "")
        is_ours = wanted.startswith("/admin/") and not wanted.startswith("/admin/sign-")
        is_plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted
        return wanted if is_ours and is_plain and len(wanted) <= LONGEST_NEXT else ""

    @property
    def query(self) -> str:
        """The query that carries `next` along."""
        return urlencode({"next": self.next}) if self.next else ""

    def show(self, name: str, refused: FormRefused | None = None, **data: object) -> None:
        """Answer with a step's page; what was typed is not shown again but for the name."""
        errors = refused.errors if refused else {}
        kept = {"name": refused.values["name"]} if refused and "name" in refused.values else {}
        query = f"?{self.query}" if self.query else ""
        self.page(f"admin/{name}.html", errors=errors, values=kept, query=query, **data)

    async def go_on(self, step: Step) -> None:
        """Lead to the next step, or in."""
        if step.stage in PAGES:
            cookies.write(self, ENTRY, step.token)
            self.lead(PAGES[step.stage])
            return
        await self.let_in(step)
        self.redirect(self.next or self.address("home"), status=303)

    async def let_in(self, step: Step) -> None:
        """Begin a session of its own token, and remember that this browser knows the person."""
        await self.end_session()
        await self.begin_session(step.operator)
        cookies.clear(self, ENTRY)
        if not self.ctx.console.lockout.knows(self.visit.device, step.operator.name):
            fresh = self.ctx.console.lockout.device_for(step.operator.name)
            cookies.write(self, DEVICE, fresh, days=DEVICE_LIFE.days)

    def lead(self, name: str) -> None:
        """Lead to another step, taking along where one wants to go."""
        address = self.address(name) + (f"?{self.query}" if self.query else "")
        self.redirect(address, status=302 if self.request.method == "GET" else 303)

    def start_again(self) -> None:
        """Lead back to the first step with a sentence that says why."""
        cookies.clear(self, ENTRY)
        self.flash(_OVER, "warning")
        self.lead("sign-in")

    def refuse(self, error: CitizenError) -> FormRefused:
        """Return what went wrong as sentences of a form, in the language chosen."""
        if isinstance(error, Locked):
            seconds = -(-int(error.wait.total_seconds() * 1000) // 1000)
            say = self.say(mark("尝试次数太多，请 {seconds} 秒后再试。"))
            return FormRefused({"": say.format(seconds=max(1, seconds))}, self.typed)
        return FormRefused({error.field or "": self.say(error.say)}, self.typed)

    @property
    def typed(self) -> dict[str, str]:
        """What may be shown again: the name."""
        return {"name": self.get_body_argument("name", "")[:200]}


class SignInPage(EntrancePage):
    """`/admin/sign-in`: name and password, or the provider."""

    async def get(self) -> None:
        if self.visitor is not None:
            self.redirect(self.next or self.address("home"))
            return
        await self.again(None)

    async def again(self, refused: FormRefused | None) -> None:
        sign_on = self.ctx.console.single_sign_on
        self.show("sign_in", refused, provider=sign_on.label if sign_on else "")

    async def post(self) -> None:
        form = self.form(NameAndPassword)
        try:
            step = await self.ctx.console.entrance.by_password(form.name, form.password, self.visit)
        except (Locked, InvalidInput) as error:
            raise self.refuse(error) from error
        await self.go_on(step)


class CodePage(EntrancePage):
    """`/admin/sign-in/code`: the phone's code, or a recovery code."""

    async def get(self) -> None:
        try:
            step = await self.ctx.console.entrance.stage(self.token)
        except EntryOver:
            self.start_again()
            return
        if step.stage != "code":
            self.lead(PAGES[step.stage])
            return
        await self.again(None)

    async def again(self, refused: FormRefused | None) -> None:
        self.show("sign_in_code", refused)

    async def post(self) -> None:
        form = self.form(Code)
        try:
            step = await self.ctx.console.entrance.by_code(self.token, form.code, self.visit)
        except EntryOver:
            self.start_again()
            return
        except (Locked, InvalidInput) as error:
            raise self.refuse(error) from error
        await self.go_on(step)


class EnrolPage(EntrancePage):
    """`/admin/sign-in/enrol`: set the phone up; the recovery codes are shown once."""

    async def get(self) -> None:
        await self.again(None)

    async def again(self, refused: FormRefused | None) -> None:
        try:
            _, offered = await self.ctx.console.entrance.enrolment(self.token)
        except EntryOver:
            self.start_again()
            return
        self.show("sign_in_enrol", refused, offered=offered)

    async def post(self) -> None:
        form = self.form(Code)
        try:
            step = await self.ctx.console.entrance.enrol(self.token, form.code, self.visit)
        except EntryOver:
            self.start_again()
            return
        except (Locked, InvalidInput) as error:
            raise self.refuse(error) from error
        if step.stage in PAGES:
            cookies.write(self, ENTRY, step.token)
            onward = self.address(PAGES[step.stage]) + (f"?{self.query}" if self.query else "")
        else:
            await self.let_in(step)
            onward = self.next or self.address("home")
        self.page("admin/recovery_codes.html", codes=step.codes, onward=onward)


class OwnPasswordPage(EntrancePage):
    """`/admin/sign-in/password`: instead of the one-time password, one that nobody else knows."""

    async def get(self) -> None:
        try:
            step = await self.ctx.console.entrance.stage(self.token)
        except EntryOver:
            self.start_again()
            return
        if step.stage != "password":
            self.lead(PAGES[step.stage])
            return
        await self.again(None)

    async def again(self, refused: FormRefused | None) -> None:
        self.show("sign_in_password", refused)

    async def post(self) -> None:
        password = self.form(NewPassword).checked(self.say(mark("两次输入的密码不同。")))
        try:
            step = await self.ctx.console.entrance.new_password(self.token, password, self.visit)
        except EntryOver:
            self.start_again()
            return
        await self.go_on(step)


class ProviderPage(EntrancePage):
    """`/admin/sign-in/provider`: to the single sign-on provider."""

    async def get(self) -> None:
        sign_on = self.ctx.console.single_sign_on
        if sign_on is None:
            self.lead("sign-in")
            return
        try:
            address, token = await sign_on.begin()
        except SignOnUnavailable as error:
            self.flash(error.say, "warning")
            self.lead("sign-in")
            return
        cookies.write(self, PROVIDER, token)
        self.redirect(address)


class ProviderBackPage(EntrancePage):
    """`/admin/sign-in/provider/back`: from the provider, with a code or a refusal."""

    async def get(self) -> None:
        sign_on = self.ctx.console.single_sign_on
        token = cookies.read(self, PROVIDER)
        cookies.clear(self, PROVIDER)
        if sign_on is None:
            self.lead("sign-in")
            return
        try:
            operator = await sign_on.finish(
                token,
                state=self.get_query_argument("state", "")[:LONGEST_NEXT],
                code=self.get_query_argument("code", "")[:4000],
                issuer=self.get_query_argument("iss", "")[:LONGEST_NEXT],
                visit=self.visit,
            )
            step = await self.ctx.console.entrance.by_provider(
                operator, self.visit, has_two_factors=sign_on.has_two_factors
            )
        except (SignOnRefused, SignOnUnavailable) as error:
            self.flash(error.say, "warning")
            self.lead("sign-in")
            return
        await self.go_on(step)


class SignOutPage(AdminPage):
    """`/admin/sign-out`: the end of this session; the device stays known."""

    async def post(self) -> None:
        await self.note("sign_out", f"operator:{self.operator.id}")
        await self.end_session()
        self.session, self.visitor = None, None
        self.flash(mark("您已退出。"))
        self.go("sign-in")


routes = (
    route(r"/admin/sign-in", SignInPage, "sign-in", get="anyone", post="anyone"),
    route(r"/admin/sign-in/code", CodePage, "sign-in-code", get="anyone", post="anyone"),
    route(r"/admin/sign-in/enrol", EnrolPage, "sign-in-enrol", get="anyone", post="anyone"),
    route(
        r"/admin/sign-in/password", OwnPasswordPage, "sign-in-password", get="anyone", post="anyone"
    ),
    route(r"/admin/sign-in/provider", ProviderPage, "sign-in-provider", get="anyone"),
    route(r"/admin/sign-in/provider/back", ProviderBackPage, "sign-in-back", get="anyone"),
    route(r"/admin/sign-out", SignOutPage, "sign-out", post="self"),
)
