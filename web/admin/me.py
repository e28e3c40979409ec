"""One's own account (我的账号): sessions, password, second factor, recovery codes."""

from typing import Annotated, cast

from pydantic import BaseModel, Field

from console.entry import Visit
from console.lockout import Locked
from domain.console_session import Session
from domain.errors import CitizenError, InvalidInput
from domain.sentence import joined
from web.admin import cookies
from web.admin.base import AdminPage
from web.admin.browsers import browser_of
from web.admin.forms import FormRefused
from web.admin.roles import ROLE_NAMES
from web.admin.sign_in import DEVICE, Code, NewPassword
from web.admin.table import route
from web.admin.words import mark


class ChangedPassword(NewPassword):
    present: Annotated[str, Field(min_length=1, max_length=1000)]


class PhoneAndPassword(Code):
    present: Annotated[str, Field(min_length=1, max_length=1000)]


class OwnIdentity(BaseModel):
    identity: Annotated[str, Field(min_length=1, max_length=200)]  # as it was read
    present: Annotated[str, Field(min_length=1, max_length=1000)]


class OneSession(BaseModel):
    session: Annotated[str, Field(max_length=100)] = ""


class OwnPage(AdminPage):
    """What the pages about oneself share."""

    @property
    def visit(self) -> Visit:
        """Where this request comes from."""
        return Visit(remote=self.request.remote_ip or "", device=cookies.read(self, DEVICE))

    @property
    def here(self) -> Session:
        """The session of this browser; only who is signed in gets here."""
        return cast("Session", self.session)

    def refuse(self, error: CitizenError) -> FormRefused:
        """Return a refusal as sentences of a form; nothing secret is shown again."""
        if isinstance(error, Locked):
            say = self.say(mark("尝试次数太多，请 {seconds} 秒后再试。"))
            seconds = max(1, -(-int(error.wait.total_seconds() * 1000) // 1000))
            return FormRefused({"": say.format(seconds=seconds)}, {"": ""})
        return FormRefused({error.field or "": self.say(error.say)}, {"": ""})


class MePage(OwnPage):
    """`/admin/me/`: who one is here, and where one is signed in."""

    async def get(self) -> None:
        await self.show()

    async def show(self, refused: FormRefused | None = None) -> None:
        """Show who one is, with what was wrong with a form."""
        self.page(
            "admin/me.html",
            roles=granted(self),
            sessions=await self.ctx.sign_in.list_(self.operator.id),
            here=self.here,
            browser_of=browser_of,
            factor=await self.ctx.console.factors.state(self.operator.id),
            has_provider=self.ctx.console.single_sign_on is not None,
            errors=refused.errors if refused else {},
        )


class SessionsPage(OwnPage):
    """`/admin/me/sessions`: end one session, or all but this one."""

    async def post(self) -> None:
        form = self.form(OneSession)
        own = self.ctx.console.own
        if not form.session:
            await own.end_others(self.operator, self.here, self.visit)
            self.flash(mark("其他浏览器已全部退出。"))
        elif await own.end_session(self.operator, form.session, self.visit):
            self.flash(mark("已退出该浏览器。"))
        else:
            self.flash(mark("该浏览器已经退出。"), "info")
        self.go("me")


class PasswordPage(OwnPage):
    """`/admin/me/password`: change the password; other browsers are signed out."""

    async def get(self) -> None:
        await self.again(None)

    async def again(self, refused: FormRefused | None) -> None:
        self.page("admin/me_password.html", errors=refused.errors if refused else {})

    async def post(self) -> None:
        form = self.form(ChangedPassword)
        fresh = form.checked(self.say(mark("两次输入的密码不同。")))
        try:
            await self.ctx.console.own.change_password(
                self.operator, self.here, form.present, fresh, self.visit
            )
        except (Locked, InvalidInput) as error:
            raise self.refuse(error) from error
        self.flash(mark("密码已修改，其他浏览器已退出。"))
        self.go("me")


class IdentityPage(MePage):
    """`/admin/me/identity`: say that the single sign-on account written down is one's own."""

    async def get(self) -> None:
        self.go("me")

    async def again(self, refused: FormRefused | None) -> None:
        await self.show(refused)

    async def post(self) -> None:
        form = self.form(OwnIdentity)
        try:
            await self.ctx.console.own.prove_identity(
                self.operator, form.identity, form.present, self.visit
            )
        except (Locked, InvalidInput) as error:
            raise self.refuse(error) from error
        self.flash(mark("已确认，以后可以单点登录。"))
        self.go("me")


class SecondFactorPage(OwnPage):
    """`/admin/me/second-factor`: set up the first phone where that is not demanded anyway."""

    async def get(self) -> None:
        await self.again(None)

    async def again(self, refused: FormRefused | None) -> None:
        offered = await self.ctx.console.own.offer(self.operator, self.here)
        errors = refused.errors if refused else {}
        self.page("admin/me_second_factor.html", errors=errors, offered=offered)

    async def post(self) -> None:
        form = self.form(PhoneAndPassword)
        try:
            codes = await self.ctx.console.own.enrol(
                self.operator, self.here, form.present, form.code, self.visit
            )
        except (Locked, InvalidInput) as error:
            raise self.refuse(error) from error
        self.page("admin/recovery_codes.html", codes=codes, onward=self.address("me"))


class RecoveryPage(OwnPage):
    """`/admin/me/recovery`: fresh recovery codes, for a code of the phone."""

    async def get(self) -> None:
        await self.again(None)

    async def again(self, refused: FormRefused | None) -> None:
        self.page("admin/me_recovery.html", errors=refused.errors if refused else {})

    async def post(self) -> None:
        form = self.form(Code)
        try:
            codes = await self.ctx.console.own.renew_recovery(self.operator, form.code, self.visit)
        except (Locked, InvalidInput) as error:
            raise self.refuse(error) from error
        self.page("admin/recovery_codes.html", codes=codes, onward=self.address("me"))


def granted(page: AdminPage) -> list[tuple[str, str]]:
    """Return (account, roles) of whoever looks, in words."""
    return [
        (place_name(page, place), joined(page.say(ROLE_NAMES[role]) for role in sorted(roles)))
        for place, roles in sorted(page.operator.grants.items())
    ]


def place_name(page: AdminPage, place: str) -> str:
    """Return what an account, or all of them, is called."""
    settings = next((one for key, one in page.ctx.accounts.items() if key == place), None)
    if settings is not None:
        return settings.name or settings.id
    return page.say(mark("全部公众号")) if place == "*" else place


routes = (
    route(r"/admin/me/", MePage, "me", get="self"),
    route(r"/admin/me/sessions", SessionsPage, "me-sessions", post="self"),
    route(r"/admin/me/identity", IdentityPage, "me-identity", get="self", post="self"),
    route(r"/admin/me/password", PasswordPage, "me-password", get="self", post="self"),
    route(
        r"/admin/me/second-factor", SecondFactorPage, "me-second-factor", get="self", post="self"
    ),
    route(r"/admin/me/recovery", RecoveryPage, "me-recovery", get="self", post="self"),
)
