"""From the sign-in to a scheduled broadcast with personal values: few screens, nothing but labels.

Beside `test_compose.py` this one signs in by hand, has a second person approve, and publishes.
"""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect
from redis.asyncio import Redis

from config.settings import Settings
from domain.ids import AccountId
from domain.personal import placeholders_in
from tests.support.console import PASSWORD, Console
from tests.support.town import Town, open_town

MOST_SCREENS = 6
CITY = AccountId("city")


@pytest.fixture
async def town(settings: Settings, mongo: object, redis: Redis) -> AsyncIterator[Town]:
    """A town whose operators need no phone to sign in, as in the demo."""
    async with open_town(
        settings.storage.data_dir,
        database=settings.mongo.database,
        port=settings.server.port,
        console={"second_factor": "optional"},
    ) as opened:
        yield opened


@pytest.mark.browser
async def test_a_newcomer_gets_from_the_sign_in_to_a_scheduled_broadcast_in_six_screens(
    chromium: Browser, console: Console
):
    await console.operator(("editor", "publisher"), name="张编辑")
    reviewer = await console.as_(("reviewer",), name="李审核")
    context = await chromium.new_context(base_url=console.base, locale="zh-CN")
    page = await context.new_page()
    page.set_default_timeout(10_000)
    screens: list[str] = []
    page.on("domcontentloaded", lambda shown: screens.append(shown.url.partition("?")[0]))

    await page.goto("/admin/")
    await page.get_by_label("姓名").fill("张编辑")
    await page.get_by_label("密码").fill(PASSWORD)
    await page.get_by_role("button", name="登录").click()
    await page.get_by_role("link", name="新建群发").click()
    await page.get_by_label("模板", exact=True).select_option(label="停水停电停气通知")
    await page.get_by_label("主题", exact=True).select_option(label="停水通知")
    await page.get_by_label("影响区域").click()
    await page.get_by_role("button", name="插入 {区域}").click()
    await page.get_by_label("开始时间").fill("2030年12月2日 09:00")
    await page.get_by_label(re.compile("^(结束|恢复)时间")).fill("2030年12月2日 18:00")
    await page.get_by_label("原因").fill("管网检修")
    await page.get_by_label("任务标题").fill("12月2日停水")
    await page.get_by_label("定时发送一次").check()
    await page.get_by_label("发送时间（北京时间）").fill("2030-12-01T09:00")
    await page.get_by_role("button", name="提交审核").click()
    await expect(page.get_by_text("等待另一人审核")).to_be_visible()

    address = page.url.partition("?")[0].removeprefix(console.base)
    approved = await reviewer.post(f"{address}/approval", {"revision": "1"})
    assert approved.status == 303

    await page.reload()  # the same screen, a day later
    await page.get_by_role("link", name="发布", exact=True).click()
    await expect(page.get_by_text("2030-12-01 09:00")).to_be_visible()
    await page.get_by_role("button", name="确认发布").click()
    await expect(page.get_by_text("待发送")).to_be_visible()
    await context.close()

    (made,) = (await console.ctx.lists.broadcasts(CITY)).items
    assert made.state == "scheduled"
    assert placeholders_in(*made.data.values()) == {"区域"}
    assert len({re.sub(r"^\w+://[^/]+", "", screen) for screen in screens}) <= MOST_SCREENS
