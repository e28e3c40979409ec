"""Every page of the console in Chromium, at 1280 and at 360 px: no axe violation, nothing too wide,
too small or cut off, and its main action within reach of the keyboard.

The pages are those of the route table, as everybody sees them who sees something else there, with
filled lists; then again after their forms were refused; then what stands in no table.
"""

import re
from collections.abc import AsyncIterator, Iterable

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from domain.access import Role
from tests.support.console import Client, Console
from tests.support.console_entries import SECRET, at_stage
from tests.support.console_routes import sample
from tests.support.html_forms import forms_of
from tests.support.people import phone_code
from web.admin.assets import MODULES
from web.admin.home import HomePage
from web.admin.routes import ROUTES

AXE = MODULES / "axe-core" / "axe.min.js"
DAILY: tuple[Role, ...] = ("editor", "reviewer", "publisher", "desk", "account_manager")
PEOPLE: tuple[tuple[Role, ...], ...] = (
    DAILY,
    ("system_admin",),
    ("security_admin",),
    ("auditor",),
)
MAIN = (  # what most people open, looked at in English as well
    "sign-in",
    "dashboard",
    "broadcasts",
    "broadcast",
    "broadcast-review",
    "broadcast-report",
    "compose.new",
    "templates",
    "subscribers",
    "menu",
    "departments",
    "department",
    "settings",
    "operators",
    "audit",
)
NARROW = {"width": 360, "height": 740}
BROAD = {"width": 1280, "height": 900}
RUN = """async () => {
  const found = await axe.run(document, {
    resultTypes: ["violations"], rules: { "target-size": { enabled: true } },
  });
  return found.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")} (${node.failureSummary})`));
}"""
# what is wider than the window, out of it on the left, or shows only a part of its text
SPILT = """() => {
  const widest = document.documentElement.clientWidth, found = [];
  const told = (what, one) =>
    found.push(`${what}: ${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 20)}`);
  if (document.documentElement.scrollWidth > widest) found.push("the page scrolls sideways");
  for (const one of document.body.querySelectorAll("*")) {
    const apart = ".visually-hidden, .console-skip, svg, canvas, thead";
    if (one.closest(apart) || !one.checkVisibility()) continue;
    const place = one.getBoundingClientRect();
    const scrolls = one.closest(".table-responsive, pre");
    if (place.right > widest + 1 && !scrolls) told("too wide", one);
    if (place.left < -1) told("beside the window", one);
    const clips = ["hidden", "clip"].includes(getComputedStyle(one).overflowX);
    if (clips && one.scrollWidth > one.clientWidth + 1 && one.textContent.trim())
      told("cut off", one);
  }
  return found.slice(0, 4);
}"""
# whether the focus is on what the page is for, and seen
FOCUS = """() => {
  const one = document.activeElement, main = document.getElementById("main");
  const first = (what) => [...main.querySelectorAll(what)].find((each) => each.checkVisibility());
  const meant = first(".btn-primary") ?? first("a, button, summary, input");
  if (!meant) return "nothing to do";
  if (one !== meant) return "";
  const look = getComputedStyle(one);
  return parseFloat(look.outlineWidth) >= 2 && look.outlineStyle !== "none" ? "seen" : "unseen";
}"""
# sends a form with fields that no form takes, past what the browser itself would refuse
REFUSED = """(action) => {
  const written = "input:not([type=hidden], [type=checkbox], [type=radio]), textarea";
  for (const form of document.querySelectorAll("form")) {
    if (form.getAttribute("action") !== action) continue;
    for (const one of form.querySelectorAll(written)) {
      one.type = one.type === "password" ? "password" : "text";
      one.value = "长".repeat(6000);
    }
    form.submit();
    return;
  }
}"""
TABS = 160


class Looker:
    """One browser that opens pages and remembers what is wrong with them."""

    def __init__(self, context: BrowserContext, page: Page, wrong: list[str]) -> None:
        self.context, self.page, self.wrong = context, page, wrong
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))

    async def open(self, address: str) -> None:
        await self.page.goto(address, wait_until="domcontentloaded")

    async def look(self, told: str, *sizes: dict[str, int]) -> None:
        """Look at the page that is open in these sizes."""
        for size in sizes:
            await self.page.set_viewport_size(size)  # type: ignore[arg-type]
            found = [*await self.page.evaluate(RUN), *await self.page.evaluate(SPILT)]
            self.wrong += [f"{told} at {size['width']} px: {one}" for one in found]

    async def reach(self, told: str) -> None:
        """Go to the page's main action with Tab alone, past the menu."""
        await self.page.evaluate("document.activeElement.blur(); window.getSelection().empty()")
        await self.page.locator(".console-skip").focus()
        await self.page.keyboard.press("Enter")
        for _ in range(TABS):
            await self.page.keyboard.press("Tab")
            if said := await self.page.evaluate(FOCUS):
                if said == "unseen":
                    self.wrong.append(f"{told}: the focus on its main action is not to be seen")
                return
        self.wrong.append(f"{told}: Tab does not reach its main action")


async def lookers(
    chromium: Browser, clients: Iterable[Client], wrong: list[str]
) -> dict[Client, Looker]:
    found = {}
    for client in clients:
        context = await chromium.new_context(
            base_url=client.base, viewport=NARROW, reduced_motion="reduce", locale="zh-CN"
        )
        await context.add_init_script(path=AXE)
        await context.add_cookies(client.cookies)
        found[client] = Looker(context, await context.new_page(), wrong)
    return found


async def whole_pages(
    console: Console, clients: Iterable[Client]
) -> AsyncIterator[tuple[str, str, Client, str]]:
    """Give every page of the table for each who sees something else there than others do."""
    for name, route in ROUTES.items():
        if route.get is None:
            continue
        path, seen = await sample(route, console), set()
        for client in clients:
            answer = await client.get(path)
            if answer.status != 200 or not answer.text.startswith("<!DOCTYPE html>"):
                continue
            structure = re.sub(r'"[^"]*"|\d+', "", answer.text.partition("<main")[2])
            if structure not in seen:
                seen.add(structure)
                yield name, path, client, answer.text


@pytest.mark.browser
async def test_every_page_and_every_refused_form_is_fit_for_everybody(
    chromium: Browser, console: Console
):
    wrong: list[str] = []
    people = [await console.operator(roles) for roles in PEOPLE]
    clients = [*[await console.signed_in(one) for one in people], await console.nobody()]
    eyes, names, actions = await lookers(chromium, clients, wrong), set(), set()

    async def visit(name: str, path: str, client: Client, text: str) -> None:
        looker, is_first = eyes[client], name not in names
        names.add(name)
        await looker.open(path)
        await looker.look(name, *((NARROW, BROAD) if is_first else (NARROW,)))
        if is_first:
            await looker.reach(name)
        if is_first and name in MAIN:
            await looker.open(f"{path}?lang=en")
            await looker.look(f"{name} in English", NARROW)
            await looker.open(f"{path}?lang=zh")
        for form in forms_of(text):
            is_written = form.method == "post" and any(each.is_typed for each in form.fields)
            if is_written and form.action not in actions:
                actions.add(form.action)
                async with looker.page.expect_navigation(wait_until="domcontentloaded"):
                    await looker.page.evaluate(REFUSED, form.action)
                if await looker.page.locator(".console-errors").count():
                    await looker.look(f"{name} after {form.action} was refused", NARROW)
                await looker.open(path)

    for each in [one async for one in whole_pages(console, clients)]:
        await visit(*each)
    for looker in eyes.values():
        await looker.context.close()

    assert wrong == []
    assert set(MAIN) <= names


@pytest.mark.browser
async def test_the_steps_of_signing_in_and_pages_of_errors_are_fit_for_everybody(
    chromium: Browser, console: Console, monkeypatch: pytest.MonkeyPatch
):
    wrong: list[str] = []
    steps = [await at_stage(console, stage) for stage in ("code", "enrol", "password")]
    system, editor = await console.as_(("system_admin",)), await console.as_(("editor",))
    eyes = await lookers(chromium, [*steps, system, editor], wrong)

    for client, name in zip(steps, ("code", "enrol", "password"), strict=True):
        await eyes[client].open(f"/admin/sign-in/{name}")
        await eyes[client].look(name, NARROW, BROAD)
        await eyes[client].reach(name)
        field = eyes[client].page.locator("main input:not([type=hidden])").first
        await field.fill("not right")
        if name == "password":
            await eyes[client].page.locator("[name=again]").fill("not the same")
        await field.press("Enter")
        await eyes[client].page.locator(".console-errors").wait_for()
        await eyes[client].look(f"{name} refused", NARROW)
    page = eyes[steps[1]].page
    secret = SECRET.search(await page.content())
    assert secret
    await page.locator("[name=code]").fill(phone_code(secret[1], console.ctx.clock))
    await page.locator("[name=code]").press("Enter")
    await page.get_by_text("恢复码").first.wait_for()
    await eyes[steps[1]].look("recovery codes", NARROW, BROAD)

    await eyes[system].open("/admin/operators/new")
    await eyes[system].page.locator("[name=name]").fill("周新人")
    await eyes[system].page.locator("[name=name]").press("Enter")
    await eyes[system].page.locator(".signin-once").wait_for()
    await eyes[system].look("a one-time password", NARROW, BROAD)
    for path in ("/admin/nowhere", "/admin/operators", "/admin/a/plain/menu"):
        await eyes[editor].open(path)
        await eyes[editor].look(path, NARROW, BROAD)

    async def fail(self: HomePage) -> None:
        raise RuntimeError("for a test")

    monkeypatch.setattr(HomePage, "get", fail)
    await eyes[editor].open("/admin/")
    await eyes[editor].look("a failure of ours", NARROW, BROAD)
    for looker in eyes.values():
        await looker.context.close()

    assert wrong == []


@pytest.mark.browser
async def test_the_menu_of_a_phone_is_opened_and_closed_by_keyboard(console_page):
    page = await console_page(("auditor",), width=360)
    await page.goto("/admin/")
    button = page.get_by_role("button", name="菜单")

    await button.press("Enter")
    opened = await button.get_attribute("aria-expanded")
    await page.keyboard.press("Escape")

    assert opened == "true"
    assert await button.get_attribute("aria-expanded") == "false"
    assert await button.evaluate("one => one === document.activeElement")
