"""Signing in as people do it: with a browser, step by step, and what a browser must not get."""

import re
from collections.abc import Mapping

import pytest

from config.settings import Settings
from runtime.context import open_context
from tests.support.console import PASSWORD, Answer, Client, Console, open_console
from tests.support.openid import CLIENT, SECRET, open_provider, sign_in_there
from tests.support.people import phone_code
from tests.support.web import serving
from web.admin import cookies

TOKEN = re.compile(r'name="_csrf" value="([0-9a-f]+)"')
MAC = re.compile(r'class="signin-secret">([A-Z2-7 ]+)<')
RECOVERY = re.compile(r"<li><code>([a-z2-7-]{19})</code></li>")


async def send(client: Client, path: str, form: Mapping[str, str]) -> Answer:
    """Open a page and send its form as a browser would."""
    page = await client.get(path)
    token = TOKEN.search(page.text)
    assert token, f"{path}: {page.status} {page.location}"
    return await client.post(path, {**form, "_csrf": token[1]})


def cookie(client: Client, name: str) -> str:
    found = [morsel.value for morsel in client.http.cookie_jar if morsel.key == name]
    return found[0] if found else ""


async def enrolled(console: Console, client: Client, name: str) -> tuple[str, list[str]]:
    """Sign in for the first time; returns the phone's secret and the recovery codes."""
    step = await send(client, "/admin/sign-in", {"name": name, "password": PASSWORD})
    assert step.location == "/admin/sign-in/enrol"
    page = await client.get(step.location)
    secret = MAC.search(page.text)
    assert secret
    code = phone_code(secret[1], console.ctx.clock)
    done = await send(client, "/admin/sign-in/enrol", {"code": code})
    assert done.status == 200
    console.ctx.clock.advance(60)
    return secret[1], RECOVERY.findall(done.text)


async def test_the_first_sign_in_sets_a_phone_up_and_the_next_asks_for_its_code(console: Console):
    who = await console.operator(("auditor",))
    first, second = await console.nobody(), await console.nobody()

    secret, codes = await enrolled(console, first, who.name)
    inside = await first.get("/admin/me/")
    step = await send(
        second, "/admin/sign-in?next=/admin/me/", {"name": who.name, "password": PASSWORD}
    )
    between = await second.get("/admin/me/")
    code = phone_code(secret, console.ctx.clock)
    done = await send(second, step.location, {"code": code})

    assert len(codes) == 10
    assert inside.status == 200
    assert step.location == "/admin/sign-in/code?next=%2Fadmin%2Fme%2F"
    assert between.status == 302  # a password alone opens nothing
    assert (done.status, done.location) == (303, "/admin/me/")
    assert (await second.get("/admin/me/")).status == 200


async def test_a_recovery_code_signs_in_once(console: Console):
    who = await console.operator(("auditor",))
    _, codes = await enrolled(console, await console.nobody(), who.name)

    answers = []
    for _ in range(2):
        client = await console.nobody()
        await send(client, "/admin/sign-in", {"name": who.name, "password": PASSWORD})
        answers.append(await send(client, "/admin/sign-in/code", {"code": codes[0]}))

    assert [answer.status for answer in answers] == [303, 422]
    assert "验证码不对" in answers[1].text


async def test_tokens_are_new_with_every_step_and_cookies_are_out_of_reach(console: Console):
    who = await console.operator(("auditor",))
    client = await console.nobody()
    await enrolled(console, client, who.name)
    first = cookie(client, cookies.SESSION)

    step = await client.get("/admin/sign-in")
    await client.post("/admin/sign-out", {"_csrf": csrf(await client.get("/admin/me/"))})
    again = await send(client, "/admin/sign-in", {"name": who.name, "password": PASSWORD})
    entry = cookie(client, "wz_entry")

    assert step.location == "/admin/"  # already in
    assert entry
    assert entry != first
    assert cookie(client, cookies.SESSION) == ""
    assert all(word in again.headers["Set-Cookie"] for word in ("HttpOnly", "SameSite=Lax"))


async def test_wrong_everything_has_one_answer_and_shows_no_password(console: Console):
    who = await console.operator(("auditor",))
    client = await console.nobody()

    texts = []
    for name in (who.name, "没有这个人"):
        form = {"name": name, "password": "my-secret-guess"}
        answer = await send(client, "/admin/sign-in", form)
        texts.append((answer.status, TOKEN.sub("", answer.text).replace(name, "")))
        assert "my-secret-guess" not in answer.text

    assert texts[0] == texts[1]
    assert texts[0][0] == 422
    assert "姓名或密码不对。" in texts[0][1]


async def test_guessing_is_told_to_wait(console: Console):
    client = await console.nobody()
    for _ in range(5):
        await send(client, "/admin/sign-in", {"name": "赵", "password": "wrong-horse-1"})

    told = await send(client, "/admin/sign-in", {"name": "赵", "password": "wrong-horse-1"})
    english = await send(client, "/admin/sign-in?lang=en", {"name": "赵", "password": "x"})

    assert "尝试次数太多，请 30 秒后再试。" in told.text
    assert "Too many tries; wait 30 seconds." in english.text


async def test_a_form_from_elsewhere_signs_nobody_in(console: Console):
    who = await console.operator(("auditor",))
    client = await console.nobody()

    answer = await client.post("/admin/sign-in", {"name": who.name, "password": PASSWORD})

    assert answer.status == 403


@pytest.mark.parametrize(
    "next_", ["//evil.example/", "https://evil.example/admin/", "/admin/\\evil", "/admin/sign-out"]
)
async def test_one_is_led_to_the_consoles_own_pages_only(console: Console, next_: str):
    auditor = await console.as_(("auditor",))

    answer = await auditor.get(f"/admin/sign-in?next={next_}")

    assert answer.location == "/admin/"


async def test_the_steps_lead_back_to_the_start_without_a_password(console: Console):
    client = await console.nobody()

    for step in ("code", "enrol", "password"):
        answer = await client.get(f"/admin/sign-in/{step}")
        assert (answer.status, answer.location) == (302, "/admin/sign-in")


async def test_a_changed_password_ends_the_other_browsers(console: Console):
    who = await console.operator(("auditor",))
    here, there = await console.signed_in(who), await console.signed_in(who)
    form = {"present": PASSWORD, "password": "another-horse-2", "again": "another-horse-2"}

    wrong = await here.post("/admin/me/password", form | {"present": "no-horse-at-all"})
    differing = await here.post("/admin/me/password", form | {"again": "another-horse-3"})
    done = await here.post("/admin/me/password", form)

    assert "现在的密码不对。" in wrong.text
    assert "两次输入的密码不同。" in differing.text
    assert done.location == "/admin/me/"
    assert (await here.get("/admin/me/")).status == 200
    assert (await there.get("/admin/me/")).status == 302


async def test_one_ends_ones_own_sessions_and_nobody_elses(console: Console):
    who = await console.operator(("auditor",))
    here, there = await console.signed_in(who), await console.signed_in(who)
    stranger = await console.as_(("security_admin",))
    assert there.session is not None
    assert stranger.session is not None

    await here.post("/admin/me/sessions", {"session": stranger.session.id})
    await here.post("/admin/me/sessions", {"session": there.session.id})

    assert (await there.get("/admin/me/")).status == 302
    assert (await stranger.get("/admin/me/")).status == 200
    await here.post("/admin/me/sessions")
    assert (await here.get("/admin/me/")).status == 200


async def test_a_phone_is_set_up_from_inside_for_the_present_password(console: Console):
    client = await console.as_(("auditor",))
    page = await client.get("/admin/me/second-factor")
    secret = MAC.search(page.text)
    assert secret
    code = phone_code(secret[1], console.ctx.clock)

    wrong = await client.post("/admin/me/second-factor", {"code": code, "present": "no-horse-1"})
    done = await client.post("/admin/me/second-factor", {"code": code, "present": PASSWORD})
    console.ctx.clock.advance(60)
    code = phone_code(secret[1], console.ctx.clock)
    renewed = await client.post("/admin/me/recovery", {"code": code})

    assert "现在的密码不对。" in wrong.text
    assert len(RECOVERY.findall(done.text)) == 10
    assert not set(RECOVERY.findall(renewed.text)) & set(RECOVERY.findall(done.text))
    assert (await client.get("/admin/me/second-factor")).status == 409


async def test_three_people_make_a_fourth_who_may_do_something(console: Console):
    system = await console.as_(("system_admin",))
    security = await console.as_(("security_admin",))

    made = await system.post("/admin/operators/new", {"name": "周新人"})
    password = re.search(r'signin-once">([a-z0-9-]+)<', made.text)
    address = re.search(r'href="(/admin/operators/op_[0-9a-f]+)"', made.text)
    assert password
    assert address
    refused = await security.post(f"{address[1]}/grants", {"grant": ["*:auditor", "city:editor"]})
    granted = await security.post(f"{address[1]}/grants", {"grant": ["city:editor"]})
    by_system = await system.post(f"{address[1]}/grants", {"grant": ["*:security_admin"]})
    page = await system.get(address[1])
    fresh = await console.nobody()
    step = await send(fresh, "/admin/sign-in", {"name": "周新人", "password": password[1]})

    assert "三员分立" in refused.text
    assert refused.text.count(" checked") == 2  # as it was ticked
    assert granted.location == address[1]
    assert by_system.status == 403
    assert "编辑" in page.text
    assert password[1] not in page.text
    assert step.location == "/admin/sign-in/enrol"


async def test_each_administrator_sees_what_they_may_do_about_somebody(console: Console):
    who = await console.operator(("editor", "publisher"))
    seen = {}
    for role in ("system_admin", "security_admin", "auditor"):
        page = await (await console.as_((role,))).get(f"/admin/operators/{who.id}")
        assert page.status == 200
        seen[role] = ["给一次性密码" in page.text, "保存授权" in page.text]
        assert page.text.count(" checked") == (2 if role == "security_admin" else 0)

    assert seen == {
        "system_admin": [True, False],
        "security_admin": [False, True],
        "auditor": [False, False],
    }


async def test_a_role_taken_away_does_not_come_back_with_a_colleagues_older_form(console: Console):
    first, second = await console.as_(("security_admin",)), await console.as_(("security_admin",))
    who = await console.operator(("editor",))
    page = f"/admin/operators/{who.id}"
    older = (await second.get(page)).text
    seen = re.findall(r'name="seen" value="([^"]*)"', older)

    taken = await first.post(f"{page}/grants", {"seen": seen})
    refused = await second.post(
        f"{page}/grants", {"seen": seen, "grant": ["city:editor", "city:reviewer"]}
    )
    told = await second.get(page)
    again = re.findall(r'name="seen" value="([^"]*)"', told.text)
    await second.post(f"{page}/grants", {"seen": again, "grant": ["city:reviewer"]})

    assert (seen, again) == (["city:editor"], ["none"])
    assert (taken.location, refused.location) == (page, page)
    assert "授权刚刚被别人改过" in told.text
    assert (await console.ctx.stores.operators.get(who.id)).grants == {
        "city": frozenset({"reviewer"})
    }


async def test_nobody_grants_to_themselves_and_the_last_who_grants_stays(console: Console):
    system = await console.as_(("system_admin",))
    security = await console.as_(("security_admin",))
    assert security.operator is not None
    own = f"/admin/operators/{security.operator.id}"

    await security.post(f"{own}/grants", {"grant": ["*:auditor"]})
    told = await security.get(own)
    await system.post(f"{own}/disable")
    refused = await system.get(own)

    assert "不能修改自己的授权" in told.text
    assert "最后一位安全管理员" in refused.text
    assert (await security.get("/admin/me/")).status == 200


async def test_single_sign_on_through_the_browser(settings: Settings, mongo, redis, http):
    base = f"http://127.0.0.1:{settings.server.port}"
    back = f"{base}/admin/sign-in/provider/back"
    async with open_provider(back) as issuer:
        oidc = {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET}
        content = settings.model_dump() | {"console": {"oidc": oidc, "second_factor": "optional"}}
        chosen = Settings.model_validate(content)
        async with (
            open_context(chosen) as ctx,
            serving(ctx, chosen.server.port),
            open_console(ctx, base) as console,
        ):
            who = await console.operator(("auditor",))
            await ctx.stores.operators.set_single_sign_on_id(who.id, "sun")
            await ctx.stores.operators.prove_identity(who.id, "sun")
            client = await console.nobody()
            there = (await client.get("/admin/sign-in/provider")).location
            landed = await sign_in_there(client.http, there, "sun", back)
            done = await client.get(landed.removeprefix(base))
            again = await client.get(landed.removeprefix(base))

            assert "统一身份认证" in (await (await console.nobody()).get("/admin/sign-in")).text
            assert (done.status, done.location) == (303, "/admin/")
            assert (await client.get("/admin/me/")).status == 200
            assert again.location == "/admin/sign-in"


def csrf(page: Answer) -> str:
    found = TOKEN.search(page.text)
    assert found
    return found[1]
