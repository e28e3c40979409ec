"""The engine of triggers: what fails, what happens twice, and what never does."""

import asyncio
import logging
from datetime import timedelta

import pytest

from domain.broadcast import Audience
from domain.errors import DepartmentTimeout
from push.triggers.engine import LEASE
from push.triggers.ports import Cursor, Outcome
from push.triggers.spread import backoff, next_on_grid
from push.triggers.together import each
from tests.support.push import CITY, WATER, order
from tests.support.triggers import Desk, ScriptedTrigger, say

FUTIAN = Audience(topics=(WATER,), regions=("440304",))


@pytest.fixture
async def desk(engine) -> Desk:
    desk = Desk(engine)
    await desk.create_indexes()
    return desk


def saying(*events: str) -> ScriptedTrigger:
    async def run(visit):
        return await say(visit, order(FUTIAN), events)

    return ScriptedTrigger(run)


# --- what fails -------------------------------------------------------------------------------


async def test_a_department_that_is_down_is_noted_and_left_alone_for_a_while(desk, caplog):
    async def run(visit):
        raise DepartmentTimeout("供水部门", "no answer in 3 seconds")

    triggers = desk.new(ScriptedTrigger(run))
    await desk.run(triggers)

    row = await desk.row("scripted")
    assert row.failures == 1
    assert "no answer in 3 seconds" in row.last_error
    assert row.last_ok is None
    assert row.since is None
    assert row.next_at > desk.engine.clock.now() + timedelta(seconds=20)
    assert [r.failures for r in caplog.records if r.message == "trigger.failed"] == [1]


async def test_a_good_run_ends_the_failures_and_says_since_when_all_is_well(desk):
    mood = {"bad": True}

    async def run(visit):
        if mood["bad"]:
            raise DepartmentTimeout("供水部门", "away")
        return Outcome(cursor=Cursor(since="m1"))

    triggers = desk.new(ScriptedTrigger(run))
    await desk.run(triggers)
    mood["bad"] = False
    await desk.run(triggers)

    row = await desk.row("scripted")
    assert (row.failures, row.last_error, row.since) == (0, "", "m1")
    assert row.last_ok is not None


async def test_a_run_that_hangs_is_ended_and_the_cursor_stays(desk):
    async def run(visit):
        await visit.save(Cursor(since="page-1"))
        await asyncio.Event().wait()

    triggers = desk.new(ScriptedTrigger(run), limit=0.05)
    await desk.run(triggers)

    row = await desk.row("scripted")
    assert (row.since, row.failures) == ("page-1", 1)


async def test_a_mistake_in_a_trigger_does_not_end_the_engine(desk, caplog):
    async def run(visit):
        raise ZeroDivisionError

    healthy = saying("e1")
    triggers = desk.new(ScriptedTrigger(run, name="broken"), healthy)
    await desk.run(triggers)

    assert (await desk.row("broken")).failures == 1
    assert await desk.phases() == ["announced"]
    assert any(r.message == "trigger.crashed" and r.exc_info for r in caplog.records)


async def test_news_that_cannot_be_said_is_skipped_with_an_alarm_and_counted(desk, caplog):
    async def run(visit):
        wrong = order(Audience(topics=(WATER,), regions=("nowhere",)))
        said = await visit.emit.broadcast(wrong, event="bad", revision=1, phase="announced")
        assert said is None
        return await say(visit, order(FUTIAN), ["good"])

    await desk.run(desk.new(ScriptedTrigger(run)))

    row = await desk.row("scripted")
    assert (row.refused, row.since, row.failures) == (1, "good", 0)
    assert [each["key"] for each in await desk.said()] == ["trigger:scripted:good:1:announced"]
    alarms = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [r.fields for r in alarms] == [["audience.regions.0: unknown_region"]]


async def test_a_template_that_the_account_lacks_stops_the_trigger_until_it_is_there(desk):
    async def run(visit):
        return await say(visit, order(FUTIAN, template="nobody_has_it"), ["e1"])

    await desk.run(desk.new(ScriptedTrigger(run)))

    row = await desk.row("scripted")
    assert (row.failures, row.since) == (1, None)
    assert "nobody_has_it" in row.last_error


async def test_news_that_is_stale_before_it_goes_out_is_not_said(desk):
    async def run(visit):
        old = order(FUTIAN, expires_at=visit.now - timedelta(seconds=1))
        return await say(visit, old, ["e1"])

    await desk.run(desk.new(ScriptedTrigger(run)))

    assert await desk.said() == []
    assert (await desk.row("scripted")).failures == 0


# --- what happens twice -----------------------------------------------------------------------


async def test_dying_between_saying_and_saving_says_nothing_twice(desk):
    async def die(visit):
        await say(visit, order(FUTIAN), ["e1", "e2"])
        raise asyncio.CancelledError

    trigger = ScriptedTrigger(die)
    await desk.run(desk.new(trigger))
    trigger.script = saying("e1", "e2", "e3").script
    await desk.run(desk.new(trigger))

    assert [each["key"] for each in await desk.said()] == [
        f"trigger:scripted:e{number}:1:announced" for number in (1, 2, 3)
    ]
    assert trigger.visits[1].cursor is None


async def test_a_process_killed_after_speaking_is_repeated_when_its_lease_ends(desk):
    class Killed(BaseException):
        """Nothing catches it, nothing is given back: like SIGKILL."""

    async def die(visit):
        await say(visit, order(FUTIAN), ["e1"])
        raise Killed

    trigger = ScriptedTrigger(die)
    await desk.run(desk.new(trigger))
    trigger.script = saying("e1", "e2").script
    other = desk.new(trigger)
    await other.tick()
    await other.settle()
    assert len(trigger.visits) == 1

    desk.engine.clock.advance(LEASE + timedelta(seconds=1))
    await other.tick()
    await other.settle()

    assert len(await desk.said()) == 2
    assert (await desk.row("scripted")).since == "e2"


async def test_a_trigger_that_is_asked_for_more_often_now_does_not_wait_for_the_old_time(desk):
    seldom = ScriptedTrigger(saying().script, every=timedelta(days=1))
    await desk.new(seldom).tick()
    await desk.new(ScriptedTrigger(saying().script, every=timedelta(seconds=30))).tick()

    row = await desk.row("scripted")
    assert row.next_at <= desk.engine.clock.now() + timedelta(seconds=35)


async def test_a_clock_that_was_a_day_ahead_silences_nothing_once_it_is_right(desk):
    trigger, clock = saying("A"), desk.engine.clock
    triggers = desk.new(trigger)
    clock.advance(timedelta(days=1))
    await desk.run(triggers)
    clock.advance(timedelta(days=-1))
    await triggers.tick()

    row = await desk.row("scripted")
    assert row.next_at <= clock.now() + trigger.every + timedelta(seconds=6)


async def test_two_engines_at_once_run_a_due_trigger_once(desk):
    trigger = saying("e1")
    engines = [desk.new(trigger) for _ in range(4)]
    await engines[0].tick()
    await desk.make_due()

    await asyncio.gather(*(each.tick() for each in engines))
    await asyncio.gather(*(each.settle() for each in engines))

    assert len(trigger.visits) == 1
    assert await desk.phases() == ["announced"]


async def test_a_process_that_lost_its_lease_neither_speaks_nor_saves(desk, caplog):
    slept, go_on = asyncio.Event(), asyncio.Event()

    async def sleep_first(visit):
        if not slept.is_set():
            slept.set()
            await go_on.wait()
            return await say(visit, order(FUTIAN), ["old"])
        return await say(visit, order(FUTIAN), ["new"])

    trigger = ScriptedTrigger(sleep_first)
    asleep, awake = desk.new(trigger), desk.new(trigger)
    await asleep.tick()
    await desk.make_due()
    await asleep.tick()
    await slept.wait()
    desk.engine.clock.advance(LEASE + timedelta(seconds=1))
    await desk.run(awake)
    go_on.set()
    await asleep.settle()

    assert [each["key"] for each in await desk.said()] == ["trigger:scripted:new:1:announced"]
    assert (await desk.row("scripted")).since == "new"
    assert any(r.message == "trigger.lease_lost" for r in caplog.records)


async def test_the_lease_of_a_killed_process_runs_out(desk):
    trigger = saying("e1")
    alive = desk.new(trigger)
    await alive.tick()
    await desk.make_due()
    now = desk.engine.clock.now()
    gone = await desk.rows.claim(["city|scripted"], now=now, owner="gone", until=now + LEASE)

    await alive.tick()
    await alive.settle()
    assert gone is not None
    assert trigger.visits == []
    desk.engine.clock.advance(LEASE + timedelta(seconds=1))
    await alive.tick()
    await alive.settle()

    assert len(trigger.visits) == 1


async def test_a_process_that_stops_gives_its_run_back_at_once(desk):
    began = asyncio.Event()

    async def hang(visit):
        began.set()
        await asyncio.Event().wait()

    stopping = desk.new(ScriptedTrigger(hang))
    await stopping.tick()
    await desk.make_due()
    await stopping.tick()
    await began.wait()
    await stopping.aclose()

    other = desk.new(trigger := saying("e1"))
    await other.tick()
    await other.settle()
    assert len(trigger.visits) == 1


async def test_a_revision_edited_in_place_is_said_as_it_was_first(desk, caplog):
    trigger = saying("e1")
    triggers = desk.new(trigger)
    await desk.run(triggers)

    async def edited(visit):
        return await say(visit, order(FUTIAN, title="另一个标题"), ["e1"])

    trigger.script = edited
    await desk.run(triggers)

    assert [each["title"] for each in await desk.said()] == ["停水通知"]
    assert any(r.message == "trigger.edited_in_place" for r in caplog.records)


async def test_withdrawing_stops_what_waits_and_tells_whether_anybody_heard(desk):
    await desk.engine.follow(3)
    heard: list[bool] = []

    async def run(visit):
        key = await visit.emit.broadcast(order(), event="e1", revision=1, phase="announced")
        heard.append(await visit.emit.withdraw(key or "", reason="changed"))
        heard.append(await visit.emit.withdraw(key or "", reason="changed"))
        heard.append(await visit.emit.withdraw("trigger:scripted:never:1:x", reason="changed"))
        return Outcome(cursor=Cursor())

    await desk.run(desk.new(ScriptedTrigger(run)))

    assert heard == [False, False, False]
    assert [each["state"] for each in await desk.said()] == ["cancelled"]


async def test_withdrawing_what_has_begun_says_that_somebody_heard(desk):
    await desk.engine.follow(3)
    trigger = ScriptedTrigger(lambda visit: say(visit, order(), ["e1"]))
    triggers = desk.new(trigger)
    await desk.run(triggers)
    await desk.engine.plan()
    heard: list[bool] = []

    async def withdraw(visit):
        key = visit.emit.key("e1", 1, "announced")
        heard.append(await visit.emit.withdraw(key, reason="changed"))
        return Outcome(cursor=Cursor())

    trigger.script = withdraw
    await desk.run(triggers)

    assert heard == [True]
    assert [each["state"] for each in await desk.said()] == ["cancelled"]


# --- when -------------------------------------------------------------------------------------


async def test_when_there_is_more_it_comes_again_within_a_second(desk):
    async def run(visit):
        return Outcome(cursor=Cursor(since="half"), more=True)

    await desk.run(desk.new(ScriptedTrigger(run)))

    row = await desk.row("scripted")
    assert row.next_at <= desk.engine.clock.now() + timedelta(seconds=1)


def test_rows_are_spread_over_the_interval_and_keep_their_place(clock):
    every, now = timedelta(minutes=10), clock.now()
    names = [f"account{number}|outage" for number in range(300)]
    waits = [(next_on_grid(name, every, now) - now).total_seconds() for name in names]

    assert all(0 < wait <= 600 + 5 for wait in waits)
    for start in range(0, 600, 100):
        assert 25 <= sum(start <= wait < start + 100 for wait in waits) <= 85
    first = next_on_grid("city|outage", every, now)
    second = next_on_grid("city|outage", every, first + timedelta(seconds=3))
    assert 590 <= (second - first).total_seconds() <= 610


def test_failures_wait_longer_each_time_but_never_for_ever():
    waits = [backoff(failures).total_seconds() for failures in range(60)]

    assert 27 <= waits[0] <= 33
    assert waits[0] < waits[1] < waits[2]
    assert max(waits) <= 15 * 60 * 1.1


@pytest.mark.parametrize(("every", "longest"), [(2, 60), (30, 300), (60, 600), (600, 900)])
def test_what_is_asked_often_is_not_left_alone_for_long(every, longest):
    wait = backoff(50, timedelta(seconds=every)).total_seconds()

    assert 0.9 * longest <= wait <= 1.1 * longest


async def test_each_account_has_a_row_of_its_own(desk):
    trigger = saying("e1")
    await desk.rows.ensure("other", "scripted", first_at=desk.engine.clock.now())
    await desk.run(desk.new(trigger))

    assert [visit.account for visit in trigger.visits] == [CITY]


async def test_of_things_done_together_the_first_error_is_the_error():
    done: list[int] = []

    async def do(number: int) -> None:
        if number == 3:
            raise DepartmentTimeout("供水部门", "away")
        done.append(number)

    with pytest.raises(DepartmentTimeout):
        await each(range(100), do, at_once=2)
    assert set(done) >= {0, 1, 2}

    await each(range(4, 8), do, at_once=20)
    assert {4, 5, 6, 7} <= set(done)
