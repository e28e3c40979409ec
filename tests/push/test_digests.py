"""Digests and daily caps: whatever was accepted arrives once, or says why it did not."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from domain.broadcast import Counts
from domain.digest import digest_day, next_digest
from domain.ids import BroadcastId, OpenId
from push.digest_cards import summary
from subscriptions.bindings import BindingService
from tests.push.conftest import MakeEngine
from tests.support.notices import FUND, ONE, announce, balance, reader, violation
from tests.support.platform import ANSWER_LOST, Platform
from tests.support.push import CITY, Engine, FlowingClock, until

TO_MORNING = timedelta(hours=22, minutes=1)  # from 10:00 to 08:01


def cards(platform: Platform, number: int) -> Callable[[], Awaitable[bool]]:
    async def are_there() -> bool:
        return len(platform.cards) >= number

    return are_there


async def all_done(engine: Engine) -> None:
    """Wait until no broadcast is open and nothing due waits."""

    async def nothing_is_open() -> bool:
        database, now = engine.database, engine.clock.now()
        waiting = await database["digest_items"].find_one(
            {"state": "waiting", "due_at": {"$lte": now}}
        )
        sending = await database["broadcasts"].find_one({"state": {"$in": ["sending", "paused"]}})
        return waiting is None and sending is None

    await until(nothing_is_open, within=20)


async def digests(engine: Engine) -> list[dict[str, Any]]:
    return await engine.database["broadcasts"].find({"kind": "digest"}).to_list()


async def items(engine: Engine) -> list[dict[str, Any]]:
    return await engine.database["digest_items"].find({}).to_list()


# --- one message ------------------------------------------------------------------------------


async def test_everything_of_a_day_becomes_one_message_that_leads_to_a_page(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"), violation("b"), balance("c"))

    clock.advance(TO_MORNING)
    async with engine.working():
        await all_done(engine)

    (message,) = platform.messages
    assert message["template_id"] == "city-reminder_notice"
    assert message["data"] == {
        "thing1": {"value": "3 条新通知"},
        "date2": {"value": "2026年11月25日"},
        "thing3": {"value": "交通违法 2 条、公积金 1 条"},
    }
    assert "/h5/city/digest/" in message["url"]
    (digest,) = await digests(engine)
    assert await engine.counts(BroadcastId(digest["_id"])) == Counts(audience=1, sent=1)


async def test_a_single_item_is_sent_as_the_notice_it_is(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"))

    clock.advance(TO_MORNING)
    async with engine.working():
        await all_done(engine)

    (message,) = platform.messages
    assert message["template_id"] == "city-violation_notice"
    assert message["data"]["thing1"] == {"value": "粤B****5"}


async def test_a_weekly_digest_waits_for_monday_and_meets_the_daily_one_there(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock, mode="weekly")
    await engine.subscriptions.set_mode(CITY, ONE, FUND, None, "daily")
    await announce(engine, violation("a"))

    async with engine.working():
        clock.set(datetime(2026, 11, 29, 12, tzinfo=UTC))  # Sunday, 20:00
        await engine.digests.tick()
        assert platform.cards == []
        await announce(engine, balance("b"))
        clock.set(datetime(2026, 11, 30, 0, 1, tzinfo=UTC))  # Monday, 08:01
        await until(cards(platform, 1))
        await all_done(engine)

    (message,) = platform.messages
    assert message["data"]["thing1"] == {"value": "2 条新通知"}


async def test_urgent_notices_wait_for_nothing(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)

    await announce(engine, *(violation(f"u{n}", priority="urgent") for n in range(5)))
    async with engine.working():
        await all_done(engine)

    assert len(platform.cards) == 5


async def test_an_account_without_the_template_sends_items_one_by_one_and_says_so(
    engine: Engine,
    platform: Platform,
    clock: FlowingClock,
    caplog: pytest.LogCaptureFixture,
):
    await reader(engine, clock)
    city = engine.accounts[CITY]
    templates = {k: v for k, v in city.templates.items() if k != "reminder_notice"}
    engine.accounts[CITY] = city.model_copy(update={"templates": templates})
    await announce(engine, violation("a"), violation("b"), balance("c"))

    clock.advance(TO_MORNING)
    async with engine.working():
        await all_done(engine)

    assert Counter(m["template_id"] for m in platform.messages) == {
        "city-violation_notice": 2,
        "city-balance_notice": 1,
    }
    assert "digest.cannot_merge" in caplog.messages


# --- what is left out -------------------------------------------------------------------------


async def test_whoever_unfollows_before_the_digest_gets_none_and_it_is_recorded(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"), balance("b"))
    await engine.subscriptions.unfollow(CITY, ONE, clock.now())

    clock.advance(TO_MORNING)
    async with engine.working():
        await all_done(engine)

    assert platform.cards == []
    (digest,) = await digests(engine)
    assert await engine.counts(BroadcastId(digest["_id"])) == Counts(audience=1, skipped=1)
    assert [item["left_out"] for item in await items(engine)] == ["no longer wanted"] * 2


async def test_items_of_what_was_cancelled_unbound_or_expired_are_not_in_the_message(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    bindings = BindingService(engine.people, clock)
    await bindings.bind_vehicle(CITY, ONE, "粤B54321", "02", "1234")
    tonight = clock.now() + timedelta(hours=8)
    await announce(
        engine,
        violation("sold", "粤B54321"),
        violation("over", expires_at=tonight),
        violation("one"),
        violation("two"),
        balance("cancelled"),
    )
    sold = (await bindings.list_(CITY, ONE)).vehicles[1]
    await bindings.unbind(CITY, ONE, sold.id)
    await engine.subscriptions.unsubscribe(CITY, ONE, FUND)

    clock.advance(TO_MORNING)
    async with engine.working():
        await all_done(engine)

    (message,) = platform.messages
    assert message["data"]["thing3"] == {"value": "交通违法 2 条"}
    left = Counter(item["left_out"] for item in await items(engine) if "left_out" in item)
    assert left == {"no longer wanted": 2, "expired": 1}


async def test_quiet_hours_hold_a_digest_and_what_is_cancelled_meanwhile_is_not_in_it(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(quiet_hours=(time(0), time(9)))
    await reader(engine, clock)
    await announce(engine, violation("a"), violation("b"), balance("c"))

    clock.advance(TO_MORNING)
    async with engine.working():
        await engine.digests.tick()
        assert platform.cards == []
        await engine.subscriptions.unsubscribe(CITY, ONE, FUND)
        clock.advance(timedelta(hours=1))
        await until(cards(platform, 1))

    assert platform.messages[0]["data"]["thing1"] == {"value": "2 条新通知"}


# --- processes die, schedulers meet -------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "where",
    [
        "notice_store.fix_over",
        "digest_items.keep",
        "ledger.add",
        "store.end_fanout",
    ],
)
async def test_dying_at_any_write_of_a_notice_loses_nobody_and_doubles_nobody(
    engine: Engine, platform: Platform, clock: FlowingClock, where: str, after: bool
):
    await reader(engine, clock)
    now = await reader(engine, clock, OpenId("oNow00000000000000000000001"), "immediate")
    die_once(engine, where, after=after)

    with pytest.raises(ConnectionError):
        await engine.notices.announce(violation("a"), author="test")
    assert await engine.notices.announce(violation("a"), author="test") == 2
    clock.advance(60)
    async with engine.working():
        await until(cards(platform, 1))
        clock.advance(TO_MORNING)
        await until(cards(platform, 2))
        await all_done(engine)

    assert platform.cards_per_person == {ONE: 1, now: 1}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "where",
    ["notice_store.add_digests", "digest_items.take", "ledger.add", "notice_store.end_fanouts"],
)
async def test_dying_at_any_write_of_a_digest_loses_nothing_and_doubles_nothing(
    engine: Engine, platform: Platform, clock: FlowingClock, where: str, after: bool
):
    await reader(engine, clock)
    await announce(engine, violation("a"), balance("b"))
    clock.advance(TO_MORNING)
    die_once(engine, where, after=after)

    with pytest.raises(ConnectionError):
        await engine.digests.tick()
    clock.advance(60)
    async with engine.working():
        await until(cards(platform, 1))
        await all_done(engine)

    (message,) = platform.messages
    assert message["data"]["thing1"] == {"value": "2 条新通知"}


async def test_an_answer_that_gets_lost_does_not_bring_the_digest_twice(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"), balance("b"))
    platform.fault = lambda _, number: ANSWER_LOST if number < 4 else None

    clock.advance(TO_MORNING)
    async with engine.working(workers=2):
        await until(cards(platform, 1))
        clock.advance(30)
        await all_done(engine)

    assert platform.cards_per_person == {ONE: 1}


async def test_many_schedulers_make_one_digest_for_each(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    readers = [await reader(engine, clock, OpenId(f"oReader{number:020d}")) for number in range(12)]
    await announce(engine, violation("a"), violation("b"))
    clock.advance(TO_MORNING)

    makers = [engine.new_digests() for _ in range(4)]
    await asyncio.gather(*(maker.tick() for maker in makers for _ in range(2)))
    async with engine.working(workers=2):
        await all_done(engine)

    assert platform.cards_per_person == dict.fromkeys(readers, 1)
    assert {m["data"]["thing1"]["value"] for m in platform.messages} == {"2 条新通知"}


async def test_what_comes_too_late_for_a_digest_is_in_the_next_one(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"))
    clock.advance(TO_MORNING)
    async with engine.working():
        await until(cards(platform, 1))
        # written by an expansion that had died before eight and was taken up again after
        await engine.database["digest_items"].insert_one(
            (await items(engine))[0]
            | {"_id": "late", "notice": "late", "state": "waiting", "due_at": clock.now()}
        )
        await engine.digests.tick()
        assert len(platform.cards) == 1
        clock.advance(timedelta(days=1))
        await until(cards(platform, 2))

    assert platform.cards_per_person == {ONE: 2}


async def test_what_comes_after_a_digest_whose_maker_died_is_in_the_next_one(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"))
    clock.advance(TO_MORNING)
    die_once(engine, "notice_store.end_fanouts", after=False)
    with pytest.raises(ConnectionError):
        await engine.digests.tick()
    async with engine.working():
        await until(cards(platform, 1))
        await engine.database["digest_items"].insert_one(
            (await items(engine))[0]
            | {"_id": "late", "notice": "late", "state": "waiting", "due_at": clock.now()}
        )
        clock.advance(60)  # the expansion is taken over
        await all_done(engine)
        await engine.digests.tick()
        clock.advance(timedelta(days=1))
        await until(cards(platform, 2))

    assert platform.cards_per_person == {ONE: 2}


# --- the daily cap ----------------------------------------------------------------------------


async def test_beyond_the_cap_notices_wait_for_the_morning_and_none_is_dropped(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock, mode="immediate")

    await asyncio.gather(*(announce(engine, violation(f"e{n}")) for n in range(10)))
    await announce(engine, balance("another topic"))
    async with engine.working():
        await all_done(engine)
        at_once = Counter(m["template_id"] for m in platform.messages)
        clock.advance(TO_MORNING)
        await until(cards(platform, 7))

    assert at_once == {"city-violation_notice": 5, "city-balance_notice": 1}
    assert platform.messages[-1]["data"]["thing3"] == {"value": "交通违法 5 条"}


async def test_the_cap_begins_anew_every_day_in_beijing_and_for_everybody(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock, mode="immediate")
    other = await reader(engine, clock, OpenId("oOther000000000000000000001"), "immediate")
    await announce(engine, *(violation(f"e{n}") for n in range(5)))
    await BindingService(engine.people, clock).bind_vehicle(CITY, other, "粤B54321", "02", "1234")
    clock.set(datetime(2026, 11, 24, 16, 1, tzinfo=UTC))  # 00:01

    await announce(engine, *(violation(f"f{n}", "粤B54321") for n in range(5)))
    await announce(engine, violation("g"))
    async with engine.working():
        await until(cards(platform, 16))

    assert platform.cards_per_person == {ONE: 6, other: 10}


async def test_the_same_event_again_counts_once(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock, mode="immediate")

    await asyncio.gather(*(announce(engine, violation("same")) for _ in range(6)))
    await announce(engine, *(violation(event) for event in "bcde"))
    async with engine.working():
        await all_done(engine)

    assert len(platform.cards) == 5


async def test_what_comes_at_night_counts_for_the_morning_it_is_sent_on(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(quiet_hours=(time(22), time(7)))
    await reader(engine, clock, mode="immediate")
    clock.set(datetime(2026, 11, 24, 15, tzinfo=UTC))  # 23:00
    await announce(engine, *(violation(f"n{n}") for n in range(3)))
    clock.set(datetime(2026, 11, 25, 1, tzinfo=UTC))  # 09:00

    await announce(engine, *(violation(f"d{n}") for n in range(3)))

    assert len(await items(engine)) == 1


# --- rules ------------------------------------------------------------------------------------


def test_a_summary_fits_and_says_when_it_does_not_tell_all():
    assert summary(["停水 2 条", "违章 1 条"]) == "停水 2 条、违章 1 条"
    shortened = summary(["交通违法 12 条", "公积金 2 条", "医保 1 条", "社保 1 条"])
    assert shortened == "交通违法 12 条、公积金 2 条等"
    assert len(shortened) <= 20


@pytest.mark.parametrize(
    ("moment", "daily", "weekly"),
    [
        ("2026-11-24T10:00", "2026-11-25T08:00", "2026-11-30T08:00"),
        ("2026-11-30T07:59", "2026-11-30T08:00", "2026-11-30T08:00"),
        ("2026-11-30T08:00", "2026-12-01T08:00", "2026-12-07T08:00"),
        ("2026-12-31T23:59", "2027-01-01T08:00", "2027-01-04T08:00"),
    ],
)
def test_digests_go_at_eight_and_weekly_ones_on_mondays(moment, daily, weekly):
    at = datetime.fromisoformat(f"{moment}:00+08:00")

    assert next_digest(at, "daily") == datetime.fromisoformat(f"{daily}:00+08:00")
    assert next_digest(at, "weekly") == datetime.fromisoformat(f"{weekly}:00+08:00")


def test_until_eight_the_digest_day_is_still_yesterday():
    assert digest_day(datetime.fromisoformat("2026-11-25T07:59:00+08:00")).day == 24
    assert digest_day(datetime.fromisoformat("2026-11-25T08:00:00+08:00")).day == 25


def die_once(engine: Engine, where: str | None, *, after: bool) -> Callable[[], None]:
    """Let a process end just before or just after one write; the next time it works.

    Returns what puts the write back if it was never made.
    """
    if where is None:
        return lambda: None
    owner_name, method = where.split(".")
    owner = getattr(engine, owner_name)
    write = getattr(owner, method)

    def restore() -> None:
        setattr(owner, method, write)

    async def die(*args: Any, **options: Any) -> Any:
        restore()
        if after:
            await write(*args, **options)
        raise ConnectionError("killed")

    setattr(owner, method, die)
    return restore
