"""The menu editor in Chromium: by drag, by keyboard, and what it says while somebody writes."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

MENU = "/admin/a/city/menu"


@pytest.mark.browser
async def test_a_menu_is_built_by_keyboard_and_by_drag_and_checked_while_typing(
    console_page: Any,
):
    page: Page = await console_page(("account_manager",))
    await page.goto(MENU)
    look = page.locator("#menu-look")

    # by keyboard: an entry at the head of its list goes to the end of the list before
    await page.locator('button[value="up:s2_0"]').press("Enter")
    await expect(look.locator(".menu-phone-bar > li").nth(1)).to_contain_text("智能问答")
    await expect(page.locator(":focus")).to_have_attribute("value", "up:s1_2")

    # by drag: the third button before the first
    handles = page.locator(".menu-top > fieldset .menu-handle")
    await handles.nth(2).drag_to(handles.nth(0), target_position={"x": 2, "y": 2})
    await expect(look.locator(".menu-phone-name").nth(0)).to_have_text("互动办事")

    # while typing: the sentence comes beside the field, and the phone follows
    first = page.locator(".menu-top").first
    field = first.get_by_label("名称（最多 16 字节").first
    await field.fill("名称太长的菜单")
    await field.press("Tab")
    await expect(first).to_contain_text("现有 21 字节")
    await field.fill("办事")
    await field.press("Tab")
    await expect(look).to_contain_text("符合微信的规则")

    await page.get_by_role("button", name="保存草稿").click()
    await expect(page.get_by_role("status").filter(has_text="草稿已保存")).to_be_visible()
    await expect(field).to_have_value("办事")
