"""What the looks find: in broadcasts, in the engine's overview, in feeds, at departments."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.conditions import Conditions
from domain.ids import AccountId
from domain.overview import AccountView, Overview
from storage.mongo.triggers import MongoTriggers
from storage.mongo.troubles import MongoTroubles

CITY, PLAIN = AccountId("city"), AccountId("plain")


@dataclass
class Engine:
    """An overview as a test wants it."""

    views: list[AccountView] = field(default_factory=list)

    async def cached(self) -> Overview:
        return Overview(at=datetime.now(UTC), accounts=tuple(self.views))


@dataclass
class Doors:
    """Departments that are left alone."""

    shut: list[str] = field(default_factory=list)

    async def ask(self, now: datetime) -> list[str]:
        return self.shut


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def conditions(mongo, clock, engine, doors) -> Conditions:
    return Conditions(
        MongoTroubles(mongo),
        engine,
        MongoTriggers(mongo),
        (CITY, PLAIN),
        [(CITY, "alert")],
        clock,
        shut=doors.ask,
    )


async def broadcast(mongo, clock, number: int, **fields: Any) -> None:
    await mongo.broadcasts.insert_one(
        {
            "_id": f"bc_{number}",
            "account": "city",
            "kind": "broadcast",
            "title": f"任务{number}",
            "author": "console:wang",
            "created_at": clock.now() - timedelta(days=2),
            "finished_at": None,
            "reason": "",
            **fields,
        }
    )


async def test_what_failed_today_and_what_paused_itself_is_found(conditions, mongo, clock):
    now = clock.now()
    await broadcast(mongo, clock, 1, state="failed", finished_at=now, reason="missed")
    await broadcast(mongo, clock, 2, state="failed", finished_at=now - timedelta(hours=25))
    await broadcast(mongo, clock, 3, state="paused", by_itself=True, reason="config")
    await broadcast(mongo, clock, 4, state="paused", by_itself=False)
    await broadcast(mongo, clock, 5, state="failed", finished_at=now, kind="notice")

    failed, paused = await conditions.failed(), await conditions.paused()

    assert [(each.what, each.detail, each.account) for each in failed + paused] == [
        ("broadcast.failed|bc_1", "missed", CITY),
        ("broadcast.paused|bc_3", "config", CITY),
    ]


async def test_four_fifths_of_the_quota_and_dead_batches_are_found(conditions, engine):
    engine.views = [
        AccountView(account=CITY, batches={"dead": 2}, used_today=800, quota=1000),
        AccountView(account=PLAIN, batches={"dead": 0}, used_today=799, quota=1000),
        AccountView(account=AccountId("both"), batches={}, used_today=10**9, quota=None),
    ]

    found = await conditions.engine()

    assert [(each.kind, each.account) for each in found] == [
        ("quota.high", CITY),
        ("batches.dead", CITY),
    ]


async def test_a_feed_that_fails_for_a_quarter_of_an_hour_is_silent(conditions, mongo, clock):
    row = {
        "account": "city", "next_at": clock.now(), "last_error": "TimeoutError", "refused": 0,
        "last_ok": clock.now() - timedelta(minutes=14), "failures": 3,
    }  # fmt: skip
    await mongo.triggers.insert_many(
        [
            row | {"_id": "city|alert", "trigger": "alert"},
            row | {"_id": "city|fuel", "trigger": "fuel", "last_ok": None},  # not in the settings
        ]
    )
    in_time = await conditions.feeds()
    clock.advance(timedelta(minutes=2))

    found = await conditions.feeds()

    assert in_time == []
    assert [each.what for each in found] == ["feed.silent|city|alert"]


async def test_a_department_is_down_when_it_was_left_alone_for_five_minutes(
    conditions, doors, clock
):
    doors.shut = ["公积金中心"]
    first = await conditions.departments()
    clock.advance(timedelta(minutes=5))
    found = await conditions.departments()
    doors.shut = []
    await conditions.departments()
    doors.shut = ["公积金中心"]
    again = await conditions.departments()

    assert (first, again) == ([], [])
    assert [(each.subject, each.account) for each in found] == [("公积金中心", None)]
