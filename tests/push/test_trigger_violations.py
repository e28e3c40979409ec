"""The violation watch, from bound vehicles and the sandbox's traffic police to notices."""

import asyncio
from datetime import timedelta

import pytest

from config.settings import DepartmentSettings
from connectors.http import DepartmentClient
from connectors.traffic import DEPARTMENT, HttpTrafficPolice
from domain.ids import OpenId, TopicId
from domain.people import Subscription
from push.triggers.violations import CLAIM, ViolationTrigger, card
from storage.mongo.vehicle_watch import MongoVehicleWatch, Pending
from subscriptions.bindings import BindingService
from subscriptions.service import Subscriptions
from tests.support.department_server import sandbox_departments
from tests.support.departments import FakeTraffic, at, violation
from tests.support.push import CITY
from tests.support.triggers import A_DAY, Desk, Office

FINES = TopicId("traffic.violation")
PLATE = "粤B88888"
OTHER = "粤BD12345"


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
async def watch(desk, fields):
    store = MongoVehicleWatch(desk.engine.database, fields)
    await desk.engine.database[store.collection].create_indexes(list(store.indexes))
    return store


@pytest.fixture
def new_trigger(desk, office, http, clock, watch):
    """Build the trigger of one more process."""

    def build(**options) -> ViolationTrigger:
        settings = DepartmentSettings(base_url=f"{office.url}/traffic")
        traffic = HttpTrafficPolice(DepartmentClient(http, DEPARTMENT, settings, clock))
        one = desk.engine
        return ViolationTrigger(traffic, watch, desk.items, one.audiences, one.people, **options)

    return build


@pytest.fixture
def bind(desk, clock):
    """Let somebody bind a vehicle and follow the topic."""
    service = BindingService(desk.engine.people, clock)
    subscriptions = Subscriptions(desk.engine.people)

    async def bind(openid: str, plate: str = PLATE, digits: str = "6666") -> None:
        who = (CITY, OpenId(openid))
        await service.bind_vehicle(*who, plate, None, digits)
        await subscriptions.subscribe(*who, Subscription(topic=FINES, subject="vehicle"))

    return bind


async def look(desk, engine) -> None:
    """Let a period pass and everything be looked at."""
    desk.engine.clock.advance(A_DAY + timedelta(seconds=10))  # a place in the day has some jitter
    await desk.run(engine)


async def notices(desk) -> list[dict]:
    cursor = desk.engine.database["broadcasts"].find({"kind": "notice"})
    return await cursor.sort("created_at", 1).to_list()


async def fields_of(desk, notice) -> dict:
    job = await desk.engine.jobs.load(notice["_id"])
    return dict(job.content.fields)


@pytest.fixture
async def watching(desk, new_trigger, bind):
    """An engine that has its baseline of one vehicle."""
    await bind("oA")
    engine = desk.new(new_trigger())
    await desk.run(engine)
    await look(desk, engine)
    return engine


async def test_the_first_answer_about_a_vehicle_is_its_baseline(desk, watching):
    assert await notices(desk) == []
    row = await desk.engine.database["vehicle_watch"].find_one()
    assert len(row["seen"]) == 2


async def test_new_records_of_a_day_are_one_notice_with_the_plate_masked(desk, office, watching):
    await office.news("traffic", "violate", plate=PLATE)
    await office.news("traffic", "violate", plate=PLATE, act="1625")
    await look(desk, watching)

    [notice] = await notices(desk)
    assert notice["topic"] == "traffic.violation"
    assert notice["notice"]["matched"] == 1
    fields = await fields_of(desk, notice)
    assert fields["thing1"] == "粤B****8"
    assert fields["thing4"].startswith("新增2条：")
    assert fields["amount5"] == "400元"
    await look(desk, watching)
    assert len(await notices(desk)) == 1


async def test_what_comes_later_the_same_day_is_told_with_the_next_day(
    desk, office, new_trigger, bind, clock
):
    await bind("oA")
    engine = desk.new(new_trigger(period=timedelta(minutes=1)))
    for _ in range(2):
        clock.advance(timedelta(minutes=2))
        await desk.run(engine)
    for _ in range(2):
        await office.news("traffic", "violate", plate=PLATE)
        clock.advance(timedelta(minutes=2))
        await desk.run(engine)
    assert len(await notices(desk)) == 1

    await look(desk, engine)

    [_, later] = await notices(desk)
    assert (await fields_of(desk, later))["thing4"].startswith("新增1条：")


async def test_a_record_that_wants_nothing_done_is_no_news(desk, office, watching):
    await office.news("traffic", "violate", plate=PLATE, handled=True)
    await look(desk, watching)

    assert await notices(desk) == []


async def test_one_vehicle_of_two_people_is_asked_about_once_and_both_are_told(
    desk, office, new_trigger, bind
):
    await bind("oA")
    await bind("oB")
    await bind("oC", OTHER, "5678")
    engine = desk.new(new_trigger())
    await desk.run(engine)
    await look(desk, engine)
    await office.news("traffic", "violate", plate=PLATE)
    await look(desk, engine)

    [notice] = await notices(desk)
    assert notice["notice"]["matched"] == 2
    assert await desk.engine.database["vehicle_watch"].count_documents({}) == 2


async def test_a_vehicle_that_nobody_has_any_more_is_not_asked_about(desk, watching, clock):
    [vehicle] = (await desk.engine.people.bindings(CITY, OpenId("oA"))).vehicles
    await BindingService(desk.engine.people, clock).unbind(CITY, OpenId("oA"), vehicle.id)
    await look(desk, watching)

    assert await desk.engine.database["vehicle_watch"].count_documents({}) == 0


async def test_followers_without_a_vehicle_are_passed_over(desk, new_trigger):
    await desk.engine.follow(5, topic=FINES)
    engine = desk.new(new_trigger())
    await desk.run(engine)

    assert await desk.engine.database["vehicle_watch"].count_documents({}) == 0
    assert (await desk.row("violation")).failures == 0


async def test_the_sweep_goes_on_where_it_stopped_and_begins_again(desk, new_trigger, bind):
    for number in range(5):
        await bind(f"oA{number}", f"粤B1000{number}", f"000{number}")
    engine = desk.new(new_trigger(slice_=2))
    counts = []
    for _ in range(4):
        await desk.run(engine)
        counts.append(await desk.engine.database["vehicle_watch"].count_documents({}))
        items = await desk.engine.database["trigger_items"].find().to_list()
        assert "oA" not in str(items)  # where it stopped is kept encrypted

    assert counts == [2, 4, 5, 5]
    assert (await desk.row("violation")).since == ""  # an openid is not for everybody's eyes


async def test_a_department_that_is_down_is_left_alone_and_the_rest_is_done_later(
    desk, office, watching, caplog
):
    await office.news("traffic", "violate", plate=PLATE)
    await office.fault("traffic", "500")
    await look(desk, watching)
    assert await notices(desk) == []

    await office.fault("traffic", "none")
    desk.engine.clock.advance(CLAIM + timedelta(seconds=5))
    await desk.run(watching)

    assert len(await notices(desk)) == 1


async def test_three_failures_end_the_look_and_are_the_triggers_failure(
    desk, office, new_trigger, bind
):
    for number in range(8):
        await bind(f"oA{number}", f"粤B1000{number}", f"000{number}")
    engine = desk.new(new_trigger())
    await desk.run(engine)
    await office.fault("traffic", "500")
    await look(desk, engine)

    row = await desk.row("violation")
    assert row.failures == 1
    assert "公安交管部门" in row.last_error
    assert "粤B" not in row.last_error


async def test_dying_between_telling_and_noting_doubles_nothing_even_over_midnight(
    desk, office, watching, watch, clock
):
    await office.news("traffic", "violate", plate=PLATE)
    before = await desk.engine.database["vehicle_watch"].find_one()
    await look(desk, watching)
    after = await desk.engine.database["vehicle_watch"].find_one()
    # killed after telling: the row still says what it said when the notice had been noted down
    new = [hash_ for hash_ in after["seen"] if hash_ not in before["seen"]]
    await desk.engine.database["vehicle_watch"].replace_one(
        {"_id": before["_id"]},
        before | {"pending": {"day": after["announced_on"], "records": new}},
    )
    await look(desk, watching)
    await look(desk, watching)

    assert len(await notices(desk)) == 1


async def test_an_answer_that_is_empty_by_mistake_makes_no_old_record_new(
    desk, new_trigger, bind, watch
):
    records = (violation(seq="1"), violation(seq="2"))
    police, one = FakeTraffic(records=records), desk.engine
    await bind("oA")
    engine = desk.new(ViolationTrigger(police, watch, desk.items, one.audiences, one.people))
    await desk.run(engine)
    await look(desk, engine)
    police.records = ()
    await look(desk, engine)
    police.records = records
    await look(desk, engine)

    assert await notices(desk) == []


async def test_two_processes_never_ask_about_one_vehicle_at_once(desk, watch, bind, new_trigger):
    for number in range(6):
        await bind(f"oA{number}", f"粤B1000{number}", f"000{number}")
    await desk.run(desk.new(new_trigger()))
    now = desk.engine.clock.advance(A_DAY + timedelta(seconds=10))

    claims = await asyncio.gather(
        *(watch.claim(CITY, now=now, until=now + CLAIM) for _ in range(12))
    )

    vehicles = [claim.vehicle for claim in claims if claim]
    assert len(vehicles) == len(set(vehicles)) == 6


async def test_a_process_that_slept_over_its_claim_changes_nothing(desk, watch, watching):
    async def claim():
        now = desk.engine.clock.advance(A_DAY + CLAIM)
        return await watch.claim(CITY, now=now, until=now + CLAIM)

    slept, awake = await claim(), await claim()
    later = desk.engine.clock.now() + A_DAY
    assert await watch.note(CITY, awake, Pending(day="2026-11-26", records=("new",)))
    assert not await watch.note(CITY, slept, Pending(day="2026-11-25", records=("old",)))
    await watch.done(CITY, slept, seen=(), announced_on="2026-11-25", next_at=later)
    await watch.postpone(CITY, slept, later)
    await watch.drop(CITY, slept)

    row = await desk.engine.database["vehicle_watch"].find_one()
    assert (row["pending"]["records"], row["next_at"]) == (["new"], awake.until)


async def test_nothing_of_the_watch_is_kept_in_plain(desk, office, watching):
    await office.news("traffic", "violate", plate=PLATE, seq="RECORD4711")
    await look(desk, watching)

    for name in ("vehicle_watch", "trigger_items", "triggers", "broadcasts"):
        kept = str(await desk.engine.database[name].find().to_list())
        assert PLATE not in kept
        assert "RECORD4711" not in kept


def test_the_card_tells_the_latest_place_and_the_sum():
    new = [
        violation(at=at("11-20 08:00"), place="滨海大道沙河西立交", fine=20_000),
        violation(at=at("11-21 08:00"), place="深南大道与上步路路口", fine=15_050),
    ]

    assert card(new)["place"] == "深南大道与上步路路口、滨海大道沙河西立交"
    assert card(new)["fine"] == "350.50元"
