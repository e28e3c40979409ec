"""What is due begins once, on time, and recurring plans make one child per planned time."""

import asyncio
import time
from datetime import timedelta

import pytest

from domain.broadcast import Counts
from domain.ids import BroadcastId
from domain.recurrence import Recurrence
from push.planner import Planner
from push.recurrences import recurrence
from tests.support.platform import Platform
from tests.support.push import Engine, FlowingClock, until


async def _has_arrivals(platform: Platform) -> bool:
    return bool(platform.arrivals)


async def _children(engine: Engine, plan: BroadcastId) -> list[tuple[str, str]]:
    found = await engine.store.list_children(
        plan, ["scheduled", "sending", "finished", "failed", "cancelled", "paused"]
    )
    return [(child.planned_at.isoformat(), child.state) for child in found]


async def test_the_first_send_is_within_two_seconds_of_the_planned_time(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await engine.follow(30)
    await engine.order(at=clock.now() + timedelta(seconds=1))
    planned = time.monotonic() + 1.0

    async with engine.working():
        await until(lambda: _has_arrivals(platform))

    assert planned <= platform.arrivals[0] < planned + 2.0


async def test_a_plan_makes_one_child_per_planned_time_whoever_ticks(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await engine.follow(3)
    plan = await engine.order(cron="0 12 * * *")
    clock.advance(timedelta(hours=2))  # noon
    other = engine.new_planner()

    await asyncio.gather(engine.planner.tick(), other.tick(), engine.planner.tick())

    assert await _children(engine, plan) == [("2026-11-24T04:00:00+00:00", "sending")]
    found = await engine.find(plan)
    assert found.due_at.isoformat() == "2026-11-25T04:00:00+00:00"


async def test_a_plan_that_cannot_be_looked_at_keeps_no_other_one_waiting(
    engine: Engine, clock: FlowingClock
):
    await engine.follow(3)
    await engine.order(cron="0 12 * * *")
    plan = await engine.order(cron="5 12 * * *")
    once = await engine.order(at=clock.now() + timedelta(hours=2, minutes=6))
    clock.advance(timedelta(hours=2, minutes=10))

    def read(text: str) -> Recurrence:
        if text.startswith("0 "):
            raise RuntimeError("its calendar cannot be read")
        return recurrence(text)

    planner = Planner(engine.store, engine.fanout, clock, quiet_hours=None, read=read)
    await planner.tick()
    await planner.settle()

    assert [state for _, state in await _children(engine, plan)] == ["sending"]
    assert await engine.state(once) == "sending"


async def test_a_plan_adds_up_its_children(engine: Engine, platform: Platform, clock: FlowingClock):
    await engine.follow(3)
    plan = await engine.order(cron="0 12 * * *")

    async with engine.working():
        for day in (1, 2):
            clock.advance(timedelta(hours=2 if day == 1 else 24))

            async def has_sent(number: int = 3 * day) -> bool:
                return (await engine.counts(plan)).sent == number

            await until(has_sent)

    assert await engine.counts(plan) == Counts(audience=6, sent=6)
    assert await engine.state(plan) == "scheduled"


async def test_a_time_that_is_more_than_an_hour_past_is_recorded_as_missed(
    engine: Engine, clock: FlowingClock
):
    plan = await engine.order(cron="0 12,13,17 * * *")
    clock.advance(timedelta(hours=7, minutes=30))  # 17:30, nobody looked since 10:00

    await engine.plan()

    assert sorted(await _children(engine, plan)) == [
        ("2026-11-24T04:00:00+00:00", "failed"),
        ("2026-11-24T05:00:00+00:00", "failed"),
        ("2026-11-24T09:00:00+00:00", "sending"),
    ]


async def test_a_broadcast_nobody_looked_at_for_hours_is_missed_with_its_reason(
    engine: Engine, clock: FlowingClock
):
    broadcast = await engine.order(at=clock.now() + timedelta(minutes=5))
    clock.advance(timedelta(hours=3))

    await engine.plan()

    found = await engine.find(broadcast)
    assert found.state == "failed"
    assert found.reason.startswith("missed: due at 2026-11-24T02:05")


async def test_a_plan_ends_when_it_expires(engine: Engine, clock: FlowingClock):
    plan = await engine.order(cron="0 12 * * *", expires_at=clock.now() + timedelta(hours=20))
    clock.advance(timedelta(hours=2))

    await engine.plan()

    assert await engine.state(plan) == "finished"
    assert len(await _children(engine, plan)) == 1


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_stopping_a_plan_stops_its_running_children(
    engine: Engine, clock: FlowingClock, verb: str
):
    await engine.follow(3)
    plan = await engine.order(cron="0 12 * * *")
    clock.advance(timedelta(hours=2))
    await engine.plan()

    await getattr(engine.broadcasts, verb)(plan)

    state = {"pause": "paused", "cancel": "cancelled"}[verb]
    assert [child[1] for child in await _children(engine, plan)] == [state]
    assert await engine.state(plan) == state


async def test_content_is_frozen_when_the_broadcast_is_scheduled(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await engine.follow(1)
    broadcast = await engine.order(at=clock.now() + timedelta(minutes=1))
    account = engine.accounts["city"]
    engine.accounts["city"] = account.model_copy(update={"templates": {}})

    clock.advance(61)
    async with engine.working():
        await engine.finished(broadcast)

    assert platform.messages[0]["template_id"] == "city-outage_notice"
