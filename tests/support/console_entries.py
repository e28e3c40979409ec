"""Browsers half-way into the console: at the code, at setting up a phone, at a first password."""

import re
from collections.abc import Mapping
from typing import Literal

from tests.support.console import PASSWORD, Answer, Client, Console
from tests.support.people import phone_code
from web.admin import cookies

Stage = Literal["name", "code", "enrol", "password"]
STAGES: dict[str, Stage] = {
    "sign-in": "name",
    "sign-in-code": "code",
    "sign-in-enrol": "enrol",
    "sign-in-password": "password",
}
TOKEN = re.compile(r'name="_csrf" value="([0-9a-f]+)"')
SECRET = re.compile(r'class="signin-secret">([A-Z2-7 ]+)<')
ONCE = re.compile(r'signin-once">([a-z0-9-]+)<')


async def at_stage(console: Console, stage: Stage) -> Client:
    """Return a browser of somebody new who has come as far as this step."""
    client = await console.nobody()
    if stage == "name":
        await client.get("/admin/sign-in")
        return client
    name, password = await _somebody(console, one_time=stage == "password")
    await step(client, "/admin/sign-in", {"name": name, "password": password})
    if stage == "enrol":
        return client
    await set_up_phone(console, client)
    if stage == "code":
        client = await console.nobody()
        await step(client, "/admin/sign-in", {"name": name, "password": password})
    return client


async def step(client: Client, path: str, form: Mapping[str, str]) -> Answer:
    """Open a page and send its form as a browser would."""
    token = TOKEN.search((await client.get(path)).text)
    assert token, path
    return await client.post(path, {**form, "_csrf": token[1]})


def form_token(console: Console, client: Client) -> str:
    """Return the token of this browser's forms, also where nobody is signed in."""
    if client.session is not None:
        return client.csrf
    kept = [each.value for each in client.http.cookie_jar if each.key == cookies.FORM]
    key = console.ctx.settings.security.secret_key.get_secret_value().encode()
    return cookies.signed(key, "csrf", kept[0]) if kept else ""


async def set_up_phone(console: Console, client: Client) -> Answer:
    """Send the code of the phone that the page offers; the answer shows the recovery codes."""
    page = await client.get("/admin/sign-in/enrol")
    secret = SECRET.search(page.text)
    assert secret
    code = phone_code(secret[1], console.ctx.clock)
    return await step(client, "/admin/sign-in/enrol", {"code": code})


async def _somebody(console: Console, *, one_time: bool) -> tuple[str, str]:
    if not one_time:
        return (await console.operator(("auditor",))).name, PASSWORD
    system = await console.as_(("system_admin",))
    name = f"新人{next(console.numbers)}"
    given = ONCE.search((await system.post("/admin/operators/new", {"name": name})).text)
    assert given
    return name, given[1]
