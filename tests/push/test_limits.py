"""Limits on the road: slowed down, used up for the day, and who goes before whom."""

import asyncio
from datetime import timedelta

import pytest

from config.settings import Settings
from domain.broadcast import Audience, Counts
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from domain.people import Subscription
from push.notices import NoticeOrder
from subscriptions.bindings import BindingService
from tests.push.conftest import MakeEngine
from tests.support.platform import Fault, Platform
from tests.support.push import CITY, Engine, FlowingClock, until

BOTH = AccountId("both")
VIOLATION = TopicId("traffic.violation")
MINUTE, BUSY = Fault(45011), Fault(-1)
QUOTA = 40  # a day; 38 of it for what is not urgent


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """City may send forty messages a day, the other accounts as many as they like."""
    accounts = tuple(
        account.model_copy(update={"daily_quota": QUOTA}) if account.id == CITY else account
        for account in settings.accounts
    )
    return settings.model_copy(update={"accounts": accounts})


# --- slowing down ------------------------------------------------------------------------------


async def test_a_minute_that_is_used_up_cuts_the_pace_and_costs_nobody_an_attempt(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(per_second=500, lease=100_000)
    people = await engine.follow(30)
    platform.fault = lambda *_: None if len(platform.cards) < 10 else MINUTE

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _is_held(engine))
        pace = await engine.limiter.pace(CITY)
        platform.fault = lambda *_: None

        async def is_finished_after_the_hold() -> bool:
            await engine.redis.delete(f"{engine.limiter.hold_prefix}{CITY}")  # its clock is real
            clock.advance(5)
            return await engine.state(broadcast) == "finished"

        await until(is_finished_after_the_hold, within=30)
        counts = await engine.counts(broadcast)

    assert pace.per_second == pytest.approx(250, abs=5)
    assert counts == Counts(audience=30, sent=30)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_platform_that_is_overloaded_by_a_burst_is_sent_less(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(per_second=1000)
    await engine.follow(12)
    platform.fault = lambda _, number: BUSY if number == 1 else None

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=12, sent=12)
    assert (await engine.limiter.pace(CITY)).per_second < 800


# --- the day -----------------------------------------------------------------------------------


async def test_what_the_day_does_not_take_goes_out_on_the_next(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    people = await engine.follow(60)
    broadcast = await engine.begin()

    async with engine.working(workers=2):
        await until(lambda: _has_cards(platform, 38))
        await asyncio.sleep(0.4)
        assert len(platform.cards) == 38
        clock.advance(timedelta(hours=14, seconds=1))  # midnight in Beijing
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=60, sent=60)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_share_of_the_day_is_kept_back_for_urgent(engine: Engine, platform: Platform):
    people = await engine.follow(60)
    await engine.begin()

    async with engine.working():
        await until(lambda: _has_cards(platform, 38))
        urgent = await engine.order(Audience(openids=tuple(people[-2:])), priority="urgent")
        counts = await engine.finished(urgent)
        await asyncio.sleep(0.2)

    assert counts == Counts(audience=2, sent=2)
    assert len(platform.cards) == QUOTA


async def test_a_used_up_day_of_one_account_is_not_anothers(engine: Engine, platform: Platform):
    await engine.follow(60)
    await engine.add_people([OpenId(f"b{number:027d}") for number in range(60)], account=BOTH)
    await engine.begin()

    async with engine.working():
        await until(lambda: _has_cards(platform, 38))
        other = await engine.order(account=BOTH)
        counts = await engine.finished(other)

    assert counts == Counts(audience=60, sent=60)


async def test_what_is_left_of_the_day_knows_what_is_reserved_and_what_was_sent(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    people = await engine.follow(20)
    sent = await engine.begin(Audience(openids=tuple(people[:5])))
    async with engine.working():
        await engine.finished(sent)

    await engine.order(at=clock.now() + timedelta(hours=2))
    await engine.order(at=clock.now() + timedelta(days=1, hours=2))
    await engine.order(cron="0 12 * * *")
    today = await engine.quotas.day(CITY, clock.now())
    tomorrow = await engine.quotas.day(CITY, clock.now() + timedelta(days=1))

    assert (today.limit, today.used, today.reserved) == (40, 5, 20)
    assert (today.left_for("normal"), today.left_for("urgent")) == (13, 15)
    assert (tomorrow.used, tomorrow.reserved) == (0, 20)


async def test_what_a_running_broadcast_has_not_reached_yet_is_reserved(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(per_second=25)
    await engine.follow(30)
    broadcast = await engine.begin()

    async with engine.working():
        await until(lambda: _has_cards(platform, 10))
        await engine.broadcasts.pause(broadcast)
        await asyncio.sleep(1.0)
        day = await engine.quotas.day(CITY, clock.now())

    assert day.reserved == 30 - (await engine.counts(broadcast)).sent
    assert 0 < day.reserved <= 20


async def test_losing_redis_within_a_day_sends_no_more_than_the_day_allows(
    engine: Engine, platform: Platform
):
    await engine.follow(60)
    await engine.begin()

    async with engine.working(workers=2):
        await until(lambda: _has_cards(platform, 15))
        await engine.redis.flushdb()
        await asyncio.sleep(1.5)

    assert 15 <= len(platform.cards) <= 38


# --- who goes first ----------------------------------------------------------------------------


async def test_a_notice_and_another_account_begin_while_bulk_is_running(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    """Counted in messages of the long broadcast: at 100/s two hundred of them are two seconds."""
    engine = await make_engine(per_second=100, batch_size=5, chunk_size=5)
    long = [OpenId(f"l{number:027d}") for number in range(3000)]
    await engine.add_people(long, account=BOTH)
    owner = (await engine.follow(1))[0]
    await _own_a_car(engine, clock, owner, BOTH)
    await engine.begin(account=BOTH)  # six hundred batches

    async with engine.working():
        await until(lambda: _has_cards(platform, 60))
        begun_at = len(platform.cards)
        await engine.notices.announce(_violation(BOTH), author="test")
        small = await engine.order(Audience(openids=tuple(long[-3:])), account=BOTH)
        other = await engine.order(Audience(openids=(owner,)), account=CITY)
        await until(lambda: _all_begun(engine, platform, owner, [small, other]))

    people = [openid for openid, _ in platform.cards]
    last = max(
        people.index(owner, begun_at),  # the notice, or the other account's broadcast
        len(people) - 1 - people[::-1].index(owner),
        people.index(long[-3]),
    )
    assert last - begun_at < 200


async def test_bulk_of_one_account_does_not_slow_another_down(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(per_second=20, batch_size=50, chunk_size=10)
    await engine.add_people([OpenId(f"l{number:027d}") for number in range(2000)], account=BOTH)
    await engine.follow(30)
    await engine.begin(account=BOTH)

    async with engine.working():
        await until(lambda: _has_cards(platform, 10))
        before = len(platform.cards)
        counts = await engine.finished(await engine.order(account=CITY), within=30)

    assert counts.sent == 30
    of_the_other = len(platform.cards) - before - 30
    assert of_the_other < 90  # it took little longer than its own pace of 20/s needs


def _violation(account: AccountId) -> NoticeOrder:
    return NoticeOrder(
        account=account,
        topic=VIOLATION,
        subject_kind="vehicle",
        subject_value="粤B12345",
        plate_type="02",
        template="violation_notice",
        data={
            "time": "2026-11-24 08:12",
            "place": "深南大道香蜜湖路口",
            "act": "违反禁止标线指示",
            "fine": "200元",
        },
        event_id="e-1",
    )


async def _own_a_car(
    engine: Engine, clock: FlowingClock, openid: OpenId, account: AccountId
) -> None:
    await engine.add_people([openid], account=account)
    bindings = BindingService(engine.people, clock)
    await bindings.bind_vehicle(account, openid, "粤B12345", "02", "1234")
    await engine.subscriptions.subscribe(
        account, openid, Subscription(topic=VIOLATION, subject="vehicle")
    )


async def _all_begun(
    engine: Engine, platform: Platform, owner: OpenId, broadcasts: list[BroadcastId]
) -> bool:
    for broadcast in broadcasts:
        if not (await engine.counts(broadcast)).sent:
            return False
    return platform.cards_per_person[owner] >= 2


async def _has_cards(platform: Platform, number: int) -> bool:
    return len(platform.cards) >= number


async def _is_held(engine: Engine) -> bool:
    return await engine.limiter.held_for(CITY) > timedelta(0)
