"""Alerts from CAP documents to broadcasts: the desk, the feed, and what never goes out (3.5)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from config.settings import DepartmentSettings
from connectors.alert_feed import DEPARTMENT, AlertPage, HttpAlertFeed, Listed
from connectors.http import DepartmentClient, Document
from domain.alert import CapRefused
from domain.clock import BEIJING
from domain.errors import DepartmentTimeout
from domain.ids import OpenId, TopicId
from push.triggers.alert_feed import LONGEST, LONGEST_WAIT, PATIENCE, TRIES, AlertTrigger
from push.triggers.alerts import AlertDesk
from storage.mongo.alerts import MongoAlertRefusals, MongoAlerts
from tests.support.caps import cap, reference
from tests.support.department_server import sandbox_departments
from tests.support.push import CITY
from tests.support.triggers import Desk, Office

WEATHER = TopicId("weather.alert")
EVERYWHERE: tuple[str, ...] = ()


def make_desk(engine) -> AlertDesk:
    return AlertDesk(
        MongoAlerts(engine.database),
        MongoAlertRefusals(engine.database),
        engine.broadcasts,
        engine.store,
        engine.notices,
        engine.accounts,
        engine.catalogue,
        engine.clock,
    )


@pytest.fixture
async def desk(engine) -> Desk:
    desk = Desk(engine)
    await desk.create_indexes()
    for store in (MongoAlerts(engine.database), MongoAlertRefusals(engine.database)):
        await engine.database[store.collection].create_indexes(list(store.indexes))
    return desk


@pytest.fixture
def alerts(engine, desk) -> AlertDesk:
    return make_desk(engine)


@pytest.fixture
async def office(http, clock):
    async with sandbox_departments(clock) as url:
        yield Office(http, url)


@pytest.fixture
def new_trigger(desk, alerts, office, http, clock):
    """Build the trigger of one more process."""

    def build(*, page_size: int = 20) -> AlertTrigger:
        settings = DepartmentSettings(base_url=f"{office.url}/weather")
        client = DepartmentClient(http, DEPARTMENT, settings, clock)
        return AlertTrigger(HttpAlertFeed(client, page_size=page_size), alerts, desk.items)

    return build


@pytest.fixture
def triggers(desk, new_trigger):
    return desk.new(new_trigger())


async def receive(alerts: AlertDesk, document: bytes):
    return await alerts.receive(CITY, document, via="test")


async def refusals(alerts: AlertDesk) -> list[str]:
    return [each.reason for each in (await alerts.latest(CITY))[1]]


def move_to(clock, moment: str) -> datetime:
    clock.advance(datetime.fromisoformat(moment).replace(tzinfo=BEIJING) - clock.now())
    return clock.now()


async def let_finish(desk: Desk) -> None:
    """Let every broadcast be finished, as if the workers had been there."""
    await desk.engine.database["broadcasts"].update_many(
        {"state": {"$in": ["scheduled", "sending"]}},
        {"$set": {"state": "finished", "started_at": datetime.now(UTC)}},
    )


# --- the feed ---------------------------------------------------------------------------------


async def test_a_bad_document_is_skipped_with_its_reason_and_the_feed_goes_on(
    desk, alerts, office, triggers, clock
):
    laughs = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">]><alert>&a;</alert>'
    await office.news("weather", "document", xml="<alert", name="broken.xml")
    await office.news("weather", "document", xml=laughs)
    await office.news("weather", "document", xml="<html/>")
    await office.news("weather", "lost")
    await office.news("weather", "raw", entry={"id": "x", "document": "/../../etc/passwd"})
    await office.news("weather", "raw", entry={"id": "x", "document": "http://elsewhere/x"})
    await office.news("weather", "issue", id="W")
    for _ in range(TRIES):
        await desk.run(triggers)
        clock.advance(LONGEST_WAIT)

    assert await desk.phases() == ["orange"]
    assert sorted(await refusals(alerts)) == [
        "doctype_not_allowed",
        "not_an_alert",
        "not_available",
        "not_xml",
    ]
    row = await desk.row("alert")
    assert row.failures == 0
    assert row.since


async def test_a_document_that_does_not_come_keeps_nothing_behind_it_waiting(desk, alerts, clock):
    feed = Flaky(missing={"A"})
    engine = desk.new(AlertTrigger(feed, alerts, desk.items))
    await desk.run(engine)
    assert (await desk.phases(), await refusals(alerts)) == (["orange"], [])
    row = await desk.row("alert")
    assert (row.failures, row.since) == (0, "end")

    clock.advance(LONGEST)
    await desk.run(engine)
    clock.advance(timedelta(hours=1))
    asked = len(feed.asked)
    await desk.run(engine)

    assert await refusals(alerts) == ["not_available"]
    assert len(feed.asked) == asked


async def test_hours_of_trouble_at_the_office_cost_no_alert(desk, alerts, clock):
    feed = Flaky(missing=set("ABCDEFGH"), names="ABCDEFGH")
    engine = desk.new(AlertTrigger(feed, alerts, desk.items))
    for _ in range(8):
        await desk.run(engine)
        clock.advance(timedelta(minutes=15))
    assert len(feed.asked) <= 8 * PATIENCE

    feed.missing.clear()
    await desk.run(engine)

    assert sorted({path[-1] for path in feed.asked[-8:]}) == list("ABCDEFGH")
    assert await desk.phases() == ["orange"] * 8
    assert await refusals(alerts) == []


class Flaky:
    """A feed some of whose documents do not come."""

    def __init__(self, missing: set[str], names: str = "AB") -> None:
        self.missing = missing
        self.asked: list[str] = []
        self._names = names

    async def changes(self, *, since: str, etag: str) -> AlertPage:
        names = "" if since else self._names
        listed = tuple(Listed(id=name, path=f"/documents/{name}") for name in names)
        return AlertPage(listed=listed, next="end", etag="", more=False, is_unchanged=False)

    async def document(self, path: str) -> Document:
        self.asked.append(path)
        if path[-1] in self.missing:
            raise DepartmentTimeout("气象台", "no answer in 3 seconds")
        return Document(content=cap(path[-1], datetime.now(UTC), level="orange"))


async def test_the_office_down_is_a_failure_that_passes(desk, office, triggers):
    await office.news("weather", "issue")
    await office.fault("weather", "500")
    await desk.run(triggers)
    assert (await desk.row("alert")).failures == 1

    await office.fault("weather", "none")
    await desk.run(triggers)
    assert await desk.phases() == ["orange"]


async def test_the_feed_from_the_beginning_and_two_processes_say_nothing_twice(
    desk, office, triggers, new_trigger
):
    await office.news("weather", "issue")
    await desk.run(triggers)
    await desk.engine.database["trigger_items"].delete_many({})
    await office.news("weather", "reset", feed="alerts")
    await asyncio.gather(desk.run(triggers), desk.run(desk.new(new_trigger())))

    assert await desk.phases() == ["orange"]


async def test_the_feed_and_the_api_together_say_it_once(desk, alerts, office, triggers):
    published = await office.news("weather", "issue")
    first = await receive(alerts, published["xml"].encode())
    await desk.run(triggers)

    assert first.is_new
    assert await desk.phases() == ["orange"]


# --- what goes out ----------------------------------------------------------------------------


async def test_the_issuers_words_and_time_are_relayed(desk, alerts, clock):
    sent = move_to(clock, "2026-11-24 09:30")
    document = cap("a", sent, level="red", issuer="样例市气象台", web="https://w.example/a")
    heard = await receive(alerts, document)

    [said] = await desk.said()
    assert heard.broadcasts == (said["_id"],)
    assert said["content"]["fields"] == {
        "thing1": "市气象台发布暴雨预警（red）",
        "phrase2": "红色预警",
        "thing3": "样例市气象台",
        "time4": "2026年11月24日 09:30",
    }
    assert said["url"] == "https://w.example/a"
    assert (said["audience"]["topics"], said["audience"]["regions"]) == (
        ["weather.alert"],
        ["440304"],
    )


@pytest.mark.parametrize(
    ("level", "wakes"),
    [("red", True), ("orange", True), ("yellow", False), ("blue", False), ("grey", False)],
)
async def test_only_red_and_orange_break_quiet_hours(make_engine, clock, level, wakes):
    from datetime import time

    engine = await make_engine(quiet_hours=(time(22), time(7)))
    desk, alerts = Desk(engine), make_desk(engine)
    now = move_to(clock, "2026-11-24 23:30")
    await receive(alerts, cap("a", now, level=level, expires=now + timedelta(hours=12)))
    await engine.plan()
    [said] = await desk.said()
    assert said["priority"] == ("urgent" if wakes else "normal")
    assert (said["state"] != "scheduled") == wakes

    move_to(clock, "2026-11-25 07:00")
    await engine.plan()
    assert [each["state"] != "scheduled" for each in await desk.said()] == [True]


async def test_it_is_not_relayed_after_it_expires(desk, alerts, clock):
    now = clock.now()
    await receive(alerts, cap("a", now, expires=now + timedelta(hours=2)))
    [said] = await desk.said()
    assert abs(said["expires_at"] - (now + timedelta(hours=2))) < timedelta(seconds=2)

    heard = await receive(alerts, cap("b", now, expires=now - timedelta(seconds=1)))
    assert (heard.record.action, heard.record.reason) == ("ignored", "expired")


@pytest.mark.parametrize("status", ["Exercise", "Test", "System", "Draft"])
async def test_exercises_and_tests_are_kept_and_never_go_out(desk, alerts, clock, status):
    heard = await receive(alerts, cap("a", clock.now(), status=status, level="red"))

    assert (heard.record.action, heard.record.reason) == ("ignored", status.lower())
    assert await desk.said() == []
    [listed] = (await alerts.latest(CITY))[0]
    assert (listed.status, listed.level) == (status, "red")


async def test_an_exercise_does_not_take_back_what_waits(desk, alerts, clock):
    now = clock.now()
    await receive(alerts, cap("a", now, level="yellow"))
    for kind in ("Update", "Cancel"):
        refers = reference("a", now)
        document = cap(kind, now, kind=kind, status="Exercise", references=refers)
        await receive(alerts, document)

    assert [each["state"] for each in await desk.said()] == ["scheduled"]


async def test_the_same_triple_is_a_duplicate_whatever_its_zone_is_written_as(desk, alerts, clock):
    document = cap("a", clock.now())
    first = await receive(alerts, document)
    again = await receive(alerts, document)

    assert (first.is_new, again.is_new) == (True, False)
    assert again.broadcasts == first.broadcasts
    assert len(await desk.said()) == 1


async def test_a_hundred_at_once_say_it_once(desk, engine, clock):
    document = cap("a", clock.now())
    desks = [make_desk(engine) for _ in range(4)]
    heard = await asyncio.gather(*(receive(desks[n % 4], document) for n in range(40)))

    assert sum(each.is_new for each in heard) == 1
    assert len({each.broadcasts for each in heard}) == 1
    assert len(await desk.said()) == 1


async def test_upgrades_push_downgrades_do_not_and_outdated_ones_are_taken_back(
    desk, alerts, clock
):
    now = clock.now()
    refers = reference("a", now)
    await receive(alerts, cap("a", now, level="yellow"))
    later = now + timedelta(minutes=1)
    await receive(alerts, cap("b", later, kind="Update", references=refers, level="red"))
    assert [(each["phase"], each["state"]) for each in await desk.said()] == [
        ("yellow", "cancelled"),
        ("red", "scheduled"),
    ]

    await let_finish(desk)
    lower = cap("c", later, kind="Update", references=refers, level="blue")
    heard = await receive(alerts, lower)
    assert (heard.record.action, heard.record.reason) == ("ignored", "downgrade")
    assert await desk.phases() == ["yellow", "red"]


async def test_a_waiting_card_is_replaced_by_its_update_of_the_same_level(desk, alerts, clock):
    now = clock.now()
    await receive(alerts, cap("a", now, level="yellow", headline="一"))
    refers = reference("a", now)
    await receive(
        alerts, cap("b", now, kind="Update", references=refers, level="yellow", headline="二")
    )

    assert [(each["data"]["headline"], each["state"]) for each in await desk.said()] == [
        ("一", "cancelled"),
        ("二", "scheduled"),
    ]


async def test_an_update_that_comes_late_takes_back_nothing_that_is_newer(desk, alerts, clock):
    now = clock.now()
    first, second = (now + timedelta(minutes=minute) for minute in (1, 2))
    await receive(alerts, cap("a", now, level="yellow"))
    both = f"{reference('a', now)} {reference('b', first)}"
    await receive(alerts, cap("c", second, kind="Update", references=both, level="orange"))
    late = cap("b", first, kind="Update", references=reference("a", now), level="yellow")
    heard = await receive(alerts, late)

    assert heard.record.reason == "superseded"
    assert [(each["phase"], each["state"]) for each in await desk.said()] == [
        ("yellow", "cancelled"),
        ("orange", "scheduled"),
    ]


async def test_orphans_are_kept_and_shown(desk, alerts, clock):
    now = clock.now()
    unknown = reference("nobody-knows", now)
    update = await receive(alerts, cap("u", now, kind="Update", references=unknown))
    cancel = await receive(alerts, cap("c", now, kind="Cancel", references=unknown))

    assert (update.record.action, update.record.is_orphan) == ("sent", True)
    assert (cancel.record.action, cancel.record.is_orphan) == ("orphan", True)
    assert [each.is_orphan for each in (await alerts.latest(CITY))[0]] == [True, True]


async def test_updates_of_an_alert_that_never_came_are_told_once_and_ended(desk, alerts, clock):
    unknown = reference("nobody-knows", clock.now())

    async def hear(name: str, kind: str) -> str:
        clock.advance(timedelta(minutes=1))
        document = cap(name, clock.now(), kind=kind, references=unknown)
        return (await receive(alerts, document)).record.action

    assert await hear("u1", "Update") == "sent"
    await let_finish(desk)
    assert await hear("u2", "Update") == "ignored"
    assert await hear("c", "Cancel") == "sent"
    assert await desk.phases() == ["orange", "cancel"]


async def test_a_push_that_could_not_be_made_does_not_silence_its_update(desk, alerts, clock):
    now = clock.now()
    await receive(alerts, cap("a", now))
    await desk.engine.database["broadcasts"].delete_many({})
    update = cap("b", now + timedelta(minutes=1), kind="Update", references=reference("a", now))

    assert (await receive(alerts, update)).record.action == "sent"


@pytest.mark.parametrize(
    ("area", "regions"),
    [
        ("福田区", ["440304"]),
        ("福田区和南山区", []),
        ("福田区以外", []),
        ("福田区园岭街道", ["440304"]),
    ],
)
async def test_a_name_is_believed_if_nothing_else_stands_behind_it(
    desk, alerts, clock, area, regions
):
    await receive(alerts, cap("a", clock.now(), regions=(), area=area))

    [said] = await desk.said()
    assert said["audience"]["regions"] == regions


# --- the end ----------------------------------------------------------------------------------


async def test_the_end_goes_only_to_those_who_got_the_alert(desk, engine, alerts, clock):
    people = await engine.follow(8, topic=WEATHER)
    now = clock.now()
    await receive(alerts, cap("a", now, level="red", area="海面", regions=EVERYWHERE))
    async with engine.working():
        await engine.finished((await desk.said())[0]["_id"])
    late = [OpenId(f"oLate{n:022d}") for n in range(3)]
    await engine.add_people(late, topic=WEATHER)

    document = cap("c", now, kind="Cancel", references=reference("a", now), headline="解除了")
    heard = await receive(alerts, document)
    clock.advance(timedelta(minutes=1))
    async with engine.working():
        counts = await engine.finished(heard.broadcasts[0])

    assert (counts.audience, counts.sent) == (8, 8)
    assert set(engine.platform.cards_per_person) == set(people)
    assert set(engine.platform.cards_per_person.values()) == {2}
    assert (await desk.said())[1]["content"]["fields"]["phrase2"] == "已解除"


async def test_the_end_of_what_still_waits_is_told_to_nobody(desk, alerts, clock):
    now = clock.now()
    await receive(alerts, cap("a", now, level="blue"))
    heard = await receive(alerts, cap("c", now, kind="Cancel", references=reference("a", now)))

    assert (heard.record.action, heard.record.reason) == ("ignored", "nobody_told")
    assert [each["state"] for each in await desk.said()] == ["cancelled"]


async def test_who_got_a_level_does_not_get_it_again_when_the_area_grows(
    desk, engine, alerts, clock
):
    first = await engine.follow(5, topic=WEATHER)
    now = clock.now()
    one = cap("a", now, level="orange", regions=("440304",))
    heard = await receive(alerts, one)
    await engine.database["broadcasts"].update_one(
        {"_id": heard.broadcasts[0]}, {"$set": {"audience.regions": []}}
    )  # these five follow without a region
    async with engine.working():
        await engine.finished(heard.broadcasts[0])
    more = [OpenId(f"oMore{n:022d}") for n in range(3)]
    await engine.add_people(more, topic=WEATHER)
    refers = reference("a", now)
    wider = cap("b", now, kind="Update", references=refers, level="orange", regions=EVERYWHERE)
    heard = await receive(alerts, wider)
    async with engine.working():
        counts = await engine.finished(heard.broadcasts[0])

    assert counts.sent == 3
    assert set(engine.platform.cards_per_person) == {*first, *more}
    assert set(engine.platform.cards_per_person.values()) == {1}


# --- crashes ----------------------------------------------------------------------------------


async def test_what_was_decided_and_not_said_does_not_go_out_after_its_end(
    desk, engine, alerts, triggers, clock
):
    now = clock.now()
    await receive(alerts, cap("a", now))
    # killed between the decision and the push
    await engine.database["broadcasts"].delete_many({})
    await engine.database["alerts"].update_many({}, {"$set": {"is_done": False}})
    end = cap("c", now, kind="Cancel", references=reference("a", now))
    heard = await receive(alerts, end)
    clock.advance(timedelta(minutes=1))
    await desk.run(triggers)  # sweeps

    assert heard.record.reason == "nobody_told"
    assert [each["state"] for each in await desk.said()] == ["cancelled"]


@pytest.mark.parametrize("way", ["heard again", "swept"])
async def test_a_process_that_dies_before_it_says_it_leaves_it_to_the_next(
    desk, engine, alerts, triggers, clock, way
):
    class Killed(Exception):
        pass

    class DyingBroadcasts:
        async def create(self, *_, **__):
            raise Killed

    dying = make_desk(engine)
    dying._broadcasts = DyingBroadcasts()
    document = cap("a", clock.now())
    with pytest.raises(Killed):
        await receive(dying, document)
    assert await desk.said() == []

    if way == "heard again":
        assert not (await receive(alerts, document)).is_new
    else:
        clock.advance(timedelta(minutes=1))
        await desk.run(triggers)
    assert await desk.phases() == ["orange"]
    assert (await MongoAlerts(engine.database).unfinished(CITY, clock.now())) == []


async def test_a_headline_that_is_too_long_is_cut_and_never_refused(desk, alerts, clock):
    long = "市气象台、市应急管理局联合发布暴雨橙色预警信号请市民注意防范" * 3
    await receive(alerts, cap("a", clock.now(), headline=long, issuer="气" * 50))

    [said] = await desk.said()
    assert said["content"]["fields"]["thing1"].startswith("市气象台、市应急管理局")
    assert len(said["content"]["fields"]["thing1"]) <= 20
    assert said["content"]["fields"]["phrase2"] == "橙色预警"


@pytest.mark.parametrize("kind", ["thing", "phrase", "name"])
async def test_an_issuer_fits_whatever_type_the_template_has_for_it(desk, alerts, clock, kind):
    city = desk.engine.accounts[CITY]
    mapped = city.templates["alert_notice"]
    fields = {key: name for key, name in mapped.fields.items() if name != "issuer"}
    changed = mapped.model_copy(update={"fields": {**fields, f"{kind}9": "issuer"}})
    desk.engine.accounts[CITY] = city.model_copy(
        update={"templates": {**city.templates, "alert_notice": changed}}
    )
    heard = await receive(
        alerts, cap("a", clock.now(), issuer="深圳市突发事件预警信息发布中心（2）")
    )

    assert heard.record.action == "sent"
    [said] = await desk.said()
    assert said["content"]["fields"][f"{kind}9"].startswith("深圳市突发")


async def test_a_refused_document_is_kept_once_with_its_count(alerts):
    for _ in range(3):
        with pytest.raises(CapRefused):
            await receive(alerts, b"<alert")

    [refusal] = (await alerts.latest(CITY))[1]
    assert (refusal.reason, refusal.times, refusal.source) == ("not_xml", 3, "test")
