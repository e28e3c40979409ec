"""A newcomer writes a personalised broadcast in Chromium, in few screens and without a manual."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from domain.ids import AccountId
from domain.personal import placeholders_in
from tests.browser.test_console_pages import AXE, RUN
from tests.support.console import Console

MOST_SCREENS = 6
FIELDS = {
    "影响区域": "园岭街道",
    "开始时间": "2026年12月1日 09:00",
    "结束时间": "2026年12月1日 18:00",
    "原因": "管网检修",
}


@pytest.mark.browser
async def test_a_newcomer_schedules_a_personalised_broadcast_in_at_most_six_screens(
    console_page: Callable[..., Awaitable[Page]], console: Console
):
    page = await console_page(("editor",), width=360)
    await page.context.add_init_script(path=AXE)
    console.ctx.headcounts._moment = 0.0  # no number is there at once: the page asks again
    screens: list[str] = []
    page.on("framenavigated", lambda frame: screens.append(frame.url))

    await page.goto("/admin/")
    await page.goto("/admin/a/city/broadcasts")
    await page.get_by_role("link", name="新建群发").first.click()
    await page.get_by_label("主题", exact=True).select_option(label="停水通知")
    await page.get_by_label("影响区域").fill("")
    await page.get_by_role("button", name="插入 {姓名}").click()
    await page.get_by_label("影响区域").press_sequentially("园岭街道停水")
    await page.get_by_label("开始时间").fill("2026年12月1日 09:00")
    await page.get_by_label("结束时间").fill("明天")
    await expect(page.get_by_text("应为 24 小时制时间").first).to_be_visible()
    await page.get_by_label("结束时间").fill("2026年12月1日 18:00")
    await page.get_by_label("原因").fill("管网检修")
    await page.get_by_label("任务标题").fill("园岭街道停水")
    await page.get_by_label("周期发送").check()
    await expect(page.get_by_text("接下来的日期")).to_be_visible()
    await expect(page.get_by_text("市民朋友园岭街道停水")).to_be_visible()
    await expect(page.locator("#compose-outlook strong").first).to_have_text("0")
    await page.get_by_text("更细的条件").click()
    await page.get_by_role("button", name="加一个条件").first.click()
    await page.get_by_label("标签", exact=True).fill("老人")
    violations = await page.evaluate(RUN)
    await page.get_by_role("button", name="提交审核").click()
    await page.wait_for_url("**/broadcasts/bc_*")

    (made,) = (await console.ctx.lists.broadcasts(AccountId("city"))).items
    assert (made.state, made.cron) == ("in_review", "@workdays 09:00")
    assert placeholders_in(*made.data.values()) == {"姓名"}
    assert violations == []
    assert len(screens) <= MOST_SCREENS


@pytest.mark.browser
async def test_whoever_is_signed_out_while_writing_signs_in_elsewhere_and_goes_on(
    console_page: Callable[..., Awaitable[Page]], console: Console
):
    person = await console.operator(("editor",))
    page = await console_page(client=await console.signed_in(person))
    told = page.get_by_text("写好的内容还在这一页")
    await page.goto("/admin/a/city/broadcasts/new")
    await page.get_by_label("主题", exact=True).select_option(label="停水通知")
    for label, text in FIELDS.items():
        await page.get_by_label(label).fill(text)

    await console.ctx.sign_in.close_all(person.id)
    await page.get_by_label("任务标题").fill("园岭街道停水")
    await expect(told).to_be_visible()
    await page.get_by_role("button", name="提交审核").click()
    kept = await page.get_by_label("任务标题").input_value()
    await page.context.add_cookies((await console.signed_in(person)).cookies)
    await page.evaluate("window.dispatchEvent(new Event('focus'))")
    await expect(told).to_be_hidden()
    await page.get_by_role("button", name="提交审核").click()
    await page.wait_for_url("**/broadcasts/bc_*")

    (made,) = (await console.ctx.lists.broadcasts(AccountId("city"))).items
    assert (kept, made.title, made.state) == ("园岭街道停水", "园岭街道停水", "in_review")
