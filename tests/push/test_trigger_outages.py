"""Outage news, from the companies' feed over real HTTP to broadcasts (domain.md 3.1)."""

from datetime import datetime, timedelta

import pytest

from config.settings import DepartmentSettings
from connectors.http import DepartmentClient
from connectors.outage_feed import DEPARTMENT, HttpOutageFeed
from domain.clock import in_beijing
from push.triggers.outages import OutageTrigger
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
def new_trigger(desk, office, http, clock):
    """Build the trigger of one more process."""

    def build(*, pages: int = 5, page_size: int = 100) -> OutageTrigger:
        settings = DepartmentSettings(base_url=f"{office.url}/utilities")
        client = DepartmentClient(http, DEPARTMENT, settings, clock)
        feed = HttpOutageFeed(client, page_size=page_size)
        return OutageTrigger(feed, desk.items, pages=pages)

    return build


@pytest.fixture
async def triggers(desk, new_trigger):
    """An engine that has had its first look at an empty feed."""
    engine = desk.new(new_trigger())
    await desk.run(engine)
    return engine


# --- what is said -----------------------------------------------------------------------------


async def test_an_announcement_goes_to_followers_of_the_topic_in_the_region(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=30, street="园岭街道")
    await desk.run(triggers)

    [said] = await desk.said()
    start = in_beijing(desk.engine.clock.now() + timedelta(hours=30))
    assert said["key"] == "trigger:outage:water/A:1:announced"
    assert said["topic"] == "outage.water"
    assert said["audience"]["topics"] == ["outage.water"]
    assert said["audience"]["regions"] == ["440304"]
    assert said["state"] == "scheduled"
    assert said["author"] == "trigger:outage"
    assert said["content"]["fields"]["thing1"] == "停水：园岭街道"
    assert said["content"]["fields"]["time2"].startswith(f"{start.year}年{start.month}月")
    assert said["content"]["fields"]["thing4"] == "管网检修"
    assert said["expires_at"] == datetime.fromisoformat(said["data"]["end"])


async def test_what_is_announced_too_late_is_said_and_warned_about(desk, office, triggers, caplog):
    await office.news("utilities", "announce", id="W1", kind="planned", in_hours=3)
    await office.news("utilities", "announce", id="W2", kind="fault", in_hours=3)
    await desk.run(triggers)
    await desk.run(triggers)

    warned = [r for r in caplog.records if r.message == "outage.announced_late"]
    assert [(record.event, record.levelname) for record in warned] == [("water/W1", "WARNING")]
    assert await desk.phases() == ["announced", "announced"]


async def test_off_and_then_low_is_one_event_and_one_push(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=13, hours=5, low_hours=7)
    await desk.run(triggers)

    [said] = await desk.said()
    assert said["content"]["fields"]["thing4"] == "04:00起低水压；管网检修"


async def test_the_same_feed_again_says_nothing(desk, office, triggers, new_trigger):
    await office.news("utilities", "announce", id="A")
    await desk.run(triggers)
    await desk.engine.database["triggers"].update_many({}, {"$set": {"cursor.since": ""}})
    await desk.run(desk.new(new_trigger()))

    assert await desk.phases() == ["announced"]


async def test_a_revision_that_changes_neither_time_nor_place_is_not_pushed(desk, office, triggers):
    await office.news("utilities", "announce", id="A")
    await desk.run(triggers)
    await office.news("utilities", "change", id="A", reason="管网检修与阀门更换")
    await office.news("utilities", "change", id="A", status="in_progress")
    await desk.run(triggers)

    assert await desk.phases() == ["announced"]
    assert [each["state"] for each in await desk.said()] == ["scheduled"]


@pytest.mark.parametrize("change", [{"hours": 8}, {"street": "华富街道"}, {"in_hours": 40}])
async def test_a_change_of_time_or_place_is_pushed_and_ends_the_old_word(
    desk, office, triggers, change
):
    await office.news("utilities", "announce", id="A")
    await desk.run(triggers)
    await desk.hear()
    await office.news("utilities", "change", id="A", **change)
    await desk.run(triggers)

    old, new = await desk.said()
    assert (old["phase"], old["state"]) == ("announced", "cancelled")
    assert (new["phase"], new["state"]) == ("changed", "scheduled")
    assert new["content"]["fields"]["thing1"].startswith("停水变更：")


async def test_restored_water_comes_with_the_advice_to_let_it_run(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=0)
    await desk.run(triggers)
    await desk.hear()
    await office.news("utilities", "restore", id="A")
    await desk.run(triggers)

    said = (await desk.said())[-1]
    assert said["phase"] == "restored"
    assert said["content"]["fields"]["thing1"] == "园岭街道恢复供水，先放水2-3分钟"
    assert said["content"]["fields"]["thing4"] == "请先放水2至3分钟再使用"


async def test_nobody_is_told_of_the_end_of_what_nobody_was_told_of(desk, office, triggers):
    await office.news("utilities", "announce", id="A")
    await desk.run(triggers)  # waits, for the planner or the end of quiet hours
    await office.news("utilities", "cancel", id="A")
    await desk.run(triggers)

    assert [(each["phase"], each["state"]) for each in await desk.said()] == [
        ("announced", "cancelled")
    ]


async def test_what_is_over_when_first_seen_says_nothing(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=-10, hours=5)
    await office.news("utilities", "announce", id="B", in_hours=-10, hours=50)
    restored = await office.news("utilities", "restore", id="B")
    await office.news("utilities", "reset")
    await office.news("utilities", "raw", entry=restored | {"id": "C"})
    await desk.run(triggers)

    said = {each["key"].split(":")[2] for each in await desk.said()}
    assert said & {"water/A", "water/C"} == set()


async def test_a_change_before_anybody_heard_is_an_announcement(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await desk.run(triggers)  # waits for the morning
    await office.news("utilities", "change", id="A", in_hours=40)
    await desk.run(triggers)

    old, new = await desk.said()
    assert (old["phase"], old["state"]) == ("announced", "cancelled")
    assert (new["phase"], new["state"]) == ("announced", "scheduled")
    assert new["data"]["start"] != old["data"]["start"]


async def test_an_account_may_want_to_approve_what_its_triggers_say(desk, office, new_trigger):
    engine = desk.new(new_trigger(), publish=False)
    await desk.run(engine)
    await office.news("utilities", "announce", id="A")
    await desk.run(engine)
    assert [each["state"] for each in await desk.said()] == ["in_review"]

    await office.news("utilities", "change", id="A", hours=9)
    await desk.run(engine)

    assert [each["state"] for each in await desk.said()] == ["cancelled", "in_review"]


# --- twelve hours before ----------------------------------------------------------------------


async def test_twelve_hours_before_there_is_one_reminder(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await desk.run(triggers)
    await desk.hear()
    desk.engine.clock.advance(timedelta(hours=17, minutes=59))
    await desk.run(triggers)
    assert await desk.phases() == ["announced"]

    desk.engine.clock.advance(timedelta(minutes=2))
    await desk.run(triggers)
    await desk.run(triggers)

    assert await desk.phases() == ["announced", "soon"]
    assert (await desk.said())[1]["content"]["fields"]["thing1"] == "停水提醒：园岭街道"


async def test_what_was_announced_within_twelve_hours_is_not_repeated(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=11)
    await desk.run(triggers)
    desk.engine.clock.advance(timedelta(hours=5))
    await desk.run(triggers)

    assert await desk.phases() == ["announced"]


async def test_an_announcement_that_still_waits_is_its_own_reminder(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await desk.run(triggers)
    desk.engine.clock.advance(timedelta(hours=19))
    await desk.run(triggers)

    assert await desk.phases() == ["announced"]


@pytest.mark.parametrize("verb", ["cancel", "change"])
async def test_a_reminder_that_waits_for_the_morning_never_names_the_old_time(
    desk, office, triggers, verb
):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await desk.run(triggers)
    await desk.hear()
    desk.engine.clock.advance(timedelta(hours=18, minutes=1))
    await desk.run(triggers)
    more = {"in_hours": 60} if verb == "change" else {}
    await office.news("utilities", verb, id="A", **more)
    await desk.run(triggers)

    states = {each["phase"]: each["state"] for each in await desk.said()}
    assert states["soon"] == "cancelled"
    assert states["announced"] == "cancelled"


async def test_a_move_before_the_reminder_moves_the_reminder(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await desk.run(triggers)
    await desk.hear()
    await office.news("utilities", "change", id="A", in_hours=60)
    desk.engine.clock.advance(timedelta(hours=19))
    await desk.run(triggers)
    assert await desk.phases() == ["announced", "changed"]

    await desk.hear()
    desk.engine.clock.advance(timedelta(hours=30))
    await desk.run(triggers)

    said = await desk.said()
    assert [each["phase"] for each in said] == ["announced", "changed", "soon"]
    assert said[2]["data"]["start"] == said[1]["data"]["start"]


async def test_without_a_fresh_word_from_the_department_nobody_is_reminded(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await desk.run(triggers)
    await desk.hear()
    desk.engine.clock.advance(timedelta(hours=19))
    await office.news("utilities", "cancel", id="A")
    await office.fault("utilities", "500")
    await desk.run(triggers)
    assert await desk.phases() == ["announced"]

    await office.fault("utilities", "none")
    await desk.run(triggers)

    assert "soon" not in await desk.phases()


async def test_a_text_revised_after_the_reminder_does_not_remind_again(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await desk.run(triggers)
    await desk.hear()
    desk.engine.clock.advance(timedelta(hours=19))
    await desk.run(triggers)
    # as if the process had died before noting that the reminder went out
    item = await desk.engine.database["trigger_items"].find_one({"item": "water/A"})
    await desk.engine.database["trigger_items"].update_one(
        {"_id": item["_id"]}, {"$set": {"due_at": desk.engine.clock.now()}}
    )
    await office.news("utilities", "change", id="A", reason="阀门更换", status="announced")
    await desk.run(triggers)

    assert await desk.phases() == ["announced", "soon"]


# --- order, repetition, gaps ------------------------------------------------------------------


async def test_an_older_revision_that_comes_late_changes_nothing(desk, office, triggers):
    first = await office.news("utilities", "announce", id="A")
    await desk.run(triggers)
    await desk.hear()
    await office.news("utilities", "change", id="A", hours=9)
    await desk.run(triggers)
    await office.news("utilities", "raw", entry=first)
    await desk.run(triggers)

    assert [(each["phase"], each["state"]) for each in await desk.said()] == [
        ("announced", "cancelled"),
        ("changed", "scheduled"),
    ]


async def test_a_feed_that_begins_anew_is_read_again_and_says_only_what_is_new(
    desk, office, triggers, caplog
):
    await office.news("utilities", "announce", id="A")
    await desk.run(triggers)
    await office.news("utilities", "announce", id="B", street="华富街道")
    await office.news("utilities", "reset")
    await desk.run(triggers)

    assert [each["key"].split(":")[2] for each in await desk.said()] == ["water/A", "water/B"]
    assert any(r.message == "trigger.feed_reset" for r in caplog.records)
    assert (await desk.row("outage")).failures == 0


async def test_an_unchanged_feed_is_answered_304_and_says_nothing(desk, office, triggers, caplog):
    caplog.set_level("DEBUG", logger="push.triggers.engine")
    await office.news("utilities", "announce", id="A")
    for _ in range(3):
        await desk.run(triggers)

    ran = [r for r in caplog.records if r.message == "trigger.ran"]
    assert [r.unchanged for r in ran][-1]
    assert [r.seen for r in ran] == [1, 0, 0]


async def test_a_malformed_page_stops_and_a_malformed_entry_does_not(desk, office, triggers):
    await office.fault("utilities", "malformed", times=1)
    await desk.run(triggers)
    assert (await desk.row("outage")).failures == 1

    await office.news("utilities", "raw", entry={"id": "X", "revision": "many"})
    await office.news("utilities", "announce", id="A")
    await desk.run(triggers)

    row = await desk.row("outage")
    assert (row.failures, await desk.phases()) == (0, ["announced"])


async def test_the_first_look_is_a_baseline_but_its_changes_are_news(desk, office, new_trigger):
    await office.news("utilities", "announce", id="A", in_hours=30)
    engine = desk.new(new_trigger())
    await desk.run(engine)
    assert await desk.said() == []

    await office.news("utilities", "cancel", id="A")
    await desk.run(engine)

    assert await desk.phases() == ["cancelled"]


async def test_what_changed_and_ended_before_the_first_look_is_told_to_nobody(
    desk, office, new_trigger
):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await office.news("utilities", "change", id="A", hours=9)
    await office.news("utilities", "announce", id="B", in_hours=30)
    await office.news("utilities", "cancel", id="B")
    engine = desk.new(new_trigger())
    await desk.run(engine)
    assert await desk.phases() == []

    await office.news("utilities", "cancel", id="A")
    await desk.run(engine)
    assert await desk.phases() == ["cancelled"]


async def test_many_pages_are_read_in_several_runs_without_losing_any(
    desk, office, triggers, new_trigger
):
    for number in range(7):
        await office.news("utilities", "announce", id=f"A{number}")
    bounded = desk.new(new_trigger(pages=2, page_size=2))
    await desk.run(bounded)
    assert len(await desk.said()) == 4

    await desk.run(bounded)

    assert len(await desk.said()) == 7


async def test_a_baseline_of_many_pages_stays_a_baseline_over_several_runs(
    desk, office, new_trigger
):
    for number in range(7):
        await office.news("utilities", "announce", id=f"A{number}")
    bounded = desk.new(new_trigger(pages=2, page_size=2))
    for _ in range(3):
        await desk.run(bounded)

    assert await desk.said() == []


async def test_dying_after_the_change_was_said_still_lets_the_next_revision_withdraw_it(
    desk, office, triggers, new_trigger
):
    await office.news("utilities", "announce", id="A")
    await desk.run(triggers)
    await desk.hear()
    before = await desk.engine.database["trigger_items"].find_one({"item": "water/A"})
    await office.news("utilities", "change", id="A", hours=9)
    await desk.run(triggers)
    after = await desk.engine.database["trigger_items"].find_one({"item": "water/A"})
    # killed between saying the change and keeping its revision: only the key was noted
    noted = before | {"state": before["state"] | {"keys": after["state"]["keys"]}}
    await desk.engine.database["trigger_items"].replace_one({"_id": before["_id"]}, noted)
    await office.news("utilities", "cancel", id="A")
    await desk.run(desk.new(new_trigger()))

    assert {each["phase"]: each["state"] for each in await desk.said()} == {
        "announced": "cancelled",
        "changed": "cancelled",
        "cancelled": "scheduled",
    }


async def test_one_interruption_that_replaces_another_is_a_change_of_it(desk, office, triggers):
    await office.news("utilities", "announce", id="A", in_hours=30)
    await desk.run(triggers)
    await desk.hear()
    await office.news("utilities", "announce", id="B", in_hours=50, supersedes="A")
    await desk.run(triggers)
    desk.engine.clock.advance(timedelta(hours=19))
    await desk.run(triggers)

    assert [(each["key"].split(":")[2], each["phase"]) for each in await desk.said()] == [
        ("water/A", "announced"),
        ("water/B", "changed"),
    ]
