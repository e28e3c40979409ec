"""The check list in Chromium: each line checks itself, and what is done is told as it comes."""

import pytest


@pytest.mark.browser
async def test_all_checks_answer_while_one_watches(console_page):
    page = await console_page(("system_admin",), width=360)
    await page.goto("/admin/a/city/settings")

    await page.get_by_role("button", name="全部检查").click()
    await page.locator("[data-checked]").nth(9).wait_for()

    assert await page.locator("#check-progress").text_content() == "已完成 10/10"
    assert "能通过签名验证" in await page.locator("#check-callback").inner_text()
    assert "正常" in await page.locator("#check-templates").inner_text()
