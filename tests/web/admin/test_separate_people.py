"""One administrator alone never gains a power they can use: the attacks, over real HTTP."""

import re
from datetime import timedelta

import pytest

from config.settings import Settings
from domain.access import OperatorAccount
from domain.audit import Wanted
from runtime.context import open_context
from tests.support.console import PASSWORD, Answer, Client, Console, open_console
from tests.support.openid import CLIENT, SECRET, open_provider, sign_in_there
from tests.support.people import phone_code
from tests.support.web import serving
from tests.web.admin.test_sign_in import MAC, TOKEN, enrolled, send

OWN = "my-own-horse-77"
ONCE = re.compile(r'signin-once">([a-z0-9-]+)<')
CODE = re.compile(r'confirm-code">([A-Z0-9-]+)<')
KEY = re.compile(r"wz_[0-9a-f]{12}_[\w-]{43}")


async def given_password(system: Client, who: OperatorAccount) -> str:
    found = ONCE.search((await system.post(f"/admin/operators/{who.id}/password")).text)
    assert found
    return found[1]


async def come_in(console: Console, client: Client, name: str, password: str) -> Answer:
    """Sign in for the first time with a one-time password: phone, own password, in."""
    step = await send(client, "/admin/sign-in", {"name": name, "password": password})
    if step.location.startswith("/admin/sign-in/enrol"):
        secret = MAC.search((await client.get(step.location)).text)
        assert secret
        await send(client, step.location, {"code": phone_code(secret[1], console.ctx.clock)})
    return await send(client, "/admin/sign-in/password", {"password": OWN, "again": OWN})


def code_on(page: Answer) -> str:
    found = CODE.search(page.text)
    assert found
    return found[1]


async def test_a_made_up_person_has_no_power_even_when_they_are_granted_one(console: Console):
    system = await console.as_(("system_admin",))
    security = await console.as_(("security_admin",))
    made = await system.post("/admin/operators/new", {"name": "假编辑"})
    password, address = ONCE.search(made.text), re.search(r'"(/admin/operators/op_\w+)"', made.text)
    assert password
    assert address
    await security.post(f"{address[1]}/grants", {"grant": ["city:editor", "city:publisher"]})
    persona = await console.nobody()

    await come_in(console, persona, "假编辑", password[1])
    home = await persona.get("/admin/")
    broadcasts = await persona.get("/admin/a/city/broadcasts")
    listed = await security.get("/admin/confirmations")

    assert "角色还没有生效" in home.text
    assert broadcasts.status == 404
    assert "假编辑" in listed.text
    assert "待确认" in (await (await console.as_(("auditor",))).get("/admin/operators")).text
    code = code_on(home)
    assert code not in (await system.get(address[1])).text
    by_system = await system.post(f"{address[1]}/confirm", {"code": code})
    wrong = await security.post(f"{address[1]}/confirm", {"code": "AAAA-AAAA"})
    done = await security.post(f"{address[1]}/confirm", {"code": code.lower()})
    assert (by_system.status, wrong.status, done.status) == (403, 422, 303)
    assert (await persona.get("/admin/a/city/broadcasts")).status == 200
    entries, _ = await console.ctx.audit.search(Wanted(action="second_factor.enrol"))
    assert "waits for" in entries[0].after


@pytest.mark.parametrize("role", ["security_admin", "auditor", "reviewer"])
async def test_a_given_password_makes_nobody_of_somebody_without_a_phone(console: Console, role):
    system = await console.as_(("system_admin",))
    await console.operator(("security_admin",))
    victim = await console.operator((role,))
    thief = await console.nobody()

    await come_in(console, thief, victim.name, await given_password(system, victim))

    for path in ("/admin/operators", "/admin/audit", "/admin/confirmations"):
        assert (await thief.get(path)).status == 403
    assert (await thief.get("/admin/a/city/broadcasts")).status == 404
    assert (await thief.post(f"/admin/operators/{victim.id}/confirm", {"code": "x"})).status == 403


async def test_a_phone_reset_after_a_password_was_given_has_to_be_confirmed_too(console: Console):
    system = await console.as_(("system_admin",))
    security = await console.as_(("security_admin",))
    victim = await console.operator(("editor",))
    await enrolled(console, await console.nobody(), victim.name)
    password = await given_password(system, victim)
    await security.post(f"/admin/operators/{victim.id}/second-factor")
    thief = await console.nobody()

    await come_in(console, thief, victim.name, password)

    assert "角色还没有生效" in (await thief.get("/admin/")).text
    assert (await thief.get("/admin/a/city/broadcasts")).status == 404


@pytest.mark.parametrize("how_far", ["the phone", "everything"])
async def test_a_phone_that_was_set_up_beforehand_and_handed_over_shows_no_code(
    console: Console, how_far: str
):
    """Its secret stays known to whoever set it up."""
    system = await console.as_(("system_admin",))
    security = await console.as_(("security_admin",))
    made = await system.post("/admin/operators/new", {"name": "郑新人"})
    password = ONCE.search(made.text)
    assert password
    thief, owner = await console.nobody(), await console.nobody()
    await send(thief, "/admin/sign-in", {"name": "郑新人", "password": password[1]})
    secret = MAC.search((await thief.get("/admin/sign-in/enrol")).text)
    assert secret
    await send(thief, "/admin/sign-in/enrol", {"code": phone_code(secret[1], console.ctx.clock)})
    own = {"password": OWN, "again": OWN}
    if how_far == "everything":
        await send(thief, "/admin/sign-in/password", own)
    console.ctx.clock.advance(60)  # type: ignore[attr-defined]

    handed = password[1] if how_far == "the phone" else OWN
    await send(owner, "/admin/sign-in", {"name": "郑新人", "password": handed})
    code = phone_code(secret[1], console.ctx.clock)
    step = await send(owner, "/admin/sign-in/code", {"code": code})
    if step.location == "/admin/sign-in/password":
        await send(
            owner, step.location, {"password": "her-own-horse-8", "again": "her-own-horse-8"}
        )
    page = await owner.get("/admin/")

    assert "角色还没有生效" in page.text
    assert not CODE.search(page.text)
    assert "请安全管理员重置动态口令" in page.text
    who = await console.ctx.stores.operators.find_by_name("郑新人")
    assert who
    await security.post(f"/admin/operators/{who.id}/second-factor")
    anew = await console.nobody()
    await come_in(console, anew, who.name, await given_password(system, who))
    code = code_on(await anew.get("/admin/"))
    done = await security.post(f"/admin/operators/{who.id}/confirm", {"code": code})
    assert done.status == 303


async def test_with_a_phone_of_ones_own_a_given_password_needs_nobody_else(console: Console):
    system = await console.as_(("system_admin",))
    editor = await console.operator(("editor",))
    secret, _ = await enrolled(console, await console.nobody(), editor.name)
    client = await console.nobody()
    password = await given_password(system, editor)

    await send(client, "/admin/sign-in", {"name": editor.name, "password": password})
    await send(client, "/admin/sign-in/code", {"code": phone_code(secret, console.ctx.clock)})
    await send(client, "/admin/sign-in/password", {"password": OWN, "again": OWN})

    assert (await client.get("/admin/a/city/broadcasts")).status == 200


async def test_half_a_sign_in_is_over_once_the_password_or_the_phone_is_changed(console: Console):
    system = await console.as_(("system_admin",))
    security = await console.as_(("security_admin",))
    editor = await console.operator(("editor",))
    secret, _ = await enrolled(console, await console.nobody(), editor.name)
    inside = await console.signed_in(await console.ctx.console.desk.get(editor.id))
    form = {"present": PASSWORD, "password": OWN, "again": OWN}
    ended = []
    for password, change in (
        (PASSWORD, lambda: inside.post("/admin/me/password", form)),
        (OWN, lambda: system.post(f"/admin/operators/{editor.id}/password")),
    ):
        thief = await console.nobody()
        page = await send(thief, "/admin/sign-in", {"name": editor.name, "password": password})
        assert page.location == "/admin/sign-in/code"
        token = TOKEN.search((await thief.get(page.location)).text)
        assert token
        assert (await change()).status in {200, 303}
        code = phone_code(secret, console.ctx.clock)
        ended.append(await thief.post(page.location, {"code": code, "_csrf": token[1]}))
        console.ctx.clock.advance(60)  # type: ignore[attr-defined]

    assert [answer.location for answer in ended] == ["/admin/sign-in"] * 2
    # whoever stands before the enrolment when the phone is reset begins anew as well
    fresh = await console.operator(("editor",))
    other = await console.nobody()
    await send(other, "/admin/sign-in", {"name": fresh.name, "password": PASSWORD})
    await security.post(f"/admin/operators/{fresh.id}/second-factor")
    assert (await other.get("/admin/sign-in/enrol")).location == "/admin/sign-in"


async def test_a_claim_of_ones_own_written_at_somebody_else_opens_nothing(
    settings: Settings, mongo, redis
):
    base = f"http://127.0.0.1:{settings.server.port}"
    back = f"{base}/admin/sign-in/provider/back"
    async with open_provider(back) as issuer:
        oidc = {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET}
        oidc |= {"second_factor": "theirs"}
        chosen = Settings.model_validate(settings.model_dump() | {"console": {"oidc": oidc}})
        async with (
            open_context(chosen) as ctx,
            serving(ctx, chosen.server.port),
            open_console(ctx, base) as console,
        ):
            system = await console.as_(("system_admin",))
            victim = await console.operator(("security_admin",))
            await system.post(f"/admin/operators/{victim.id}/identity", {"identity": "thief"})

            async def through(client: Client) -> Answer:
                there = (await client.get("/admin/sign-in/provider")).location
                landed = await sign_in_there(client.http, there, "thief", back)
                return await client.get(landed.removeprefix(base))

            thief = await console.nobody()
            refused = await through(thief)
            told = await thief.get("/admin/sign-in")
            owner = await console.signed_in(await ctx.console.desk.get(victim.id))
            shown = await owner.get("/admin/me/")
            form = {"identity": "thief", "present": PASSWORD}
            await owner.post("/admin/me/identity", form | {"identity": "sun"})
            unread = await through(await console.nobody())
            guessed = await owner.post("/admin/me/identity", form | {"present": "no-horse-1"})
            done = await owner.post("/admin/me/identity", form)  # as if it were theirs
            proved = await through(await console.nobody())

    assert refused.location == "/admin/sign-in"
    assert "在“我的账号”里确认" in told.text
    assert (session_of(thief), unread.location) == (None, "/admin/sign-in")
    assert "这是我的账号" in shown.text
    assert (guessed.status, done.status) == (422, 303)
    assert (proved.status, proved.location) == (303, "/admin/")


def session_of(client: Client) -> str | None:
    """Return the session's cookie of a browser, None without one."""
    kept = {one.key: one.value for one in client.http.cookie_jar}
    return kept.get("wz_console")


async def test_a_key_of_one_administrator_opens_nothing(console: Console, http):
    system = await console.as_(("system_admin",))
    security = await console.as_(("security_admin",))
    keys = "/admin/a/city/settings/keys"
    form = {"name": "水务集团", "scopes": ["broadcasts:publish", "notices:write", "history:read"]}
    made = KEY.search((await system.post(keys, form)).text)
    assert made
    key_id = made[0].split("_")[1]

    async def asked(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        async with http.get(f"{console.base}/api/v1/broadcasts/bc_1", headers=headers) as answer:
            return int(answer.status)

    alone = await asked(made[0])
    by_itself = await system.post(f"/admin/confirmations/keys/{key_id}")
    listed = await security.get("/admin/confirmations")
    done = await security.post(f"/admin/confirmations/keys/{key_id}")
    confirmed = await asked(made[0])
    replaced = (await system.post(f"{keys}/{key_id}/replace", {"days": "1"})).text
    second = next(key for key in KEY.findall(replaced) if key != made[0])
    waiting = [await asked(second), await asked(made[0])]
    console.ctx.clock.advance(timedelta(days=3))  # type: ignore[attr-defined]
    still = await asked(made[0])  # nobody has confirmed its successor

    assert (alone, by_itself.status, done.status, confirmed) == (401, 403, 303, 404)
    assert "水务集团" in listed.text
    assert "直接发布群发" in listed.text
    assert (waiting, still) == ([401, 404], 404)
    again = await console.as_(("security_admin",))
    refused = await again.post(f"/admin/confirmations/keys/{second.split('_')[1]}/refuse")
    assert (refused.status, await asked(second)) == (303, 401)
    entries, _ = await console.ctx.audit.search(Wanted(action="api_key.confirm"))
    assert [entry.outcome for entry in entries] == ["done", "intended"]


async def test_the_last_of_each_three_can_be_neither_disabled_nor_given_another_part(
    console: Console,
):
    system, other = await console.as_(("system_admin",)), await console.as_(("system_admin",))
    security = await console.as_(("security_admin",))
    auditor = await console.operator(("auditor",))
    assert system.operator is not None
    assert other.operator is not None

    await system.post(f"/admin/operators/{auditor.id}/disable")
    told = await system.get(f"/admin/operators/{auditor.id}")
    await security.post(f"/admin/operators/{auditor.id}/grants", {"grant": ["city:editor"]})
    kept = await console.ctx.console.desk.get(auditor.id)
    await other.post(f"/admin/operators/{system.operator.id}/disable")
    await security.post(f"/admin/operators/{other.operator.id}/grants", {"grant": ["city:desk"]})
    last = await security.get(f"/admin/operators/{other.operator.id}")

    assert "最后一位审计员" in told.text
    assert (kept.disabled_at, set(kept.grants["*"])) == (None, {"auditor"})  # type: ignore[index]
    assert "最后一位系统管理员" in last.text


async def test_a_recovery_code_buys_no_new_ones(console: Console):
    who = await console.operator(("auditor",))
    client = await console.nobody()
    secret, codes = await enrolled(console, client, who.name)

    bought = await send(client, "/admin/me/recovery", {"code": codes[0]})
    state = await console.ctx.console.factors.state(who.id)
    code = phone_code(secret, console.ctx.clock)
    renewed = await send(client, "/admin/me/recovery", {"code": code})

    assert bought.status == 422
    assert "不能用恢复码" in bought.text
    assert state
    assert state.recovery_left == 10  # and it is still good for signing in
    assert renewed.status == 200


async def test_a_secret_read_in_one_browser_is_not_what_another_enrols_with(console: Console):
    who = await console.operator(("auditor",))
    thief, owner = await console.signed_in(who), await console.signed_in(who)

    read = MAC.search((await thief.get("/admin/me/second-factor")).text)
    own = MAC.search((await owner.get("/admin/me/second-factor")).text)

    assert read
    assert own
    assert read[1] != own[1]
