"""Personal notices: found once, sealed at rest, on the same road."""

import asyncio
from datetime import time as at
from datetime import timedelta

import pytest

from domain.broadcast import Counts
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from domain.people import Subscription
from push.notices import NoticeOrder
from subscriptions.bindings import BindingService
from tests.push.conftest import MakeEngine
from tests.support.platform import Fault, Platform
from tests.support.push import CITY, Engine, FlowingClock, until

BOTH = AccountId("both")
VIOLATION = TopicId("traffic.violation")
DATA = {
    "time": "2026-11-24 08:12",
    "place": "深南大道香蜜湖路口",
    "act": "违反禁止标线指示",
    "fine": "200元",
}


def _event(event_id: str = "e-1", plate: str = "粤B12345") -> NoticeOrder:
    return NoticeOrder(
        account=CITY,
        topic=VIOLATION,
        subject_kind="vehicle",
        subject_value=plate,
        plate_type="02",
        template="violation_notice",
        data=DATA,
        event_id=event_id,
    )


@pytest.fixture
async def owners(engine: Engine, clock: FlowingClock) -> list[OpenId]:
    """Two people who bound the plate; the second wants a digest."""
    return await _owners(engine, clock)


async def _owners(engine: Engine, clock: FlowingClock) -> list[OpenId]:
    bindings = BindingService(engine.people, clock)
    owners = await engine.follow(2)
    for openid in owners:
        await bindings.bind_vehicle(CITY, openid, "粤B12345", "02", "1234")
        await engine.subscriptions.subscribe(
            CITY, openid, Subscription(topic=VIOLATION, subject="vehicle")
        )
    await engine.subscriptions.set_mode(CITY, owners[1], VIOLATION, None, "daily")
    return owners


async def test_immediate_goes_now_and_a_digest_at_eight_next_morning(
    engine: Engine, platform: Platform, clock: FlowingClock, owners: list[OpenId]
):
    matched = await engine.notices.announce(_event(), author="test")

    async with engine.working():
        await until(lambda: _cards(platform, 1))
        assert list(platform.cards_per_person) == [owners[0]]
        counts = await engine.finished(await _notice(engine))
        clock.advance(timedelta(hours=21, minutes=59))  # 07:59
        await engine.digests.tick()
        assert len(platform.cards) == 1
        clock.advance(timedelta(minutes=2))
        await until(lambda: _cards(platform, 2))

    assert matched == 2
    assert counts == Counts(audience=1, sent=1)
    assert platform.cards_per_person == dict.fromkeys(owners, 1)


async def test_the_plate_is_filled_in_masked_and_nothing_personal_is_kept_plain(
    engine: Engine, platform: Platform, owners: list[OpenId]
):
    await engine.notices.announce(_event(), author="test")

    async with engine.working():
        await until(lambda: _cards(platform, 1))

    assert platform.messages[0]["data"]["thing1"] == {"value": "粤B****5"}
    kept = str(await engine.database["broadcasts"].find_one({}))
    for text in ("12345", "粤B", "香蜜湖", "200元"):
        assert text not in kept


async def test_the_same_event_again_changes_nothing_even_if_people_changed(
    engine: Engine, platform: Platform, clock: FlowingClock, owners: list[OpenId]
):
    first = await engine.notices.announce(_event(), author="test")
    await engine.subscriptions.unsubscribe_all(CITY, owners[0])

    again = await engine.notices.announce(_event(), author="test")

    assert (first, again) == (2, 2)
    assert await engine.database["broadcasts"].count_documents({}) == 1


async def test_nobody_concerned_is_zero_and_finished(engine: Engine):
    assert await engine.notices.announce(_event(plate="粤B54321"), author="test") == 0
    assert await engine.state(await _notice(engine)) == "finished"


async def test_a_crash_before_the_batches_are_written_is_made_good_by_the_planner(
    engine: Engine, platform: Platform, clock: FlowingClock, owners: list[OpenId]
):
    add = engine.ledger.add

    async def die(_batches: object) -> None:
        raise ConnectionError("killed")

    engine.ledger.add = die  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await engine.notices.announce(_event(), author="test")
    engine.ledger.add = add  # type: ignore[method-assign]
    again = await engine.notices.announce(_event(), author="test")
    clock.advance(60)
    async with engine.working():
        await until(lambda: _cards(platform, 1))

    assert again == 2


async def test_a_notice_waits_while_its_account_is_refused_and_goes_on_by_itself(
    engine: Engine, platform: Platform, clock: FlowingClock, owners: list[OpenId]
):
    platform.fault = lambda *_: Fault(48001)  # as for a wrong secret, or an IP not listed
    await engine.notices.announce(_event(), author="test")
    notice = await _notice(engine)

    async with engine.working():
        await until(lambda: _asked(platform, 1))
        await asyncio.sleep(0.5)
        assert (await engine.state(notice), sum(platform.asked.values())) == ("sending", 1)
        platform.fault = lambda *_: None
        clock.advance(timedelta(minutes=4))
        counts = await engine.finished(notice)

    assert counts == Counts(audience=1, sent=1)


async def test_notices_that_paused_for_their_template_are_resumed_together(
    engine: Engine, platform: Platform, owners: list[OpenId]
):
    platform.fault = lambda *_: Fault(43116)
    for number in range(3):
        await engine.notices.announce(_event(f"e-{number}"), author="test")

    async with engine.working():
        await until(lambda: _stuck(engine, 3))
        assert await engine.broadcasts.resume_personal(BOTH) == 0
        platform.fault = lambda *_: None
        assert await engine.broadcasts.resume_personal(CITY) == 3
        await until(lambda: _cards(platform, 3))


async def test_a_notice_that_is_refused_for_its_words_fails_and_is_finished(
    engine: Engine, platform: Platform, owners: list[OpenId]
):
    platform.fault = lambda *_: Fault(47003)
    await engine.notices.announce(_event(), author="test")

    async with engine.working():
        counts = await engine.finished(await _notice(engine))

    assert counts == Counts(audience=1, failed=1)


async def test_quiet_hours_hold_a_notice(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(quiet_hours=(at(22), at(7)))
    await _owners(engine, clock)
    clock.advance(timedelta(hours=13))
    await engine.notices.announce(_event(), author="test")

    async with engine.working():
        await engine.recovery.tick()
        assert platform.cards == []
        clock.advance(timedelta(hours=8, minutes=1))
        await until(lambda: _cards(platform, 1))


async def _cards(platform: Platform, number: int) -> bool:
    return len(platform.cards) >= number


async def _notice(engine: Engine) -> BroadcastId:
    found = await engine.database["broadcasts"].find_one({"kind": "notice"})
    return BroadcastId(found["_id"])


async def _asked(platform: Platform, number: int) -> bool:
    return sum(platform.asked.values()) >= number


async def _stuck(engine: Engine, number: int) -> bool:
    return len(await engine.store.list_stuck(CITY)) >= number
