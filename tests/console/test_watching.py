"""Records of what goes wrong, and the robot that tells the group: against a real HTTP server."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from connectors.robot import MOST_BYTES, NotTold, Robot, fitted
from console.conditions import Look
from console.watching import Teller, Watch, plain
from domain.ids import AccountId
from domain.incident import Condition
from storage.mongo.incidents import MongoIncidents

CITY, PLAIN = AccountId("city"), AccountId("plain")
SECRET = "693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa"


@dataclass
class Group:
    """A group's robot as the platform runs it."""

    url: str
    heard: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)  # what to answer next; else that all is well
    hangs: bool = False


class RobotPage(RequestHandler):
    group: Group

    def initialize(self, group: Group) -> None:
        self.group = group

    async def post(self) -> None:
        assert self.get_argument("key") == SECRET
        content = json.loads(self.request.body)
        assert content["msgtype"] == "markdown"
        text = content["markdown"]["content"]
        assert len(text.encode()) <= MOST_BYTES
        self.group.heard.append(text)
        if self.group.hangs:
            await asyncio.sleep(0)
            self.request.connection.stream.close()
            return
        answer = self.group.answers.pop(0) if self.group.answers else {"errcode": 0}
        if isinstance(answer, int):
            self.set_status(answer)
            self.finish("not today")
            return
        self.finish(answer)


@pytest.fixture
async def group(free_port: int) -> AsyncIterator[Group]:
    opened = Group(f"http://127.0.0.1:{free_port}/cgi-bin/webhook/send?key={SECRET}")
    server = HTTPServer(Application([("/cgi-bin/webhook/send", RobotPage, {"group": opened})]))
    server.listen(free_port, "127.0.0.1")
    yield opened
    server.stop()
    await server.close_all_connections()


@pytest.fixture
async def store(mongo) -> MongoIncidents:
    await mongo[MongoIncidents.collection].create_indexes(list(MongoIncidents.indexes))
    return MongoIncidents(mongo)


@pytest.fixture
def teller(store, group, http, clock) -> Teller:
    return another_teller(store, group, http, clock)


def another_teller(store, group, http, clock) -> Teller:
    robot = Robot(http, group.url)
    return Teller(store, robot, clock, names={CITY: "测试市"}, console="https://city.example")


def paused(number: int = 1, **changes: Any) -> Condition:
    fields = {
        "kind": "broadcast.paused",
        "what": f"broadcast.paused|bc_{number}",
        "subject": f"停水通知{number}",
        "detail": "50 of 50 messages failed",
        "account": CITY,
        **changes,
    }
    return Condition(**fields)


class Looks:
    """Conditions as a test has them."""

    def __init__(self) -> None:
        self.found: list[Condition] = []
        self.fails = False

    async def ask(self) -> list[Condition]:
        if self.fails:
            raise TimeoutError
        return self.found

    def looks(self) -> tuple[Look, ...]:
        return (Look(name="paused", kinds=("broadcast.paused",), ask=self.ask),)


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def watch(looks, store, clock) -> Watch:
    return Watch(looks, store, clock, tells=True)


def ours(caplog: pytest.LogCaptureFixture) -> str:
    """Return what we logged, with all fields: the test's server logs the address it is asked."""
    return " ".join(str(each.__dict__) for each in caplog.records if each.name != "tornado.access")


async def round_of(teller: Teller, clock, *, times: int = 1) -> None:
    for _ in range(times):
        await teller.tick()
        clock.advance(timedelta(seconds=3))


# --- records -----------------------------------------------------------------------------------


async def test_a_condition_seen_often_and_by_several_is_one_record(watch, looks, store, clock):
    looks.found = [paused()]
    other = Watch(looks, store, clock, tells=True)

    await asyncio.gather(watch.tick(), other.tick(), watch.tick(), other.tick())
    clock.advance(timedelta(seconds=15))
    await watch.tick()

    [record] = await store.list_(CITY)
    assert record.is_unread
    assert record.over_at is None
    assert await store.list_(PLAIN) == []


async def test_it_is_over_when_not_seen_for_two_minutes_and_a_new_one_begins_then(
    watch, looks, store, clock
):
    looks.found = [paused()]
    await watch.tick()
    looks.found = []
    clock.advance(timedelta(seconds=90))
    await watch.tick()
    assert [record.over_at for record in await store.list_(CITY)] == [None]

    clock.advance(timedelta(seconds=60))
    await watch.tick()
    looks.found = [paused()]
    await watch.tick()

    assert [record.over_at is None for record in await store.list_(CITY)] == [True, False]


async def test_a_look_that_fails_ends_nothing(watch, looks, store, clock, caplog):
    looks.found = [paused()]
    await watch.tick()
    looks.fails = True
    clock.advance(timedelta(minutes=5))

    await watch.tick()

    assert [record.over_at for record in await store.list_(CITY)] == [None]
    assert "incident.not_looked" in caplog.text


async def test_the_first_who_says_that_they_know_is_kept(watch, looks, store, clock):
    looks.found = [paused(), paused(2, account=None)]
    await watch.tick()
    records = {record.condition.account: record for record in await store.list_(CITY)}
    first, second = records[CITY], records[None]

    assert await store.acknowledge(first.id, CITY, "王芳", clock.now())
    assert await store.acknowledge(first.id, CITY, "李敏", clock.now())
    assert await store.acknowledge(second.id, CITY, "王芳", clock.now())
    assert not await store.acknowledge(first.id, PLAIN, "别人", clock.now())

    assert {record.acknowledged_by for record in await store.list_(CITY)} == {"王芳"}


async def test_without_a_robot_nothing_waits_to_be_told(looks, store, clock):
    looks.found = [paused()]
    await Watch(looks, store, clock, tells=False).tick()

    assert not await store.is_any_due(clock.now() + timedelta(days=1))


# --- the robot ---------------------------------------------------------------------------------


async def test_the_group_hears_of_each_event_once(watch, looks, teller, group, clock, caplog):
    caplog.set_level(logging.DEBUG)
    looks.found = [paused(), paused(2)]
    await watch.tick()
    await watch.tick()

    await round_of(teller, clock, times=5)

    assert len(group.heard) == 2
    assert "群发任务自动暂停" in group.heard[0]
    assert "测试市" in group.heard[0]
    assert "https://city.example/admin/a/city/" in group.heard[0]
    assert SECRET not in ours(caplog)


async def test_two_schedulers_send_it_once_and_at_most_twenty_a_minute(
    watch, looks, store, teller, group, http, clock
):
    looks.found = [paused(number) for number in range(30)]
    await watch.tick()
    other = another_teller(store, group, http, clock)

    for _ in range(60):
        await asyncio.gather(teller.tick(), other.tick())
        clock.advance(timedelta(seconds=1))

    assert len(group.heard) == len(set(group.heard)) == 20


@pytest.mark.parametrize("answer", [{"errcode": 93000, "errmsg": "invalid"}, 502, "words", {}])
async def test_what_was_not_taken_is_tried_again_later(
    watch, looks, teller, group, clock, caplog, answer
):
    looks.found = [paused()]
    await watch.tick()
    group.answers = [answer]

    await round_of(teller, clock, times=3)
    assert len(group.heard) == 1
    clock.advance(timedelta(seconds=10))
    await round_of(teller, clock, times=3)

    assert len(group.heard) == 2
    assert "incident.not_told" in caplog.text
    assert SECRET not in ours(caplog)


async def test_told_that_it_speaks_too_often_it_is_silent_for_a_minute(
    watch, looks, teller, group, clock
):
    looks.found = [paused(), paused(2)]
    await watch.tick()
    group.answers = [{"errcode": 45009, "errmsg": "api freq out of limit"}]

    await round_of(teller, clock, times=15)
    assert len(group.heard) == 1
    await round_of(teller, clock, times=20)

    assert len(group.heard) == 3


async def test_a_sender_that_died_before_the_answer_is_followed_by_another(
    watch, looks, store, teller, group, clock
):
    looks.found = [paused()]
    await watch.tick()
    assert await store.claim(clock.now(), timedelta(seconds=30)) is not None  # and then it died

    await round_of(teller, clock)
    assert group.heard == []
    clock.advance(timedelta(seconds=30))
    await round_of(teller, clock)

    assert len(group.heard) == 1


async def test_after_a_day_of_trying_it_is_given_up(watch, looks, store, teller, group, clock):
    looks.found = [paused()]
    await watch.tick()
    group.answers = [500] * 100

    for _ in range(30):
        await teller.tick()
        clock.advance(timedelta(hours=1))

    assert 24 <= len(group.heard) <= 26
    assert not await store.is_any_due(clock.now() + timedelta(days=9))


async def test_the_address_is_in_no_error_and_no_repr(http, group, free_port):
    group.hangs = True
    robot = Robot(http, group.url)
    nowhere = Robot(http, f"not an address?key={SECRET}")

    for each in (robot, nowhere):
        with pytest.raises(NotTold) as caught:
            await each.say("x")
        assert SECRET not in f"{caught.value!r} {caught.value} {each!r}"
        assert caught.value.__cause__ is None


def test_a_long_text_is_cut_between_characters():
    assert len(fitted("水" * 3000).encode()) <= MOST_BYTES
    assert fitted("水" * 3000).endswith("水…")


def test_a_title_cannot_mention_anybody_or_break_out():
    assert plain("停水\n<@all> [点我](http://x) **a**") == "停水 ··all· ·点我··http://x· ··a··"
