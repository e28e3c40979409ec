"""The departments' pages: health of all processes, and the notice that citizens read at once."""

import json
from datetime import timedelta

import pytest

from connectors.asking import asking_for
from domain.clock import in_beijing
from domain.ids import AccountId, RegionCode
from domain.maintenance import UnderMaintenance
from tests.support.console import Console

PAGE = "/admin/a/city/departments"


@pytest.fixture
async def manager(console: Console):
    return await console.as_(("account_manager",))


def hours_on(clock, hours: int) -> str:
    return f"{in_beijing(clock.now() + timedelta(hours=hours)):%Y-%m-%dT%H:%M}"


async def test_what_departments_answered_is_seen(console, manager):
    for _ in range(2):  # nobody listens there
        with pytest.raises(Exception, match="供水部门"):
            await console.ctx.departments.utilities.outages("water", RegionCode("440304"))
    await console.ctx.department_desk.tick()

    overview = await manager.get(PAGE)
    page = await manager.get(f"{PAGE}/utilities")
    plot = json.loads((await manager.get(f"{PAGE}/utilities/latency.json")).text)

    assert "2 次，失败 2 次" in overview.text
    assert "没有按时回答" in page.text
    assert len(plot["x"]) == len(plot["series"][0]["values"]) == 60
    assert plot["series"][1]["values"][-1] is not None
    assert (await manager.get(f"{PAGE}/nobody")).status == 404


async def test_a_notice_is_put_up_read_by_citizens_and_taken_down(console, manager, clock):
    form = {"ends_at": hours_on(clock, 2), "sentence": "供水系统<b>升级</b>，暂时不能查询。"}
    put = await manager.post(f"{PAGE}/utilities/notice", form)
    page = await manager.get(f"{PAGE}/utilities")

    with asking_for(AccountId("city")), pytest.raises(UnderMaintenance) as told:
        await console.ctx.departments.utilities.outages("water", RegionCode("440304"))
    ended = await manager.post(f"{PAGE}/utilities/notice/end")
    again = await manager.post(f"{PAGE}/utilities/notice/end")

    assert (put.status, ended.status, again.status) == (303, 303, 404)
    assert "供水系统&lt;b&gt;升级" in page.text
    assert "暂时不能查询" in told.value.say
    assert "12:00 恢复" in told.value.say
    wanted = {"outcome": "done", "action": {"$regex": "^maintenance"}}
    found = console.ctx.stores.database["audit"].find(wanted).sort("_id", 1)
    assert [e["action"] async for e in found] == ["maintenance.put", "maintenance.end"]


async def test_a_wrong_notice_is_refused_beside_its_field(console, manager, clock):
    for change, field in (
        ({"sentence": ""}, "f-sentence"),
        ({"sentence": "x" * 1_000_000}, "f-sentence"),
        ({"ends_at": "2026-02-31T99:00"}, "f-ends_at"),
        ({"ends_at": "2020-01-01T00:00"}, "f-ends_at"),
        ({"starts_at": "{'$gt': ''}"}, "f-starts_at"),
    ):
        form = {"ends_at": hours_on(clock, 2), "sentence": "升级。"} | change

        answer = await manager.post(f"{PAGE}/utilities/notice", form)

        assert answer.status == 422
        assert f'id="{field}-error"' in answer.text
    assert await console.ctx.maintenance.of(AccountId("city")) == {}


async def test_a_desk_agent_sees_the_health_and_puts_up_nothing(console, clock):
    agent = await console.as_(("desk",))
    form = {"ends_at": hours_on(clock, 2), "sentence": "升级。"}

    assert (await agent.get(PAGE)).status == 200
    assert (await agent.post(f"{PAGE}/utilities/notice", form)).status == 403
