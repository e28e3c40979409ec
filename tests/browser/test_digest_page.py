"""A digest from the notice to the page behind its message, on a small phone."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subscription
from sandbox.world import DEMO_CITIZENS
from tests.support.town import Town
from tests.support.waiting import cards

CITY = AccountId("city")
CHEN = OpenId(next(iter(DEMO_CITIZENS)))
FINES, FUND = TopicId("traffic.violation"), TopicId("fund.balance")


@pytest.fixture
async def address(town: Town) -> str:
    """The link in the digest of somebody with two fines and a housing-fund entry."""
    await town.act("follow", "city", CHEN)
    await town.ctx.bindings.bind_vehicle(CITY, CHEN, "粤B12345", "02", "1234")
    await town.ctx.bindings.bind_real_name(CITY, CHEN, "陈静", "990101198805120024", "test")
    for topic, subject in ((FINES, "vehicle"), (FUND, "person")):
        item = Subscription(topic=topic, subject=subject, mode="daily")
        await town.ctx.subscriptions.subscribe(CITY, CHEN, item)
    headers = await town.key("city", "notices:write")
    for number, place in enumerate(("深南大道香蜜湖路口", "滨河大道上步立交")):
        status, answer = await town.post("notices", fine(number, place), headers)
        assert (status, answer) == (202, {"matched": 1})
    await town.post("notices", entry(), headers)
    now = town.ctx.clock.now()
    await town.ctx.stores.database["digest_items"].update_many({}, {"$set": {"due_at": now}})

    (card,) = await cards(town, "city", CHEN)
    return str(card["url"])


@pytest.mark.browser
async def test_the_page_lists_everything_masked_and_fits_a_small_phone(
    page: Page, town: Town, address: str, tmp_path: Path
):
    await page.set_viewport_size({"width": 360, "height": 740})

    await page.goto(address)

    await expect(page.get_by_role("listitem")).to_have_count(3)
    await expect(page.get_by_role("heading", level=2)).to_have_text(
        ["交通违法提醒", "交通违法提醒", "公积金变动"]
    )
    text = await page.locator("main").inner_text()
    assert "粤B****5" in text
    assert "****6789" in text
    assert "12345123456789" not in text
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.screenshot(path=tmp_path / "digest.png", full_page=True)


@pytest.mark.browser
async def test_large_print_is_large_and_still_fits(page: Page, town: Town, address: str):
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(address)

    await page.get_by_role("link", name="大字版").click()

    size = await page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('dd')).fontSize)"
    )
    assert size >= 30
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.browser
async def test_a_citizen_finds_it_again_in_the_history(
    page: Page, town: Town, address: str, tmp_path: Path
):
    await page.set_viewport_size({"width": 360, "height": 740})
    answer = await town.says("city", CHEN, "我的通知")

    await page.goto(answer.split('<a href="')[1].split('"')[0])

    await expect(page.get_by_role("heading", level=2)).to_have_text("交通违法提醒 2 条、公积金变动")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.screenshot(path=tmp_path / "history.png", full_page=True)


def fine(number: int, place: str) -> dict[str, object]:
    return {
        "account": "city",
        "topic": FINES,
        "subject": {"kind": "vehicle", "value": "粤B12345", "plate_type": "02"},
        "template": "violation_notice",
        "data": {
            "time": f"2026-11-2{number} 08:12",
            "place": place,
            "act": "违反禁止标线指示",
            "fine": "200元",
        },
        "event_id": f"fine-{number}",
    }


def entry() -> dict[str, object]:
    return {
        "account": "city",
        "topic": FUND,
        "subject": {"kind": "person", "value": "990101198805120024"},
        "template": "balance_notice",
        "data": {
            "account": "12345123456789",
            "change": "汇缴",
            "balance": "88123.45元",
            "time": "2026-11-24 08:00",
        },
        "event_id": "fund-1",
    }
