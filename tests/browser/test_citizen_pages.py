"""The pages behind links in the chat: readable on a small phone, and by old eyes."""

import pytest
from playwright.async_api import Page, expect

from tests.support.town import Town


@pytest.mark.browser
@pytest.mark.parametrize("query", ["", "?large=1"])
async def test_the_first_page_fits_a_small_phone(page: Page, town: Town, query: str):
    await page.set_viewport_size({"width": 360, "height": 740})

    await page.goto(f"{town.base}/h5/city/{query}")

    await expect(page.get_by_role("heading", level=1)).to_have_text("测试city")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.browser
async def test_large_print_is_at_least_thirty_pixels(page: Page, town: Town):
    await page.goto(f"{town.base}/h5/city/")
    await page.get_by_role("link", name="大字版").click()

    size = await page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('dd')).fontSize)"
    )

    assert size >= 30


@pytest.mark.browser
async def test_a_page_of_no_account_says_where_to_go(page: Page, town: Town):
    await page.goto(f"{town.base}/h5/nowhere/")

    await expect(page.locator("body")).to_contain_text("12345")
