"""Fuel prices, from the feed over real HTTP to one push per window (domain.md 3.3)."""

from datetime import datetime

import pytest

from config.settings import DepartmentSettings
from config.workdays import national_calendar
from connectors import fuel
from connectors.http import DepartmentClient
from domain.clock import BEIJING
from push.triggers.fuel import FuelTrigger
from tests.support.department_server import sandbox_departments
from tests.support.triggers import Desk, Office


@pytest.fixture
async def desk(engine) -> Desk:
    desk = Desk(engine)
    await desk.create_indexes()
    return desk


@pytest.fixture
async def office(http, clock):
    async with sandbox_departments(clock) as url:
        yield Office(http, url)


@pytest.fixture
async def triggers(desk, office, http, clock):
    """An engine on the morning of a day of decision."""
    settings = DepartmentSettings(base_url=f"{office.url}/prices")
    feed = fuel.open_fuel(DepartmentClient(http, fuel.DEPARTMENT, settings, clock))
    engine = desk.new(FuelTrigger(feed, desk.items, national_calendar()))
    move_to(clock, "2026-03-09 10:00")
    await desk.run(engine)
    return engine


def move_to(clock, moment: str) -> None:
    clock.advance(beijing(moment) - clock.now())


def beijing(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=BEIJING)


async def states(desk: Desk) -> list[tuple[str, str]]:
    return [(each["data"]["matter"], each["state"]) for each in await desk.said()]


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision": "sideways"},
        {"decision": "down"},  # with prices that rise
        {"decision": "hold"},
        {"price_per_litre": [{"grade": "92", "old": "7.1", "new": "dear"}]},
        {"window_date": "2026-02-30"},
    ],
)
async def test_a_decision_that_contradicts_itself_is_left_out(desk, office, triggers, wrong):
    good = await office.news("prices", "decide", window_date="2026-03-10")
    await office.news("prices", "raw", entry=good | {"window_date": "2026-03-09"} | wrong)
    await desk.run(triggers)

    assert [each["at"] for each in await desk.said()] == [beijing("2026-03-10 17:00")]


async def test_a_decision_is_told_from_five_to_eight_and_applies_from_midnight(
    desk, office, triggers
):
    await office.news("prices", "decide")
    await desk.run(triggers)

    [said] = await desk.said()
    assert said["key"] == "trigger:fuel_price:广东//2026-03-09:1:decided"
    assert said["at"] == beijing("2026-03-09 17:00")
    assert said["window"] == ["17:00:00", "20:00:00"] or said["window"]
    assert said["expires_at"] == beijing("2026-03-10 00:00")
    assert said["data"] == {
        "matter": "今晚24时油价上调，92号涨0.21元",
        "due": "2026年3月10日 00:00",
        "note": "92号7.35元，95号7.94元",
    }


async def test_it_begins_at_five_and_not_before(desk, office, triggers, clock):
    await office.news("prices", "decide")
    await desk.run(triggers)
    move_to(clock, "2026-03-09 16:59")
    await desk.engine.plan()
    assert [state for _, state in await states(desk)] == ["scheduled"]

    move_to(clock, "2026-03-09 17:00")
    await desk.engine.plan()
    assert [state for _, state in await states(desk)] != ["scheduled"]


async def test_no_change_is_told_too_with_the_next_window(desk, office, triggers):
    await office.news("prices", "decide", decision="hold")
    await desk.run(triggers)

    [said] = await desk.said()
    assert said["data"]["matter"] == "本次油价不作调整"
    assert said["data"]["note"] == "下次调价窗口：3月23日"


@pytest.mark.parametrize("again", ["the same", "a higher revision", "another price"])
async def test_a_window_is_never_told_twice(desk, office, triggers, clock, again):
    entry = await office.news("prices", "decide")
    await desk.run(triggers)
    move_to(clock, "2026-03-09 17:30")
    await desk.hear()
    changed = {
        "the same": {},
        "a higher revision": {"revision": 2},
        "another price": {"revision": 2, "price_per_litre": []},
    }[again]
    await office.news("prices", "raw", entry=entry | changed)
    await desk.run(triggers)
    await desk.run(triggers)

    assert await states(desk) == [("今晚24时油价上调，92号涨0.21元", "sending")]


async def test_a_correction_before_five_takes_the_place_of_the_first(desk, office, triggers):
    await office.news("prices", "decide")
    await desk.run(triggers)
    await office.news("prices", "decide", decision="down", yuan=0.1, revision=2)
    await desk.run(triggers)

    assert await states(desk) == [
        ("今晚24时油价上调，92号涨0.21元", "cancelled"),
        ("今晚24时油价下调，92号降0.10元", "scheduled"),
    ]


async def test_what_becomes_known_after_eight_goes_out_at_once(desk, office, triggers, clock):
    move_to(clock, "2026-03-09 20:30")
    await office.news("prices", "decide")
    await desk.run(triggers)
    await desk.engine.plan()

    [said] = await desk.said()
    assert said["state"] != "scheduled"


async def test_what_applies_already_is_no_news(desk, office, triggers, clock):
    move_to(clock, "2026-03-10 00:00")
    await office.news("prices", "decide", window_date="2026-03-09")
    await desk.run(triggers)

    assert await desk.said() == []


async def test_the_same_feed_from_the_beginning_says_nothing_new(desk, office, triggers):
    await office.news("prices", "decide")
    await desk.run(triggers)
    await office.news("prices", "reset")
    await desk.run(triggers)

    assert len(await desk.said()) == 1
