"""The main story on the phone page: a citizen follows, asks, binds, subscribes, is notified."""

from datetime import timedelta

import pytest
from playwright.async_api import Locator, Page, expect

from sandbox.world import DEMO_CITIZENS
from tests.support.town import Town
from tests.support.waiting import delivered

CHEN, LI, _ = DEMO_CITIZENS
QUERIES = {  # the menu's entry → what its answer must speak of
    "社保查询": "实名",
    "医保查询": "实名",
    "公积金查询": "实名",
    "违章查询": "车牌",
    "停水停电停气": "停水",
}
ANSWERED = {
    "社保查询": "社保",
    "医保查询": "医保",
    "公积金查询": "公积金",
    "违章查询": "粤B****5",
}
HOTLINES = {"社保查询": "12333", "医保查询": "12393", "公积金查询": "12329", "违章查询": "12123"}


def phone(page: Page, openid: str = CHEN) -> Locator:
    return page.locator(f'.phone[data-openid="{openid}"]')


def last_answer(page: Page) -> Locator:
    return phone(page).locator(".bubble.from-account").last


async def answers(page: Page) -> int:
    return await phone(page).locator(".bubble.from-account").count()


async def tap(page: Page, top: str, entry: str) -> None:
    """Open a menu button, tap its entry, and wait for the answer."""
    before = await answers(page)
    await phone(page).get_by_role("button", name=top, exact=True).click()
    await phone(page).get_by_role("button", name=entry, exact=True).click()
    await expect(phone(page).locator(".bubble.from-account")).to_have_count(before + 1)


async def say(page: Page, text: str) -> None:
    """Write a text and wait for the answer."""
    before = await answers(page)
    await phone(page).locator("input[name=text]").fill(text)
    await phone(page).get_by_role("button", name="发送").click()
    await expect(phone(page).locator(".bubble.from-account")).to_have_count(before + 1)


@pytest.mark.browser
async def test_a_citizen_is_served_and_notified_on_the_phone(page: Page, town: Town):
    await phone(page).get_by_role("button", name="关注", exact=True).click()
    await expect(phone(page).locator(".bubble.from-account")).to_have_count(1)

    for entry, word in QUERIES.items():  # nothing is bound yet: each says what it needs
        await tap(page, "查询", entry)
        await expect(last_answer(page)).to_contain_text(word)

    await say(page, "退出")
    await say(page, "实名绑定")
    await say(page, "1")  # 同意
    await say(page, "王芳")
    await say(page, "990101198805120024")
    await expect(last_answer(page)).to_contain_text("王*")

    await say(page, "绑定车辆")
    await say(page, "粤b·12345")
    await say(page, "1")  # 小型汽车
    await say(page, "1234")
    await expect(last_answer(page)).to_contain_text("粤B****5")

    for entry, word in ANSWERED.items():
        await tap(page, "查询", entry)
        await expect(last_answer(page)).to_contain_text(word)
        await expect(last_answer(page)).to_contain_text(HOTLINES[entry])

    await say(page, "订阅 停水 福田区")
    await expect(last_answer(page)).to_contain_text("福田区")
    await say(page, "停水 福田区")
    await expect(last_answer(page)).to_contain_text("停水")

    headers = await town.key("city", "broadcasts:publish")
    status, made = await town.post("broadcasts", order(town), headers)
    assert status == 201

    card = phone(page).locator(".card")
    await expect(card).to_have_count(1, timeout=15_000)
    await expect(card).to_contain_text("福田区园岭街道")
    await expect(phone(page, LI).locator(".card")).to_have_count(0)
    counts = await delivered(town, made["id"], headers)
    assert (counts["audience"], counts["sent"], counts["delivered"]) == (1, 1, 1)
    assert "990101198805120024" not in await last_answer(page).inner_text()


@pytest.mark.browser
async def test_the_story_fits_a_small_phone(page: Page, town: Town):
    await page.set_viewport_size({"width": 360, "height": 740})

    await phone(page).get_by_role("button", name="关注", exact=True).click()
    await expect(phone(page).locator(".bubble.from-account")).to_have_count(1)
    await tap(page, "查询", "违章查询")

    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


def order(town: Town) -> dict[str, object]:
    """A broadcast to the district, two seconds ahead."""
    return {
        "account": "city",
        "title": "福田停水",
        "topic": "outage.water",
        "audience": {"topics": ["outage.water"], "regions": ["440304"]},
        "template": "outage_notice",
        "data": {
            "area": "福田区园岭街道",
            "start": "2026年12月1日 09:00",
            "end": "2026年12月1日 17:00",
            "reason": "管道检修",
        },
        "at": (town.ctx.clock.now() + timedelta(seconds=2)).isoformat(),
        "idempotency_key": "browser-1",
    }
