"""Every page of the console in Chromium: no axe violation, nothing wider than a small phone."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from domain.access import OperatorAccount, Role
from tests.support.console import Client, Console
from tests.support.console_routes import sample
from web.admin.assets import MODULES
from web.admin.routes import ROUTES

AXE = MODULES / "axe-core" / "axe.min.js"
DAILY: tuple[Role, ...] = ("editor", "reviewer", "publisher", "desk", "account_manager")
PEOPLE: tuple[tuple[Role, ...], ...] = (
    DAILY,
    ("system_admin",),
    ("security_admin",),
    ("auditor",),
)
RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")} (${node.failureSummary})`));
}"""
WIDE = """() => {
  const widest = document.documentElement.clientWidth;
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > widest + 1
      && !one.closest(".table-responsive, .visually-hidden, .console-skip"))
    .slice(0, 3)
    .map((one) => `${one.tagName.toLowerCase()}.${one.className}`);
}"""


async def whole_pages(console: Console) -> AsyncIterator[tuple[str, Client]]:
    """Give the address of every page of the table, with a browser of somebody who may see it."""
    people: list[OperatorAccount] = [await console.operator(roles) for roles in PEOPLE]
    clients = [await console.nobody(), *[await console.signed_in(one) for one in people]]
    yield "/admin/nowhere", clients[1]
    for route in ROUTES.values():
        if route.get is None:
            continue
        path = await sample(route, console)
        for client in clients:
            answer = await client.get(path)
            if answer.status == 200 and answer.text.startswith("<!DOCTYPE html>"):
                yield path, client
                break


async def complaints(page: Page, address: str) -> list[str]:
    """Open a page and return what is wrong with it."""
    await page.goto(address, wait_until="domcontentloaded")
    found = list(await page.evaluate(RUN))
    if await page.evaluate("document.documentElement.scrollWidth") > 360:
        found += [f"wider than 360 px: {one}" for one in await page.evaluate(WIDE)]
    return [f"{address}: {one}" for one in found]


@pytest.mark.browser
async def test_every_page_is_fit_for_everybody_and_for_a_small_phone(
    chromium: Browser, console: Console
):
    errors: list[str] = []
    contexts = {}
    async for path, client in whole_pages(console):
        if client not in contexts:
            size = {"width": 360, "height": 740}
            context = await chromium.new_context(viewport=size, reduced_motion="reduce")
            await context.add_init_script(path=AXE)
            await context.add_cookies(client.cookies)
            contexts[client] = await context.new_page()
            contexts[client].set_default_timeout(10_000)
            contexts[client].on("pageerror", lambda error: errors.append(str(error)))
        errors.extend(await complaints(contexts[client], console.base + path))
    for page in contexts.values():
        await page.context.close()

    assert errors == []


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
