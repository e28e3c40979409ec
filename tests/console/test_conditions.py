"""What the looks find: in broadcasts, in the engine's overview, in feeds, at departments."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.conditions import Conditions, shut_departments
from domain.figures import day_of, minute_of
from domain.ids import AccountId
from domain.overview import AccountView, Overview
from storage.mongo.ledger import MongoLedger
from storage.mongo.triggers import MongoTriggers
from storage.mongo.troubles import MongoTroubles
from storage.redis.department_health import DepartmentHealth

MISSED = "missed: due at 2026-11-24T01:00:00+00:00, looked at 2026-11-24T03:30:00+00:00"
MISSED_IN_WORDS = (
    "没有按时发送：计划 2026-11-24 09:00，2026-11-24 11:30 才轮到，超过了允许的推迟时间"
)
CITY, PLAIN = AccountId("city"), AccountId("plain")


@dataclass
class Engine:
    """An overview as a test wants it."""

    views: list[AccountView] = field(default_factory=list)
    at: datetime = datetime(2026, 11, 24, 1, tzinfo=UTC)

    async def cached(self) -> Overview:
        return Overview(at=self.at, accounts=tuple(self.views))


@dataclass
class Doors:
    """Departments that are left alone."""

    shut: dict[str, datetime] = field(default_factory=dict)

    async def ask(self, now: datetime) -> dict[str, datetime]:
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
    await broadcast(mongo, clock, 1, state="failed", finished_at=now, reason=MISSED)
    await broadcast(mongo, clock, 2, state="failed", finished_at=now - timedelta(hours=25))
    await broadcast(mongo, clock, 3, state="paused", by_itself=True, reason="config")
    await broadcast(mongo, clock, 4, state="paused", by_itself=False)
    await broadcast(mongo, clock, 5, state="failed", finished_at=now, kind="notice")

    failed, paused = await conditions.failed(), await conditions.paused()

    assert [(each.what, each.detail, each.account) for each in failed + paused] == [
        ("broadcast.failed|bc_1", MISSED_IN_WORDS, CITY),
        ("broadcast.paused|bc_3", "config", CITY),
    ]


async def test_notices_and_digests_that_paused_themselves_are_told_of_as_one(
    conditions, mongo, clock
):
    banned, busy = "template or data refused: 43116", "2 of 3 messages failed, last: 45009"
    for number, kind, reason in (
        (1, "notice", busy), (2, "notice", banned), (3, "digest", banned), (4, "broadcast", busy),
    ):  # fmt: skip
        await broadcast(
            mongo, clock, number, kind=kind, state="paused", by_itself=True, reason=reason
        )
    await broadcast(mongo, clock, 5, kind="notice", state="paused", by_itself=False)
    await broadcast(mongo, clock, 6, kind="notice", state="sending", by_itself=True)

    found = await conditions.paused_notices()

    assert [(each.what, each.subject, each.detail, each.account) for each in found] == [
        ("notices.paused|city", "个人通知：3 条", "微信不接受这个模板或内容：43116", CITY)
    ]


async def test_four_fifths_of_the_quota_are_found_for_the_day_they_were_counted_on(
    conditions, engine, clock
):
    engine.at = datetime(2026, 11, 24, 15, 59, 58, tzinfo=UTC)  # just before midnight in Beijing
    clock.set(engine.at + timedelta(seconds=4))
    engine.views = [
        AccountView(account=CITY, batches={}, used_today=800, quota=1000),
        AccountView(account=PLAIN, batches={}, used_today=799, quota=1000),
        AccountView(account=AccountId("both"), batches={}, used_today=10**9, quota=None),
    ]

    found = await conditions.engine()

    of_that_day = minute_of(day_of(engine.at))
    assert [(each.kind, each.what) for each in found] == [
        ("quota.high", f"quota.high|city|{of_that_day}")
    ]


async def test_each_broadcast_with_dead_batches_is_told_of_and_all_notices_as_one(
    conditions, mongo, clock
):
    await mongo[MongoLedger.collection].create_indexes(list(MongoLedger.indexes))
    for number, kind in ((1, "broadcast"), (2, "broadcast"), (3, "notice"), (4, "digest")):
        await broadcast(mongo, clock, number, state="paused", kind=kind)
        await mongo[MongoLedger.collection].insert_many(
            {"_id": f"bc_{number}:{seq}", "broadcast": f"bc_{number}", "account": "city",
             "state": state, "seq": seq}
            for seq, state in enumerate(("dead", "dead", "done"))
        )  # fmt: skip

    found = await conditions.dead()

    assert [(each.what, each.subject, each.detail, each.link) for each in found] == [
        ("batches.dead|bc_1", "任务1", "2 个批次", "broadcasts/bc_1"),
        ("batches.dead|bc_2", "任务2", "2 个批次", "broadcasts/bc_2"),
        ("batches.dead|city", "个人通知：4 个批次", "python run.py push dead", ""),
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


async def test_a_department_is_down_when_it_was_asked_in_vain_for_five_minutes(
    conditions, doors, clock
):
    doors.shut = {"公积金中心": clock.now()}
    first = await conditions.departments()
    clock.advance(timedelta(minutes=5))
    untried = await conditions.departments()
    doors.shut = {"公积金中心": clock.now()}
    found = await conditions.departments()
    doors.shut = {}
    await conditions.departments()
    doors.shut = {"公积金中心": clock.now()}
    again = await conditions.departments()

    assert (first, untried, again) == ([], [], [])
    assert [(each.subject, each.account) for each in found] == [("公积金中心", None)]


async def test_a_breaker_that_nobody_tries_any_more_is_no_incident_for_ever(redis, clock):
    health, began = DepartmentHealth(redis), clock.now()
    doors = {"fund|query|住房公积金": ("probing", began)}

    async def shut_at(minutes: int) -> dict[str, datetime]:
        now = began + timedelta(minutes=minutes)
        await health.add("host:1", now, {}, [], doors)
        return await shut_departments(health, now)

    assert await shut_at(9) == {"住房公积金": began}
    assert await shut_at(10) == {}
