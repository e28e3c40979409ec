"""Mass sends: one call per batch, four a month for each person, never the same call twice."""

import asyncio
from datetime import timedelta

import pytest

from domain import mass
from domain.conversation import MassReceipt
from push.live import Live
from storage.mongo.reports import MongoReports
from tests.push.test_channels import claimed, is_paused
from tests.support.platform import ANSWER_LOST, SWALLOWED, Fault
from tests.support.push import CITY, until


@pytest.fixture
def send(engine):
    """Order a mass send, let workers do it, and return its counts."""

    async def send(**changes):
        broadcast = await engine.begin(channel="mass", **changes)
        async with engine.working():
            return broadcast, await engine.finished(broadcast)

    return send


def finished(engine, status="sendsuccess", sent=3, msg_id="1000"):
    return MassReceipt(
        account=CITY,
        openid="gh_city",
        at=engine.clock.now(),
        dedupe_key=f"j{msg_id}",
        message_id=msg_id,
        status=status,
        total=4,
        filtered=4,
        sent=sent,
        failed=4 - sent,
    )


async def test_everybody_is_one_call_however_small_batches_are(engine, platform, send):
    people = await engine.follow(45)  # batches of other broadcasts hold 20

    _, counts = await send()

    assert (counts.sent, counts.audience) == (45, 45)
    (job,) = platform.masses
    assert sorted(job["touser"]) == sorted(people)
    assert job["text"]["content"].startswith("【停水通知】")
    assert len(job["clientmsgid"]) == 32


async def test_the_result_counts_whom_it_reached(engine, send):
    await engine.follow(4)
    broadcast, _ = await send()

    for _ in range(2):
        await engine.results.mass(finished(engine))

    reports = MongoReports(engine.database)
    live = Live(
        engine.store, engine.ledger, engine.deliveries, reports, engine.clock, engine.mass_jobs
    )
    assert (await engine.counts(broadcast)).delivered == 3
    assert (await live.read(broadcast, CITY)).delivered == 3  # what the console shows


async def test_a_result_that_comes_before_the_answer_is_kept(engine, send):
    await engine.follow(4)
    await engine.results.mass(finished(engine))

    broadcast, _ = await send()

    assert (await engine.counts(broadcast)).delivered == 3


async def test_a_job_that_the_review_refused_gives_its_reason(engine, send):
    await engine.follow(4)
    broadcast, _ = await send()

    await engine.results.mass(finished(engine, "err(10001)", sent=0))

    assert "涉嫌广告" in (await engine.find(broadcast)).reason
    assert (await engine.counts(broadcast)).delivered == 0


async def test_a_fifth_in_a_month_is_skipped_before_the_call_and_possible_next_month(
    engine, platform, send, clock
):
    people = await engine.follow(3)
    keys = [mass.month_key(CITY, people[0], clock.now())]
    for number in range(mass.PER_MONTH):
        expire_at = clock.now() + timedelta(days=62)
        await engine.slots.take(keys, f"earlier{number}", number=4, expire_at=expire_at)

    broadcast, counts = await send()

    assert (counts.sent, counts.skipped) == (2, 1)
    assert people[0] not in platform.masses[0]["touser"]
    (skipped,) = await engine.deliveries.list_(broadcast, "skipped")
    assert "4 mass sends this month" in skipped.reason

    clock.advance(31 * 24 * 3600)
    _, counts = await send(title="下个月")
    assert counts.sent == 3


async def test_a_single_person_is_no_mass_send_and_keeps_their_month(engine, platform, send):
    await engine.follow(1)

    _, counts = await send()

    assert (counts.skipped, platform.mass_calls) == (1, [])
    assert await engine.database["slots"].count_documents({"by.0": {"$exists": True}}) == 0


async def test_who_unsubscribed_meanwhile_is_not_on_the_list(engine, platform):
    people = await engine.follow(3)
    broadcast = await engine.begin(channel="mass")
    await engine.subscriptions.unfollow(CITY, people[0], engine.clock.now())

    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.sent, counts.skipped) == (2, 1)
    assert people[0] not in platform.masses[0]["touser"]


@pytest.mark.parametrize("lost", [ANSWER_LOST, SWALLOWED])
async def test_without_an_answer_the_same_call_is_made_again_a_minute_later(
    engine, platform, clock, lost
):
    await engine.follow(3)
    platform.other_fault = lambda _channel, _openid: lost if len(platform.mass_calls) == 1 else None
    broadcast = await engine.begin(channel="mass")

    async with engine.working():
        await until(lambda: has_called(platform))
        await asyncio.sleep(0.3)
        assert len(platform.mass_calls) == 1
        clock.advance(70)
        counts = await engine.finished(broadcast)

    assert counts.sent == 3
    assert len(platform.masses) == 1
    first, second = platform.mass_calls
    assert first == second


async def has_called(platform):
    return len(platform.mass_calls) > 0


async def test_a_crash_between_call_and_record_repeats_the_same_list(engine, platform, clock):
    people = await engine.follow(3)
    broadcast = await engine.begin(channel="mass")
    (batch,) = await claimed(engine, broadcast, "dead", lease=0.01)
    await engine.ledger.intend(batch, batch.open["0"], clock.now())
    await engine.mass_jobs.prepare(batch.id, CITY, broadcast, None, people[:2], clock.now())
    platform.masses.append({"touser": people[:2], "clientmsgid": mass.client_id(batch.id)})
    await asyncio.sleep(0.05)

    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.sent, counts.skipped) == (2, 1)
    assert len(platform.masses) == 1


async def test_a_crash_before_the_call_sends_to_everybody(engine, platform, clock):
    await engine.follow(3)
    broadcast = await engine.begin(channel="mass")
    (batch,) = await claimed(engine, broadcast, "dead", lease=0.01)
    await engine.ledger.intend(batch, batch.open["0"], clock.now())
    await asyncio.sleep(0.05)

    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts.sent == 3


async def test_after_a_day_a_call_without_an_answer_is_unknown(engine, platform, clock):
    people = await engine.follow(3)
    broadcast = await engine.begin(channel="mass")
    (batch,) = await claimed(engine, broadcast, "dead", lease=0.01)
    await engine.ledger.intend(batch, batch.open["0"], clock.now())
    await engine.mass_jobs.prepare(batch.id, CITY, broadcast, None, people, clock.now())
    clock.advance(23.5 * 3600)

    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.unknown, platform.mass_calls) == (3, [])


async def test_no_mass_send_left_fails_and_gives_the_month_back(engine, platform, send):
    await engine.follow(3)
    platform.other_fault = lambda _channel, _openid: Fault(code=45028)

    _, counts = await send()

    assert counts.failed == 3
    assert await engine.database["slots"].count_documents({"by.0": {"$exists": True}}) == 0


async def test_a_missing_permission_pauses_and_calls_a_person(engine, platform):
    await engine.follow(3)
    platform.other_fault = lambda _channel, _openid: Fault(code=48003)
    broadcast = await engine.begin(channel="mass")

    async with engine.working():
        await until(lambda: is_paused(engine, broadcast))
        platform.other_fault = lambda _channel, _openid: None
        await engine.broadcasts.resume(broadcast)
        counts = await engine.finished(broadcast)

    assert counts.sent == 3
    assert len(platform.masses) == 1


@pytest.mark.parametrize("held", [True, False])
async def test_a_cancelled_send_of_which_no_call_was_made_leaves_everybody_their_month(
    engine, platform, clock, held
):
    await engine.follow(3)
    platform.other_fault = lambda _channel, _openid: Fault(code=48003)
    broadcast = await engine.begin(channel="mass")
    if held:
        await engine.limiter.hold(CITY, timedelta(minutes=1))

    async with engine.working():
        await until(lambda: _was_put_back(engine, broadcast))
        await engine.broadcasts.cancel(broadcast)
        await until(lambda: _is_closed(engine, broadcast))

    assert (await engine.counts(broadcast)).skipped == 3
    assert await engine.database["slots"].count_documents({"by.0": {"$exists": True}}) == 0


async def _was_put_back(engine, broadcast):
    query = {"broadcast": broadcast, "begun": True}
    return await engine.database["batches"].find_one(query) is not None


async def _is_closed(engine, broadcast):
    return await engine.store.find_totals(broadcast) is not None


async def test_a_hundred_and_first_call_of_the_day_waits_for_the_next(engine, platform, clock):
    await engine.follow(3)
    key = mass.day_key(CITY, clock.now())
    for number in range(mass.PER_DAY):
        await engine.slots.take(
            [key], f"b{number}", number=mass.PER_DAY, expire_at=clock.now() + timedelta(days=2)
        )
    broadcast = await engine.begin(channel="mass")

    async with engine.working():
        await asyncio.sleep(0.5)
        assert platform.mass_calls == []
        clock.advance(15 * 3600)  # past midnight in Beijing
        counts = await engine.finished(broadcast)

    assert counts.sent == 3
