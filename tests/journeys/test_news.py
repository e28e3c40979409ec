"""Departments' news reach citizens without a person: the whole service with triggers on."""

import asyncio

import pytest

from tests.support.town import Town, open_town
from tests.support.triggers import Office

OPENID = "oNewsAAAAAAAAAAAAAAAAAAAAAAA"
TRIGGERS = {
    "outage": {"accounts": ["city"], "every": 0.3},
    "violation": {"accounts": ["city"], "every": 0.5},
}


@pytest.fixture
async def town(settings, mongo, redis):
    async with open_town(
        settings.storage.data_dir,
        database=settings.mongo.database,
        port=settings.server.port,
        triggers=TRIGGERS,
    ) as opened:
        yield opened


async def until(condition, *, within: float = 30.0):
    """Wait until an awaited condition gives something true, and return that."""
    async with asyncio.timeout(within):
        while not (found := await condition()):  # noqa: ASYNC110 it happens in the service
            await asyncio.sleep(0.1)
    return found


async def cards(town: Town) -> list[str]:
    """Return the texts of the template messages on the citizen's phone."""
    chat = await town.read("chat", account="city", openid=OPENID)
    return [str(entry) for entry in chat["entries"] if entry["kind"] == "card"]


async def test_an_interruption_is_announced_and_its_end_told(town: Town):
    office = Office(town.http, f"{town.base}/sandbox/departments")
    await town.control("citizen", account="city", openid=OPENID, name="测试市民")
    await town.act("follow", "city", OPENID)
    await town.says("city", OPENID, "订阅 停水 福田区")

    async def looked() -> bool:
        rows = {row.trigger: row for row in await town.ctx.stores.triggers.rows()}
        return "outage" in rows and rows["outage"].last_ok is not None

    await until(looked)
    await office.news("utilities", "announce", id="A", in_hours=1, region="440304")

    async def heard(word: str) -> bool:
        return any(word in card for card in await cards(town))

    await until(lambda: heard("停水：园岭街道"))
    await office.news("utilities", "restore", id="A")
    await until(lambda: heard("园岭街道恢复供水，先放水2-3分钟"))

    assert len(await cards(town)) == 2


async def test_a_new_violation_of_a_bound_vehicle_is_told_with_the_plate_masked(town: Town):
    office = Office(town.http, f"{town.base}/sandbox/departments")
    await town.control("citizen", account="city", openid=OPENID, name="测试市民")
    await town.act("follow", "city", OPENID)
    await town.says("city", OPENID, "绑定车辆 粤B88888 02 6666")
    await town.says("city", OPENID, "订阅 交通违法")

    async def has_baseline() -> bool:
        row = await town.ctx.stores.database["vehicle_watch"].find_one()
        return bool(row and row["seen"] is not None)

    await until(has_baseline, within=60)
    await office.news("traffic", "violate", plate="粤B88888")
    [card] = await until(lambda: cards(town), within=60)

    assert "粤B****8" in card
    assert "新增1条" in card
