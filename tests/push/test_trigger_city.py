"""Bus detours and policies, from feeds over real HTTP to broadcasts (domain.md 3.2)."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from config.settings import DepartmentSettings
from connectors import enterprise, transit
from connectors.http import DepartmentClient
from domain.errors import BrokenContract
from push.field_types import problem_with
from push.triggers.detours import detour_trigger
from push.triggers.policies import policy_trigger
from tests.support.department_server import sandbox_departments, stub_department
from tests.support.triggers import Desk, Office

HOUR = timedelta(hours=1)

END_OF_TIME = "9999-12-31T23:59:59-08:00"  # in UTC a year later


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
def ask(http, clock):
    """Build a client of a department."""

    def build(department, url: str) -> DepartmentClient:
        return DepartmentClient(http, department, DepartmentSettings(base_url=url), clock)

    return build


@pytest.fixture
async def buses(desk, office, ask):
    """An engine that has had its first look at the company's empty feed."""
    feed = transit.open_detours(ask(transit.DEPARTMENT, f"{office.url}/transit"))
    engine = desk.new(detour_trigger(feed, desk.items))
    await desk.run(engine)
    return engine


@pytest.fixture
async def policies(desk, office, ask):
    """The same for policies."""
    feed = enterprise.open_policies(ask(enterprise.DEPARTMENT, f"{office.url}/enterprise"))
    engine = desk.new(policy_trigger(feed, desk.items))
    await desk.run(engine)
    return engine


async def pretend_sent(desk: Desk) -> None:
    """Let every broadcast be finished, as if the workers had been there."""
    await desk.engine.database["broadcasts"].update_many(
        {"state": "scheduled"},
        {"$set": {"state": "finished", "started_at": datetime.now().astimezone()}},
    )


# --- what fails -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "open_feed"),
    [
        ({"to": "2020-01-01T00:00:00+08:00"}, transit.open_detours),
        ({"from": "tomorrow"}, transit.open_detours),
        ({"from": "0001-01-01T00:00:00+08:00"}, transit.open_detours),
        ({"revision": 0}, transit.open_detours),
        ({"revision": 2**63}, transit.open_detours),
        ({"regions": ["福田区"]}, transit.open_detours),
        ({"stops_skipped": "市民中心站"}, transit.open_detours),
        ({"url": "javascript:alert(1)"}, transit.open_detours),
    ],
)
async def test_an_entry_that_makes_no_sense_is_left_out_with_an_alarm(
    desk, office, buses, caplog, wrong, open_feed
):
    good = await office.news("transit", "announce", id="A")
    await office.news("transit", "raw", entry=good | {"id": "B"} | wrong)
    await office.news("transit", "raw", entry=good | {"id": "C"})
    await desk.run(buses)

    assert {each["key"].split(":")[2] for each in await desk.said()} == {"A", "C"}
    alarms = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [r.message for r in alarms] == ["department.broken_entry"]


@pytest.mark.parametrize("answer", [b"[]", b'{"entries": 1}', b"<html/>", 404])
async def test_a_page_that_makes_no_sense_is_a_broken_contract(ask, answer):
    async with stub_department(answer) as stub:
        feed = enterprise.open_policies(ask(enterprise.DEPARTMENT, stub.url))
        with pytest.raises(BrokenContract):
            await feed.changes(since="", etag="")


async def test_a_department_that_is_down_is_asked_again_later(desk, office, buses):
    await office.news("transit", "announce", id="A")
    await office.fault("transit", "500")
    await desk.run(buses)
    assert (await desk.row("bus_detour")).failures == 1

    await office.fault("transit", "none")
    await desk.run(buses)
    assert await desk.phases() == ["announced"]


# --- detours ----------------------------------------------------------------------------------


async def test_a_detour_goes_to_followers_in_its_regions(desk, office, buses):
    await office.news("transit", "announce", id="A", in_hours=0, hours=72)
    await desk.run(buses)

    [said] = await desk.said()
    assert said["key"] == "trigger:bus_detour:A:1:announced"
    assert said["audience"]["topics"] == ["bus.detour"]
    assert said["audience"]["regions"] == ["440304"]
    assert said["data"]["matter"] == "M392路改道"
    assert said["data"]["note"] == "不停靠市民中心站"
    assert " ~ " in said["content"]["fields"]["date2"]


async def test_a_town_means_its_district_which_is_what_people_follow(desk, office, buses):
    good = await office.news("transit", "announce", id="A", region="440305")
    towns = {"id": "B", "regions": ["440304001000", "440304002"]}
    await office.news("transit", "raw", entry=good | towns)
    await desk.run(buses)

    _, said = await desk.said()
    assert said["audience"]["regions"] == ["440304"]


async def test_an_open_end_is_said_and_ends_as_news_at_its_review(desk, office, buses):
    await office.news("transit", "announce", id="A", in_hours=0, hours=0, review_in_hours=48)
    await desk.run(buses)

    [said] = await desk.said()
    assert said["data"]["note"] == "结束待定；不停靠市民中心站"
    start = desk.engine.clock.now().replace(minute=0, second=0, microsecond=0)
    assert said["expires_at"] == start + 48 * HOUR


async def test_a_change_that_nobody_notices_is_not_pushed(desk, office, buses):
    entry = await office.news("transit", "announce", id="A")
    await office.news("transit", "raw", entry=entry | {"revision": 2, "hotline": "12345"})
    await desk.run(buses)

    assert await desk.phases() == ["announced"]


@pytest.mark.parametrize(
    ("department", "verb", "name"),
    [("transit", "announce", "from"), ("enterprise", "publish", "apply_until")],
)
async def test_the_same_instant_in_another_zone_is_no_change(
    desk, office, buses, policies, department, verb, name
):
    told = await office.news(department, verb, id="A")
    moment = datetime.fromisoformat(told[name]).astimezone(UTC).isoformat()
    await desk.run(buses)
    await desk.run(policies)
    await office.news(department, "raw", entry=told | {"revision": 2, name: moment})
    await desk.run(buses)
    await desk.run(policies)

    assert await desk.phases() == ["announced"]


@pytest.mark.parametrize(
    ("is_heard", "word"), [(True, ("changed", "改道有变")), (False, ("announced", "改道"))]
)
async def test_a_changed_detour_takes_the_place_of_the_old_word(
    desk, office, buses, is_heard, word
):
    await office.news("transit", "announce", id="A")
    await desk.run(buses)
    if is_heard:
        await desk.hear()
    await office.news("transit", "change", id="A", stops_skipped=["华强北站", "上海宾馆站"])
    await desk.run(buses)

    old, new = await desk.said()
    assert (old["phase"], old["state"]) == ("announced", "cancelled")
    assert (new["phase"], new["state"]) == (word[0], "scheduled")
    assert new["data"]["matter"] == f"M392路{word[1]}"


async def test_the_end_is_told_to_those_who_may_have_heard_the_beginning(desk, office, buses):
    await office.news("transit", "announce", id="A")
    await desk.run(buses)
    await pretend_sent(desk)
    await office.news("transit", "restore", id="A")
    await desk.run(buses)

    said = (await desk.said())[-1]
    assert (said["phase"], said["data"]["matter"]) == ("ended", "M392路恢复原线路")


async def test_the_end_of_what_nobody_heard_of_is_not_told(desk, office, buses):
    await office.news("transit", "announce", id="A")
    await desk.run(buses)
    await office.news("transit", "cancel", id="A")
    await desk.run(buses)

    assert [(each["phase"], each["state"]) for each in await desk.said()] == [
        ("announced", "cancelled")
    ]


async def test_the_first_look_sets_the_baseline(desk, office, ask):
    await office.news("transit", "announce", id="A")
    feed = transit.open_detours(ask(transit.DEPARTMENT, f"{office.url}/transit"))
    engine = desk.new(detour_trigger(feed, desk.items))
    await desk.run(engine)
    assert await desk.phases() == []

    await office.news("transit", "change", id="A", line="B1")
    await desk.run(engine)
    assert await desk.phases() == ["changed"]


async def test_what_changed_and_ended_before_the_first_look_is_told_to_nobody(desk, office, ask):
    await office.news("transit", "announce", id="A")
    await office.news("transit", "change", id="A", line="B1")
    await office.news("transit", "announce", id="B")
    await office.news("transit", "restore", id="B")
    feed = transit.open_detours(ask(transit.DEPARTMENT, f"{office.url}/transit"))
    engine = desk.new(detour_trigger(feed, desk.items))
    await desk.run(engine)
    assert await desk.phases() == []

    await office.news("transit", "restore", id="A")
    await desk.run(engine)
    assert await desk.phases() == ["ended"]


async def test_a_crash_before_the_cursor_moved_repeats_nothing(desk, office, buses):
    await office.news("transit", "announce", id="A")
    await desk.run(buses)
    await desk.engine.database["triggers"].update_many({}, {"$set": {"cursor.since": ""}})
    await desk.engine.database["trigger_items"].delete_many({})
    await desk.run(buses)

    assert await desk.phases() == ["announced"]


async def test_dying_after_a_change_was_said_does_not_take_it_back(desk, office, buses):
    items = desk.engine.database["trigger_items"]
    await office.news("transit", "announce", id="A")
    await desk.run(buses)
    before = await items.find_one({"item": "A"})
    await office.news("transit", "change", id="A", line="B1")
    await desk.run(buses)
    after = await items.find_one({"item": "A"})
    # killed between saying the change and keeping its revision: only the key was noted
    noted = before | {"state": before["state"] | {"keys": after["state"]["keys"]}}
    await items.replace_one({"_id": before["_id"]}, noted)
    await desk.engine.database["triggers"].update_many({}, {"$set": {"cursor.since": ""}})
    await desk.run(buses)

    assert [each["state"] for each in await desk.said()] == ["cancelled", "scheduled"]


@pytest.mark.parametrize("verb", ["change", "cancel"])
async def test_dying_after_the_first_word_still_lets_the_next_revision_take_its_place(
    desk, office, buses, verb
):
    items = desk.engine.database["trigger_items"]
    await office.news("transit", "announce", id="A")
    await desk.run(buses)
    after = await items.find_one({"item": "A"})
    noted = after | {"revision": 0, "state": {"keys": after["state"]["keys"]}}
    await items.replace_one({"_id": after["_id"]}, noted)
    await office.news("transit", verb, id="A", **({"line": "B1"} if verb == "change" else {}))
    await desk.run(buses)

    first, *later = await desk.said()
    assert first["state"] == "cancelled"
    assert [each["state"] for each in later] == (["scheduled"] if verb == "change" else [])


async def test_long_names_are_cut_to_what_the_card_holds(desk, office, buses):
    await office.news(
        "transit",
        "announce",
        id="A",
        line="高峰专线七百六十五号快车（园博园至会展",
        direction="up",
        stops_skipped=["福田区政府东门公交总站"] * 2 + ["下一站"] * 3,
    )
    await desk.run(buses)

    [said] = await desk.said()
    fields = said["content"]["fields"]
    assert fields["thing1"].endswith("改道")
    assert not [key for key, value in fields.items() if problem_with(key, value)]


# --- policies ---------------------------------------------------------------------------------


async def test_a_policy_is_told_once_with_its_last_day(desk, office, policies):
    await office.news("enterprise", "publish", id="P", days=3)
    await desk.run(policies)
    await desk.engine.database["triggers"].update_many({}, {"$set": {"cursor.since": ""}})
    await desk.run(policies)

    [said] = await desk.said()
    assert said["key"] == "trigger:enterprise_policy:P:1:announced"
    assert said["data"]["matter"] == "专精特新中小企业奖励"
    assert said["url"] == "https://enterprise.sample.example/policies/1"
    assert said["expires_at"] > desk.engine.clock.now() + 3 * 24 * HOUR


async def test_a_policy_whose_last_day_has_passed_is_no_news(desk, office, policies):
    entry = await office.news("enterprise", "publish", id="P")
    await office.news(
        "enterprise",
        "raw",
        entry=entry | {"id": "Q", "apply_until": "2020-01-01T00:00:00+08:00"},
    )
    await desk.run(policies)

    assert [each["key"].split(":")[2] for each in await desk.said()] == ["P"]


async def test_a_revision_is_told_when_the_last_day_moves(desk, office, policies):
    await office.news("enterprise", "publish", id="P", days=10)
    await desk.run(policies)
    await office.news("enterprise", "change", id="P", url="https://enterprise.sample.example/2")
    await desk.run(policies)
    assert await desk.phases() == ["announced"]

    await desk.hear()
    await office.news("enterprise", "change", id="P", days=20)
    await desk.run(policies)
    assert await desk.phases() == ["announced", "changed"]
    assert (await desk.said())[1]["data"]["matter"] == "更新：专精特新中小企业奖励"


async def test_a_last_day_at_the_end_of_the_calendar_means_for_good(desk, office, policies):
    good = await office.news("enterprise", "publish", id="P")
    await office.news("enterprise", "raw", entry=good | {"id": "Q", "apply_until": END_OF_TIME})
    await office.news("enterprise", "publish", id="R")
    await desk.run(policies)

    assert [each["key"].split(":")[2] for each in await desk.said()] == ["P", "Q", "R"]
    assert (await desk.said())[1]["data"]["note"].endswith("发布，长期有效")


async def test_a_policy_taken_back_is_told_to_those_who_heard_of_it(desk, office, policies):
    await office.news("enterprise", "publish", id="P", days=0)
    await desk.run(policies)
    await pretend_sent(desk)
    await office.news("enterprise", "withdraw", id="P")
    await desk.run(policies)

    said = (await desk.said())[-1]
    assert (said["phase"], said["data"]["matter"]) == ("ended", "撤回：专精特新中小企业奖励")
    assert said["content"]["fields"]["thing3"].endswith("已撤回，不再受理")
