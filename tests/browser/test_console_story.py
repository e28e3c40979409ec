"""The whole story of a broadcast in the console, with two people and five thousand followers.

Written, previewed, submitted; its author cannot approve it; the reviewer can; an edit makes that
void; approved again, published, watched to its end without reloading, paused and resumed in the
middle; its report opened and exported.
"""

import re
import zipfile
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect
from redis.asyncio import Redis

from config.settings import Settings
from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subscriber, Subscription
from storage.mongo.keys import Marks
from storage.mongo.papers import subscriber_fields
from tests.support.town import Town, open_town

FOLLOWERS = 5_000
PER_SECOND = 900  # so that there is a middle to pause in
SENT = '[data-number="sent"]'
HUNDREDS = re.compile(r"^([4-9]\d\d|\d,\d{3})$")
CITY = AccountId("city")
MESSAGE = {
    "data.area": "福田区园岭街道",
    "data.start": "2026年12月1日 09:00",
    "data.end": "2026年12月1日 18:00",
    "data.reason": "管网检修",
    "title": "12月1日园岭街道停水",
}


@pytest.fixture
async def town(settings: Settings, mongo: object, redis: Redis) -> AsyncIterator[Town]:
    """A town of five thousand followers of the topic, and a pace that can be watched."""
    async with open_town(
        settings.storage.data_dir,
        database=settings.mongo.database,
        port=settings.server.port,
        push={"lease_seconds": 5, "quiet_hours": "", "per_second": PER_SECOND},
    ) as opened:
        openids = [f"oStory{number:022d}" for number in range(FOLLOWERS)]
        opened.world.add_openids("city", openids)
        people = [_person(OpenId(openid)) for openid in openids]
        await opened.ctx.stores.database["subscribers"].insert_many(people)
        # most receipts go astray: each is a callback, and they are not what is looked at here
        await opened.control("receipts", account="city", lost=0.9)
        yield opened


def _person(openid: OpenId) -> dict[str, object]:
    subscriber = Subscriber(
        account=CITY,
        openid=openid,
        following=True,
        subscriptions=(Subscription(topic=TopicId("outage.water")),),
    )
    known = {"account": CITY, "openid": openid, "following": True, "reachable": True}
    return {"_id": f"{CITY}:{openid}", **known, **subscriber_fields(subscriber, Marks())}


@pytest.mark.browser
async def test_two_people_bring_a_broadcast_to_five_thousand_followers(console_page):
    author = await console_page(("editor", "reviewer"), name="张编辑")
    reviewer = await console_page(("reviewer", "publisher"), name="李审核")

    address = await _written_and_submitted(author)
    await author.goto(f"{address}/review")
    await expect(author.get_by_text("请由另一人审核")).to_be_visible()
    await expect(author.get_by_role("button", name="通过第")).to_have_count(0)

    await _approved(reviewer, address)
    await expect(reviewer.locator(".broadcast-state")).to_contain_text("已通过")
    await _edited(author, address)
    await reviewer.reload()
    await expect(reviewer.locator(".broadcast-void").first).to_contain_text("已失效")
    await expect(reviewer.get_by_role("link", name="发布", exact=True)).to_have_count(0)

    await reviewer.get_by_role("link", name="审核与修改对照").click()
    await expect(reviewer.locator(".broadcast-change ins").first).to_contain_text("抢")
    await _approved(reviewer, address)

    await _confirmed(reviewer, "发布")
    await reviewer.evaluate("window.isStillThere = true")
    await expect(reviewer.locator(SENT)).to_have_text(HUNDREDS, timeout=60_000)
    assert await reviewer.evaluate("window.isStillThere")  # the numbers came by themselves
    await _confirmed(reviewer, "暂停")
    await expect(reviewer.locator(".broadcast-state")).to_contain_text("已暂停")
    assert HUNDREDS.match(held := await reviewer.locator(SENT).inner_text())
    assert held != f"{FOLLOWERS:,}"

    await _confirmed(reviewer, "继续发送")
    await reviewer.evaluate("window.isStillThere = true")
    await expect(reviewer.locator(".broadcast-state")).to_contain_text("已完成", timeout=90_000)
    await expect(reviewer.locator(SENT)).to_have_text(f"{FOLLOWERS:,}")
    assert await reviewer.evaluate("window.isStillThere")

    await reviewer.get_by_role("link", name="发送报告").click()
    await expect(reviewer.locator(".chart svg").first).to_be_visible()
    await expect(reviewer.locator(".broadcast-numbers")).to_contain_text(f"{FOLLOWERS:,}")
    assert await _exported(reviewer) == FOLLOWERS


async def _written_and_submitted(page: Page) -> str:
    """Write a broadcast, look at it on the phone, submit it; returns its address."""
    await page.goto("/admin/a/city/broadcasts")
    await page.get_by_role("link", name="新建群发").click()
    await page.locator('[name="template"]').select_option("outage_notice")
    await page.locator('[name="topic"]').select_option("outage.water")
    for name, text in MESSAGE.items():
        await page.locator(f'[name="{name}"]').fill(text)
    await expect(page.locator(".compose-phone")).to_contain_text("福田区园岭街道")
    await page.get_by_role("button", name="提交审核").click()
    await expect(page.locator(".broadcast-state")).to_contain_text("待审核")
    return page.url.partition("?")[0]


async def _approved(page: Page, address: str) -> None:
    await page.goto(f"{address}/review")
    await page.get_by_role("button", name="通过第").click()
    await page.wait_for_url(address)


async def _edited(page: Page, address: str) -> None:
    await page.goto(address)
    await page.get_by_role("link", name="修改", exact=True).click()
    await page.locator('[name="data.reason"]').fill("管网抢修")
    await page.get_by_role("button", name="提交审核").click()
    await expect(page.locator(".broadcast-state")).to_contain_text("待审核")


async def _confirmed(page: Page, what: str) -> None:
    """Press a switch, read what it would do, and confirm."""
    await page.get_by_role("link", name=what, exact=True).click()
    await page.get_by_role("button", name=f"确认{what}").click()
    await expect(page.locator("#broadcast-live")).to_be_visible()


async def _exported(page: Page) -> int:
    """Export the report as a spreadsheet and return how many people its list has, masked."""
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="导出 XLSX").click()
    download = await waiting.value
    with zipfile.ZipFile(await download.path()) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert "oStory0" not in content
    return content.count("oSto…")
