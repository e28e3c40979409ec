"""What departments answer is counted over processes, and a notice is read instead of a time-out."""

from datetime import timedelta

import pytest

from connectors.asking import asking_for
from connectors.departments import open_departments
from connectors.watch import Watch
from console.departments import DepartmentDesk
from console.maintenance import MaintenanceDesk
from domain.errors import BrokenContract, DepartmentError, InvalidInput
from domain.ids import AccountId, RegionCode
from domain.maintenance import UnderMaintenance
from storage.mongo.maintenance import MongoMaintenance
from storage.mongo.triggers import MongoTriggers
from storage.redis.department_health import DepartmentHealth
from tests.support.department_server import payload, stub_department

CITY, OTHER = AccountId("city"), AccountId("plain")
FUTIAN = RegionCode("440304")


class Process:
    """One process of ours with the water company at an address."""

    def __init__(self, name, http, url, clock, redis, mongo) -> None:
        self.watch = Watch(clock)
        settings = {"utilities": _at(url)}
        self.departments = open_departments(http, settings, clock, self.watch)
        self.desk = DepartmentDesk(
            self.watch, DepartmentHealth(redis), MongoTriggers(mongo), clock, process=name
        )

    async def ask(self) -> DepartmentError | None:
        try:
            await self.departments.utilities.outages("water", FUTIAN)
        except DepartmentError as error:
            return error
        return None


def _at(url):
    from config.settings import DepartmentSettings

    return DepartmentSettings(base_url=url)


async def water(process: Process):
    _, views = await process.desk.overview(CITY)
    department = next(view for view in views if view.key == "utilities")
    return next(each for each in department.connectors if each.connector.title == "供水部门")


async def test_two_processes_are_seen_as_one(http, clock, redis, mongo):
    async with stub_department(payload("utilities/two_phases"), b"{}", 500) as stub:
        one = Process("a:1", http, stub.url, clock, redis, mongo)
        two = Process("b:2", http, stub.url, clock, redis, mongo)
        first, second, third = await one.ask(), await two.ask(), await two.ask()
        await one.desk.tick()
        await two.desk.tick()

        found = await water(one)
        latency = await one.desk.latency("utilities")

    assert first is None
    assert isinstance(second, BrokenContract)
    assert third is not None
    assert (found.hour.calls, found.hour.errors) == (3, 2)
    assert found.hour.troubles == {"broken": 1, "timeout": 1}
    assert {error.trouble for error in found.errors} == {"broken", "timeout"}
    assert found.state == "failing"
    assert sum(latency.calls) == 3
    assert latency.median[-1] is not None
    assert latency.p95[-1] < 3


async def test_an_open_breaker_of_any_process_is_shown_until_it_is_silent(
    http, clock, redis, mongo
):
    async with stub_department(500) as stub:
        one = Process("a:1", http, stub.url, clock, redis, mongo)
        two = Process("b:2", http, stub.url, clock, redis, mongo)
        for _ in range(6):
            await one.ask()
        await one.desk.tick()
        await two.desk.tick()

        shut = await water(two)
        clock.advance(timedelta(seconds=31))
        await two.desk.tick()
        gone = await water(two)

    assert (shut.state, [seen.process for seen in shut.breakers]) == ("down", ["a:1"])
    assert shut.hour.troubles == {"timeout": 5, "left_alone": 1}
    assert gone.breaker == "closed"


async def test_errors_say_nothing_that_a_department_wrote(http, clock, redis, mongo):
    async with stub_department((403, "张三 440301199001011234"), (404, "no_data")) as stub:
        one = Process("a:1", http, stub.url, clock, redis, mongo)
        await one.ask()
        await one.ask()
        await one.desk.tick()

        found = await water(one)

    assert [(error.trouble, error.reason) for error in found.errors] == [("refused", "other")]
    assert found.hour.errors == 1  # "there is no such thing" is an answer
    kept = [await redis.lrange(k, 0, -1) for k in await redis.keys("wz:departments:errors:*")]
    assert len(kept) == 1
    assert b"4403" not in b"".join(kept[0])


async def test_what_redis_does_not_take_is_written_later(http, clock, redis, mongo):
    async with stub_department(payload("utilities/two_phases")) as stub:
        one = Process("a:1", http, stub.url, clock, redis, mongo)
        await one.ask()
        await redis.set("wz:departments:breakers", "no hash")
        await one.desk.tick()
        await redis.delete("wz:departments:breakers")
        await one.desk.tick()

        assert (await water(one)).hour.calls >= 1


async def test_numbers_are_forgotten_after_hours(http, clock, redis, mongo):
    async with stub_department(payload("utilities/two_phases")) as stub:
        one = Process("a:1", http, stub.url, clock, redis, mongo)
        await one.ask()
        await one.desk.tick()

    assert all(
        [0 < await redis.ttl(key) <= 3 * 3600 for key in await redis.keys("wz:departments:*")]
    )


@pytest.fixture
def desk(mongo, clock) -> MaintenanceDesk:
    return MaintenanceDesk(MongoMaintenance(mongo), clock)


async def put(desk, clock, **more):
    order = {
        "starts_at": None,
        "ends_at": clock.now() + timedelta(hours=2),
        "sentence": "供水系统升级。",
        "by": "op_1",
    }
    return await desk.put(CITY, "utilities", **(order | more))


async def test_citizens_read_the_notice_at_once_and_it_ends_by_itself(
    http, clock, redis, mongo, desk
):
    async with stub_department(payload("utilities/two_phases")) as stub:
        one = Process("a:1", http, stub.url, clock, redis, mongo)
        one.watch.notice_for = desk.notice_for
        await put(desk, clock)

        with asking_for(CITY):
            during = await one.ask()
        with asking_for(OTHER):
            elsewhere = await one.ask()
        ours = await one.ask()
        clock.advance(timedelta(hours=3))
        with asking_for(CITY):
            after = await one.ask()

    assert isinstance(during, UnderMaintenance)
    assert "供水系统升级。" in during.say
    assert "12:00 恢复" in during.say
    assert (elsewhere, ours, after) == (None, None, None)
    assert len(stub.requests) == 3


async def test_a_notice_to_come_stops_nobody_yet(clock, desk):
    await put(desk, clock, starts_at=clock.now() + timedelta(hours=1))

    before = desk.notice_for(CITY, "utilities")
    clock.advance(timedelta(minutes=61))

    assert before is None
    assert desk.notice_for(CITY, "utilities") is not None


async def test_a_notice_can_be_taken_down_and_every_process_learns_of_it(mongo, clock, desk):
    other = MaintenanceDesk(MongoMaintenance(mongo), clock)
    await put(desk, clock)
    await other.refresh()
    stood = other.notice_for(CITY, "utilities")

    ended = await desk.end(CITY, "utilities")
    await other.refresh()

    assert stood is not None
    assert ended is not None
    assert other.notice_for(CITY, "utilities") is None
    assert await desk.end(CITY, "utilities") is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sentence": "  "}, "sentence"),
        ({"sentence": "长" * 201}, "sentence"),
        ({"ends_at": -1}, "ends_at"),
        ({"ends_at": 24 * 15}, "ends_at"),
    ],
)
async def test_a_notice_nobody_would_understand_is_refused(clock, desk, change, field):
    if "ends_at" in change:
        change = {"ends_at": clock.now() + timedelta(hours=change["ends_at"])}

    with pytest.raises(InvalidInput) as refused:
        await put(desk, clock, **change)

    assert refused.value.field == field
