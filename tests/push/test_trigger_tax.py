"""Tax reminders: five days before, two days before, on the last day, at nine (domain.md 3.4)."""

from datetime import date, datetime, timedelta

import pytest

from config.tax_calendar import load_tax_calendar
from domain.clock import BEIJING
from domain.tax_calendar import TaxDeadline
from push.triggers.tax import TaxTrigger
from tests.support.triggers import Desk


@pytest.fixture
async def desk(engine) -> Desk:
    desk = Desk(engine)
    await desk.create_indexes()
    return desk


@pytest.fixture
def triggers(desk):
    return desk.new(TaxTrigger(load_tax_calendar()))


def beijing(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=BEIJING)


async def run_at(desk: Desk, triggers, moment: str) -> list[str]:
    clock = desk.engine.clock
    clock.advance(beijing(moment) - clock.now())
    await desk.run(triggers)
    return await desk.phases()


async def test_reminders_come_on_three_days_only(desk, triggers):
    told = {}
    for day in range(8, 18):
        before = len(await desk.phases())
        told[day] = (await run_at(desk, triggers, f"2026-12-{day:02} 09:01"))[before:]

    assert {day: phases for day, phases in told.items() if phases} == {
        10: ["D-5"],
        13: ["D-2"],
        15: ["D-0"],
    }


async def test_a_reminder_is_scheduled_for_nine_sharp(desk, triggers):
    assert await run_at(desk, triggers, "2026-12-10 07:55") == []

    assert await run_at(desk, triggers, "2026-12-10 08:30") == ["D-5"]
    [said] = await desk.said()
    assert said["at"] == beijing("2026-12-10 09:00")
    assert said["expires_at"] == beijing("2026-12-10 20:00")
    assert said["data"] == {
        "matter": "按月申报纳税",
        "due": "2026年12月15日",
        "note": "还有5天，请提前准备",
    }
    await desk.engine.plan()
    assert (await desk.said())[0]["state"] == "scheduled"


async def test_a_missed_reminder_goes_out_later_the_same_day_but_not_the_next(desk, triggers):
    assert await run_at(desk, triggers, "2026-12-10 20:00") == []

    assert await run_at(desk, triggers, "2026-12-13 15:00") == ["D-2"]
    await desk.engine.plan()
    assert (await desk.said())[0]["state"] != "scheduled"


async def test_running_twice_and_in_two_processes_reminds_once(desk, triggers):
    await run_at(desk, triggers, "2026-12-15 08:59")
    await desk.run(desk.new(TaxTrigger(load_tax_calendar())))

    assert await run_at(desk, triggers, "2026-12-15 09:30") == ["D-0"]


async def test_deadlines_of_one_day_are_one_reminder(desk):
    day = date(2026, 12, 15)
    deadlines = [
        TaxDeadline(
            key=key, day=day, title=title, kinds=("vat",), provisional=number > 1, source=""
        )
        for number, (key, title) in enumerate(
            [("a", "按月申报纳税"), ("b", "按季申报纳税"), ("c", "企业所得税汇算清缴")]
        )
    ]

    class Calendar:
        def deadlines(self, first: date, last: date) -> list[TaxDeadline]:
            assert last - first < timedelta(days=10)
            return deadlines

    assert await run_at(desk, desk.new(TaxTrigger(Calendar())), "2026-12-15 09:00") == ["D-0"]
    [said] = await desk.said()
    assert said["data"]["matter"] == "按月申报纳税等3项"
    assert said["data"]["note"] == "推算日期，以税务通知为准"
