"""An alert's whole way, from the weather office to the citizen's phone, and its end."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.town import Town, open_town
from tests.support.triggers import Office

OPENID = "oAlertAAAAAAAAAAAAAAAAAAAAAA"
LATECOMER = "oLateAAAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture
async def town(settings, mongo, redis):
    async with open_town(
        settings.storage.data_dir,
        database=settings.mongo.database,
        port=settings.server.port,
        triggers={"alert": {"accounts": ["city"], "every": 0.3}},
    ) as opened:
        yield opened


async def cards(town: Town, openid: str) -> list[str]:
    """Return the texts of the template messages on a citizen's phone."""
    chat = await town.read("chat", account="city", openid=openid)
    return [str(entry) for entry in chat["entries"] if entry["kind"] == "card"]


async def shown(town: Town, openid: str, word: str, *, hurry: timedelta = timedelta()) -> None:
    """Wait until a card says it; `hurry` is how much the clock is put on at each look."""
    async with asyncio.timeout(60):
        while not any(word in card for card in await cards(town, openid)):
            town.clock.put_on(hurry)
            await asyncio.sleep(0.1)


async def follows(town: Town, openid: str, text: str) -> None:
    await town.control("citizen", account="city", openid=openid, name="测试市民")
    await town.act("follow", "city", openid)
    await town.says("city", openid, text)


async def test_a_red_alert_reaches_followers_in_its_region_and_its_end_only_them(town: Town):
    office = Office(town.http, f"{town.base}/sandbox/departments")
    await follows(town, OPENID, "订阅 天气预警 福田区")

    await office.news("weather", "document", xml="<alert", name="broken.xml")
    await office.news("weather", "issue", id="Y", status="Exercise", level="red")
    await office.news("weather", "issue", id="W", level="red")
    await shown(town, OPENID, "红色预警")
    await follows(town, LATECOMER, "订阅 天气预警 福田区")
    await office.news("weather", "cancel", id="W")
    await shown(town, OPENID, "已解除", hurry=timedelta(seconds=1))

    assert len(await cards(town, OPENID)) == 2
    assert await cards(town, LATECOMER) == []
