"""What the platform answers, what people do meanwhile, and what stops a broadcast."""

import asyncio
import time
from datetime import time as at
from datetime import timedelta

import pytest

from domain.broadcast import Audience, Counts
from domain.ids import OpenId
from push.sender import Pauses
from tests.push.conftest import MakeEngine
from tests.support.platform import SWALLOWED, Fault, Platform
from tests.support.push import CITY, WATER, Engine, FlowingClock, until

GONE, DROPPED, WRONG = Fault(43004), Fault(43019), Fault(47003)
BUSY, MINUTE, DAY, TEMPLATE = Fault(-1), Fault(45011), Fault(45009), Fault(40037)
TOO_MANY_TO_ONE = Fault(43117)
REJECTED, UNHEARD_OF = Fault(40001), Fault(777777)


# --- people -----------------------------------------------------------------------------------


async def test_who_unfollows_or_unsubscribes_during_sending_is_skipped(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(per_second=30, batch_size=100)
    people = await engine.follow(40)
    broadcast = await engine.begin(Audience(topics=(WATER,)))

    async with engine.working():
        await until(lambda: _has_cards(platform, 1))
        await engine.subscriptions.unfollow(CITY, people[-1], clock.now())
        await engine.subscriptions.unsubscribe(CITY, people[-2], WATER)
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=40, sent=38, skipped=2)
    assert not {people[-1], people[-2]} & set(platform.cards_per_person)


async def test_who_follows_after_the_start_is_not_meant(engine: Engine, platform: Platform):
    await engine.follow(3)
    broadcast = await engine.begin()
    await engine.add_people([OpenId("zLate")])

    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.audience, len(platform.cards)) == (3, 3)


async def test_nobody_meant_finishes_at_once(engine: Engine):
    broadcast = await engine.begin(Audience(tags=("nobody",)))

    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts == Counts()


# --- answers ----------------------------------------------------------------------------------


async def test_someone_unreachable_fails_and_is_left_out_next_time(
    engine: Engine, platform: Platform
):
    people = await engine.follow(4)
    platform.fault = lambda openid, _: GONE if openid == people[0] else None

    first = await engine.begin()
    async with engine.working():
        counts = await engine.finished(first)
        second = await engine.finished(await engine.order())

    assert counts == Counts(audience=4, sent=3, failed=1)
    assert second == Counts(audience=3, sent=3)


async def test_a_dropped_recipient_fails_with_the_platforms_reason(
    engine: Engine, platform: Platform
):
    people = await engine.follow(3)
    platform.fault = lambda openid, _: DROPPED if openid == people[0] else None

    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    (failed,) = await engine.deliveries.list_(broadcast, "failed")
    assert (failed.openid, failed.errcode) == (people[0], 43019)


async def test_a_busy_platform_is_asked_again_at_once(engine: Engine, platform: Platform):
    await engine.follow(6)
    platform.fault = lambda _, number: BUSY if number < 3 else None

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=6, sent=6)


async def test_too_many_to_one_person_puts_off_that_person_only(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    people = await engine.follow(5)
    platform.fault = lambda openid, number: (
        TOO_MANY_TO_ONE if openid == people[2] and number == 1 else None
    )

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _has_cards(platform, 4))
        assert (await engine.counts(broadcast)).sent in (0, 4)
        await until(lambda: _has_sent(engine, broadcast, 4))
        clock.advance(timedelta(hours=24))
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=5, sent=5)


@pytest.mark.parametrize(("fault", "wait"), [(MINUTE, 61), (DAY, 14 * 3600 + 1)])
async def test_a_used_up_quota_holds_the_account_and_costs_nobody_anything(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock, fault: Fault, wait: int
):
    engine = await make_engine(per_second=500)
    people = await engine.follow(40)
    open_again = False
    platform.fault = lambda *_: None if open_again or len(platform.cards) < 10 else fault

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _is_held(engine))
        asked = sum(platform.asked.values())
        await asyncio.sleep(0.3)
        assert sum(platform.asked.values()) <= asked + 20  # what was on its way
        open_again = True
        await _let_go(engine)
        clock.advance(wait)
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=40, sent=40)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_missing_template_pauses_the_broadcast_and_loses_nobody(
    engine: Engine, platform: Platform
):
    await engine.follow(12)
    platform.fault = lambda *_: TEMPLATE

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _is_in(engine, broadcast, "paused"))
        assert "40037" in (await engine.find(broadcast)).reason
        platform.fault = lambda *_: None
        await engine.broadcasts.resume(broadcast)
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=12, sent=12)


async def test_data_refused_for_a_whole_sub_chunk_pauses_the_broadcast(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(per_second=50)
    await engine.follow(60)
    platform.fault = lambda *_: WRONG

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _is_in(engine, broadcast, "paused"))

    assert "47003" in (await engine.find(broadcast)).reason
    assert (await engine.counts(broadcast)).failed <= 30


async def test_data_refused_for_one_person_fails_that_person_only(
    engine: Engine, platform: Platform
):
    people = await engine.follow(10)
    platform.fault = lambda openid, _: WRONG if openid == people[3] else None

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=10, sent=9, failed=1)


async def test_half_of_fifty_failing_pauses_the_broadcast(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(per_second=300)
    people = await engine.follow(200)
    odd = set(people[::2])
    platform.fault = lambda openid, _: DROPPED if openid in odd else None

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _is_in(engine, broadcast, "paused"))

    counts = await engine.counts(broadcast)
    assert 50 <= counts.sent + counts.failed < 150


async def test_old_successes_do_not_excuse_that_everybody_fails_now(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(chunk_size=50, batch_size=500)
    await engine.follow(4_000)
    platform.fault = lambda *_: None if len(platform.cards) < 2_000 else UNHEARD_OF

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _is_in(engine, broadcast, "paused"), within=20)

    counts = await engine.counts(broadcast)
    assert "777777" in (await engine.find(broadcast)).reason
    assert counts.failed < 1_300  # half of a thousand, and what was under way


@pytest.mark.parametrize("code", [45501, 45102, 89503])
async def test_a_platform_that_refuses_the_account_for_a_time_is_not_asked_for_everybody(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock, code: int
):
    engine = await make_engine(per_second=500, lease=100_000)
    people = await engine.follow(200)
    platform.fault = lambda *_: None if len(platform.cards) < 10 else Fault(code)

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _is_held(engine))
        await asyncio.sleep(0.3)
        asked = sum(platform.asked.values())
        assert asked < len(people)  # what was on its way
        platform.fault = lambda *_: None
        clock.advance(timedelta(hours=3))

        async def is_finished_after_the_hold() -> bool:
            await engine.redis.delete(f"{engine.limiter.hold_prefix}{CITY}")  # its clock is real
            return await engine.state(broadcast) == "finished"

        await until(is_finished_after_the_hold, within=20)
        counts = await engine.counts(broadcast)

    assert counts == Counts(audience=200, sent=200)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_token_rejected_now_and_then_pauses_nothing_and_loses_nobody(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(chunk_size=20, batch_size=100)
    people = await engine.follow(100)
    unlucky = set(people[::10])
    # the token, and the next one for the same call
    platform.fault = lambda openid, number: REJECTED if openid in unlucky and number <= 2 else None

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _has_cards(platform, 90))
        await until(lambda: _has_sent(engine, broadcast, 90))
        assert await engine.state(broadcast) == "sending"
        clock.advance(timedelta(minutes=2))
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=100, sent=100)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_tokens_rejected_for_everybody_halt_the_sending_until_the_next_token(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(per_second=200)
    people = await engine.follow(200)
    platform.fault = lambda *_: REJECTED

    broadcast = await engine.begin()
    async with engine.working():
        seen: list[int] = []

        async def is_quiet() -> bool:
            await asyncio.sleep(0.5)
            seen.append(platform.asked.total())
            return 0 < seen[-1] == sum(seen[-2:-1])

        await until(is_quiet, within=20)
        assert seen[-1] < 2 * len(people)  # two for each that was under way, and nobody else
        assert await engine.state(broadcast) == "sending"
        assert await _is_held(engine)  # for all processes
        platform.fault = lambda *_: None
        await _let_go(engine)
        clock.advance(timedelta(minutes=2))
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=200, sent=200)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_tokens_rejected_for_everybody_and_for_minutes_pause_the_broadcast(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(per_second=200, lease=100_000)
    people = await engine.follow(60)
    platform.fault = lambda *_: REJECTED

    broadcast = await engine.begin()
    async with engine.working():

        async def is_paused_in_the_end() -> bool:
            await _let_go(engine)
            clock.advance(30)
            return await engine.state(broadcast) == "paused"

        await until(is_paused_in_the_end, within=20)
        assert "40001" in (await engine.find(broadcast)).reason
        platform.fault = lambda *_: None
        await _let_go(engine)
        clock.advance(timedelta(minutes=2))
        await engine.broadcasts.resume(broadcast)
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=60, sent=60)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_one_whose_token_is_always_rejected_is_not_given_up_but_shown_to_a_person(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(lease=100_000)
    await engine.follow(1)
    platform.fault = lambda *_: REJECTED

    broadcast = await engine.begin()
    async with engine.working():

        async def is_paused_in_the_end() -> bool:
            clock.advance(30)
            return await engine.state(broadcast) == "paused"

        await until(is_paused_in_the_end, within=20)
        platform.fault = lambda *_: None
        clock.advance(timedelta(minutes=2))
        await engine.broadcasts.resume(broadcast)
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=1, sent=1)


async def test_no_answer_to_the_end_of_the_window_is_unknown(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    people = await engine.follow(3)
    platform.fault = lambda openid, _: SWALLOWED if openid == people[1] else None

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: _has_sent(engine, broadcast, 2))
        clock.advance(timedelta(minutes=10))
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=3, sent=2, unknown=1)
    (unknown,) = await engine.deliveries.list_(broadcast, "unknown")
    assert unknown.openid == people[1]


# --- stopping ---------------------------------------------------------------------------------


async def test_no_send_starts_later_than_a_second_after_pausing(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(per_second=200, chunk_size=25, batch_size=500)
    await engine.follow(800)
    broadcast = await engine.begin()

    async with engine.working(workers=2):
        await until(lambda: _has_cards(platform, 40))
        await engine.broadcasts.pause(broadcast)
        paused_at = time.monotonic()
        await asyncio.sleep(1.6)
        after = [moment for moment in platform.arrivals if moment > paused_at + 1.0]
        assert (len(platform.cards) < 500, after) == (True, [])
        await engine.broadcasts.resume(broadcast)
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=800, sent=800)


@pytest.mark.parametrize("fault", [None, REJECTED])
async def test_nothing_leaves_after_a_pause_because_it_waited_for_the_token(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock, fault: Fault | None
):
    engine = await make_engine(per_second=200)
    people = await engine.follow(10)
    rejected = set(people) if fault else set()
    platform.fault = lambda openid, number: fault if openid in rejected and number == 1 else None
    platform.token_seconds = 0.0 if fault else 1.5
    broadcast = await engine.begin()

    async with engine.working():
        if fault:  # the first token is there, and the next one takes long
            await engine.sender._gateways[CITY]._gateway._tokens.token()
            clock.advance(timedelta(minutes=2))
            platform.token_seconds = 1.5
            await until(lambda: _have_arrived(platform, len(people)))
        await asyncio.sleep(0.4)
        before = len(platform.arrivals)
        await engine.broadcasts.pause(broadcast)
        await asyncio.sleep(2.4)
        assert (len(platform.arrivals) - before, platform.cards) == (0, [])
        await engine.broadcasts.resume(broadcast)
        clock.advance(timedelta(minutes=2))
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=10, sent=10)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_cancelling_stops_and_counts_the_rest_as_skipped(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(per_second=100)
    await engine.follow(300)
    broadcast = await engine.begin()

    async with engine.working():
        await until(lambda: _has_cards(platform, 20))
        await engine.broadcasts.cancel(broadcast)
        await until(lambda: _adds_up(engine, broadcast))

    counts = await engine.counts(broadcast)
    assert counts.audience == 300
    assert counts.sent == len(platform.cards) < 200
    assert counts.skipped == 300 - counts.sent


async def test_after_expiry_the_rest_is_skipped(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(per_second=50, lease=300)
    await engine.follow(80)
    broadcast = await engine.begin(expires_at=clock.now() + timedelta(seconds=100))

    async with engine.working():
        await until(lambda: _has_cards(platform, 10))
        clock.advance(101)
        counts = await engine.finished(broadcast)

    assert counts.sent == len(platform.cards) < 80
    assert counts.skipped == 80 - counts.sent


async def test_quiet_hours_hold_what_is_normal_and_let_urgent_through(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(quiet_hours=(at(22), at(7)))
    await engine.follow(4)
    clock.advance(timedelta(hours=13))  # 23:00 in Beijing
    normal = await engine.begin()
    urgent = await engine.begin(priority="urgent")
    loud = await engine.begin(ignore_quiet_hours=True)

    async with engine.working():
        await engine.finished(urgent)
        await engine.finished(loud)
        assert await engine.state(normal) == "scheduled"
        clock.advance(timedelta(hours=8))
        counts = await engine.finished(normal)

    assert counts.sent == 4
    assert len(platform.cards) == 12


async def test_a_broadcast_that_reaches_quiet_hours_goes_on_in_the_morning(
    make_engine: MakeEngine, platform: Platform, clock: FlowingClock
):
    engine = await make_engine(per_second=50, lease=100_000, quiet_hours=(at(22), at(7)))
    await engine.follow(60)
    clock.advance(timedelta(hours=11, minutes=59))
    broadcast = await engine.begin()

    async with engine.working():
        await until(lambda: _has_cards(platform, 5))
        clock.advance(timedelta(minutes=2))
        await asyncio.sleep(0.3)
        held_at = len(platform.cards)
        await asyncio.sleep(0.3)
        assert len(platform.cards) == held_at < 60
        clock.advance(timedelta(hours=9))
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=60, sent=60)


async def test_an_urgent_broadcast_does_not_wait_for_a_long_one(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(per_second=100, chunk_size=25, batch_size=500)
    people = await engine.follow(600)
    await engine.begin()

    async with engine.working():
        await until(lambda: _has_cards(platform, 20))
        started = time.monotonic()
        urgent = await engine.order(
            Audience(openids=(people[-1],)), priority="urgent", title="紧急"
        )
        await engine.finished(urgent)
        took = time.monotonic() - started

    assert took < 2.0


async def test_a_worker_asked_to_stop_gives_its_leases_back(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(lease=300.0, per_second=50)
    await engine.follow(60)
    broadcast = await engine.begin()

    async with engine.working(recovering=False):
        await until(lambda: _has_cards(platform, 5))
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=60, sent=60)


async def test_without_redis_nothing_is_sent_and_with_it_everything(
    make_engine: MakeEngine, platform: Platform
):
    engine = await make_engine(pauses=Pauses(retry=(), no_answer=()))
    await engine.follow(10)
    broadcast = await engine.begin()
    acquire = engine.limiter.acquire

    async def away(*_: object, **__: object) -> int:
        from storage.redis.scripts import StoreAway

        raise StoreAway("redis is away")

    engine.limiter.acquire = away  # type: ignore[method-assign]
    async with engine.working():
        await asyncio.sleep(0.5)
        assert platform.arrivals == []
        engine.limiter.acquire = acquire  # type: ignore[method-assign]
        counts = await engine.finished(broadcast)

    assert counts == Counts(audience=10, sent=10)


async def _has_cards(platform: Platform, number: int) -> bool:
    return len(platform.cards) >= number


async def _has_sent(engine: Engine, broadcast, number: int) -> bool:
    return (await engine.counts(broadcast)).sent >= number


async def _is_in(engine: Engine, broadcast, state: str) -> bool:
    return await engine.state(broadcast) == state


async def _is_held(engine: Engine) -> bool:
    return await engine.limiter.held_for(CITY) > timedelta(0)


async def _adds_up(engine: Engine, broadcast) -> bool:
    counts = await engine.counts(broadcast)
    done = counts.sent + counts.failed + counts.skipped + counts.unknown
    return done == counts.audience


async def _have_arrived(platform: Platform, number: int) -> bool:
    return len(platform.arrivals) >= number


async def _let_go(engine: Engine) -> None:
    """End a hold: the limiter's own clock is real."""
    await engine.redis.delete(f"{engine.limiter.hold_prefix}{CITY}")
