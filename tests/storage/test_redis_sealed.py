"""Sealed values: sessions, late answers; and the windows of customer-service messages."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from domain.conversation import Answer, Follow, MenuClick, MenuView, TextMessage, UnknownEvent
from domain.ids import AccountId, OpenId
from storage.redis.guards import Guards
from storage.redis.late import LateResult, LateResults
from storage.redis.line import Line
from storage.redis.scripts import Script, StoreAway
from storage.redis.sealing import Sealer
from storage.redis.sessions import Sessions
from storage.redis.windows import Windows, opened_by

CITY, PERSON = AccountId("city"), OpenId("oA")


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(bytes(96))


def of(kind, at, **own):
    return kind(account=CITY, openid=PERSON, at=at, dedupe_key="k", **own)


def test_a_sealed_value_opens_only_whole_in_its_place_and_under_its_key(sealer):
    sealed = sealer.seal("张三".encode(), b"here")

    assert sealer.unseal(sealed, b"here") == "张三".encode()
    assert sealer.unseal(sealed, b"there") is None
    assert sealer.unseal(sealed[:-1], b"here") is None
    assert sealer.unseal(b"", b"here") is None
    assert Sealer(bytes(95) + b"x").unseal(sealed, b"here") is None
    assert sealer.seal(b"x") != sealer.seal(b"x")


async def test_a_session_written_by_the_guards_is_read_and_forgotten(redis, sealer, clock):
    guards, sessions = Guards(redis, sealer), Sessions(redis, sealer)
    ticket = await guards.begin(of(TextMessage, clock.now(), text="x"))
    sealed = sessions.seal(CITY, PERSON, {"dialog": "bus"})
    await guards.finish(ticket, Answer.nothing(), change="save", session=sealed)

    assert await sessions.load(CITY, PERSON) == {"dialog": "bus"}
    assert await sessions.load(CITY, OpenId("oB")) == {}
    await sessions.forget(CITY, PERSON)
    assert await sessions.load(CITY, PERSON) == {}


async def test_a_session_of_another_person_does_not_open(redis, sealer):
    sessions = Sessions(redis, sealer)
    sealed = sessions.seal(CITY, PERSON, {"dialog": "bus"})

    assert sessions.open(CITY, OpenId("oB"), sealed) == {}


async def test_a_late_result_is_pending_then_done(redis, sealer, clock):
    late = LateResults(redis, sealer, clock)
    token = late.new_token()
    assert await late.get(CITY, token) is None

    await late.announce(CITY, token)
    assert await late.get(CITY, token) == LateResult("pending")
    await late.put(CITY, token, "余额 ]]> 123")

    assert await late.get(CITY, token) == LateResult("done", "余额 ]]> 123")
    assert await late.get(AccountId("plain"), token) is None
    assert "余额".encode() not in b"".join([await redis.get(key) for key in await redis.keys()])


async def test_a_promise_that_was_not_kept_is_lost(redis, sealer, clock):
    late = LateResults(redis, sealer, clock)
    token = late.new_token()
    await late.announce(CITY, token)

    clock.advance(66)

    assert await late.get(CITY, token) == LateResult("lost")


async def opened(redis, sealer, message) -> Windows:
    await Guards(redis, sealer).begin(message)
    return Windows(redis)


async def test_a_text_allows_five_messages_in_48_hours(redis, sealer, clock):
    windows = await opened(redis, sealer, of(TextMessage, clock.now(), text="x"))
    clock.advance(timedelta(hours=47))

    taken = [await windows.take(CITY, PERSON, clock.now()) for _ in range(6)]

    assert taken == [True] * 5 + [False]


async def test_the_window_of_a_text_closes_after_48_hours(redis, sealer, clock):
    windows = await opened(redis, sealer, of(TextMessage, clock.now(), text="x"))

    assert not await windows.take(CITY, PERSON, clock.now() + timedelta(hours=49))


async def test_a_tap_allows_three_messages_within_a_minute(redis, sealer, clock):
    windows = await opened(redis, sealer, of(MenuClick, clock.now(), key="tapped"))

    assert not await windows.take(CITY, PERSON, clock.now() + timedelta(seconds=61))
    taken = [await windows.take(CITY, PERSON, clock.now()) for _ in range(4)]
    assert taken == [True, True, True, False]


def test_actions_open_the_windows_of_the_platform(clock):
    at = clock.now()

    assert opened_by(of(Follow, at)).messages == 3
    assert opened_by(of(TextMessage, at, text="满意", menu_item="101")).messages == 3
    assert opened_by(of(MenuView, at, target="https://e")) is None
    assert opened_by(of(UnknownEvent, at, name="x")) is None


async def test_a_redis_that_is_gone_is_said_so_quickly(sealer, clock, tmp_path):
    gone = Redis(unix_socket_path=str(tmp_path / "none.sock"))

    async with asyncio.timeout(2.5):
        guards, sessions = Guards(gone, sealer), Sessions(gone, sealer)
        failures = await asyncio.gather(
            guards.begin(of(TextMessage, clock.now(), text="x")),
            sessions.load(CITY, PERSON),
            return_exceptions=True,
        )

    assert [type(failure) for failure in failures] == [StoreAway, StoreAway]
    await gone.aclose()


async def test_a_refused_command_does_not_disturb_its_neighbours(redis):
    line = Line(redis)
    await redis.set("text", "x")

    good, bad, after = await asyncio.gather(
        line.ask("GET", "text"),
        line.ask("LPUSH", "text", "y"),
        line.ask("STRLEN", "text"),
        return_exceptions=True,
    )

    assert (good, after) == (b"x", 1)
    assert "WRONGTYPE" in str(bad)


async def test_who_stops_waiting_does_not_disturb_the_others(redis):
    line = Line(redis)
    impatient = asyncio.create_task(line.ask("SET", "a", "1"))
    patient = asyncio.create_task(line.ask("INCR", "a"))
    await asyncio.sleep(0)
    impatient.cancel()

    assert await patient == 2
    script = Script(redis, "take", ask=line.ask)
    assert await script(["nobody"], 0, "message") is None
