"""Chromium, and a whole town to look at."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection

import pytest
from playwright.async_api import Browser, Page, async_playwright
from redis.asyncio import Redis

from config.settings import Settings
from domain.access import Role
from tests.support.console import Client, Console, open_console
from tests.support.town import Town, open_town


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for the session."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def town(settings: Settings, mongo: object, redis: Redis) -> AsyncIterator[Town]:
    """The product and its sandbox on one port, with an empty database."""
    async with open_town(
        settings.storage.data_dir, database=settings.mongo.database, port=settings.server.port
    ) as opened:
        yield opened


@pytest.fixture
async def page(chromium: Browser, town: Town) -> AsyncIterator[Page]:
    """The phones of `city` on a wide screen; a script error fails the test."""
    errors: list[str] = []
    page = await chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(f"{town.base}/sandbox/?account=city")
    yield page
    await page.close()
    assert errors == []


@pytest.fixture
async def console(town: Town) -> AsyncIterator[Console]:
    """The console of the town."""
    async with open_console(town.ctx, town.base) as opened:
        yield opened


@pytest.fixture
async def console_page(
    chromium: Browser, console: Console
) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """`await console_page(("editor",), width=1280)`: a browser of its own, signed in.

    Pages open addresses without the host. Also takes a `client` of `console`. A script error
    fails the test.
    """
    errors: list[str] = []
    pages: list[Page] = []

    async def opened(
        roles: Collection[Role] = ("editor",),
        account: str | None = "city",
        name: str = "",
        *,
        client: Client | None = None,
        width: int = 1280,
    ) -> Page:
        client = client or await console.as_(roles, account, name)
        context = await chromium.new_context(
            base_url=console.base, viewport={"width": width, "height": 900}, locale="zh-CN"
        )
        await context.add_cookies(client.cookies)
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        pages.append(page)
        return page

    yield opened
    for page in pages:
        await page.context.close()
    assert errors == []
