"""Channels: the first that may carry, nobody twice, and a reason for whoever none may carry."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.conversation import ConsentEvent, ConsentItem, TextMessage
from storage.redis.guards import Guards
from storage.redis.sealing import Sealer
from tests.push.test_history import everything, rows
from tests.support.platform import ANSWER_LOST, SWALLOWED, Fault
from tests.support.push import CITY, WATER, until

FORM = "city-sub-outage_notice"  # one-time


@pytest.fixture
def ways(engine):
    """Say which channels the water topic uses."""

    def use(*channels):
        topics = engine.catalogue.topics
        topics[WATER] = replace(topics[WATER], channels=channels)

    return use


@pytest.fixture
def consent(engine, platform, clock):
    """Let people agree, in our books and in the platform's."""

    async def agree(*openids, times=1, platforms=None):
        for openid in openids:
            for number in range(times):
                event = f"{openid}{number}{clock.now()}"
                await engine.consents.accepted(CITY, openid, FORM, event=event, at=clock.now())
            platform.agreed[openid] += times if platforms is None else platforms

    return agree


@pytest.fixture
def writes(engine, settings, redis, clock):
    """Let people write to the account, which opens their customer-service window."""
    guards = Guards(redis, Sealer(settings.security.master_key))

    async def write(*openids, at=None):
        for openid in openids:
            message = TextMessage(
                account=CITY,
                openid=openid,
                at=at or clock.now(),
                dedupe_key=f"m:{openid}",
                text="在吗",
            )
            await guards.begin(message)

    return write


async def sent_by(engine, broadcast):
    """Return the people of each channel, in order."""
    found = {}
    for delivery in await engine.deliveries.list_(broadcast):
        found.setdefault((delivery.state, delivery.channel), []).append(delivery.openid)
    return {key: sorted(people) for key, people in found.items()}


# --- the order ---------------------------------------------------------------------------------


async def test_everybody_gets_the_first_channel_that_may_carry_it(
    engine, ways, consent, writes, platform
):
    ways("subscription", "custom", "template")
    first, second, third = await engine.follow(3)
    await consent(first)
    await writes(second)

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.sent, counts.audience) == (3, 3)
    assert platform.notices == [first]
    assert [openid for openid, _ in platform.texts] == [second]
    assert platform.texts[0][1].startswith("【停水通知】")
    assert [openid for openid, _ in platform.cards] == [third]
    assert await sent_by(engine, broadcast) == {
        ("sent", "subscription"): [first],
        ("sent", "custom"): [second],
        ("sent", "template"): [third],
    }


async def test_a_refusal_of_the_channels_own_falls_back_in_the_same_pass(
    engine, ways, consent, platform
):
    ways("template", "subscription")
    (person,) = await engine.follow(1)
    await consent(person)
    platform.fault = lambda _openid, _number: Fault(code=43101)

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts.sent == 1
    assert platform.notices == [person]


async def test_whoever_no_channel_may_carry_is_skipped_with_what_each_said(
    engine, ways, consent, platform
):
    ways("template", "subscription", "custom")
    await engine.follow(1)
    platform.fault = lambda _openid, _number: Fault(code=43101)

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.skipped, counts.failed) == (1, 0)
    (delivery,) = await engine.deliveries.list_(broadcast)
    for part in ("模板消息: 43101", "订阅通知: no consent left", "客服消息: no open"):
        assert part in delivery.reason


async def test_a_person_who_left_is_no_matter_of_channels(engine, ways, consent, platform):
    ways("template", "subscription")
    (person,) = await engine.follow(1)
    await consent(person)
    platform.fault = lambda _openid, _number: Fault(code=43004)

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts.failed == 1
    assert platform.notices == []


async def test_a_topic_of_templates_alone_asks_nothing_else(engine, mongo, platform):
    await engine.follow(5)

    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    assert len(platform.cards) == 5
    assert await mongo["attempts"].count_documents({}) == 0


# --- consents ----------------------------------------------------------------------------------


async def test_a_consent_used_up_between_choosing_and_sending_goes_to_the_next_channel(
    engine, ways, consent, platform
):
    ways("subscription", "template")
    (person,) = await engine.follow(1)
    await consent(person, platforms=0)  # the platform knows better than our books

    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    assert await sent_by(engine, broadcast) == {("sent", "template"): [person]}
    assert (await engine.consents.look(CITY, person, FORM))["left"] == 0


async def test_two_broadcasts_at_once_share_one_consent(engine, ways, consent, platform):
    ways("subscription")
    (person,) = await engine.follow(1)
    await consent(person)

    broadcasts = [await engine.begin(), await engine.begin(title="第二条")]
    async with engine.working(workers=2):
        counts = [await engine.finished(broadcast) for broadcast in broadcasts]

    assert sorted((c.sent, c.skipped) for c in counts) == [(0, 1), (1, 0)]
    assert platform.notices == [person]


async def test_what_was_certainly_not_sent_gives_its_consent_back(engine, ways, consent, platform):
    ways("subscription")
    (person,) = await engine.follow(1)
    await consent(person)
    platform.other_fault = lambda _channel, _openid: Fault(code=47003)

    broadcast = await engine.begin()
    async with engine.working():
        await until(lambda: is_paused(engine, broadcast))

    assert (await engine.consents.look(CITY, person, FORM))["left"] == 1


async def is_paused(engine, broadcast):
    return await engine.state(broadcast) == "paused"


# --- never twice -------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [ANSWER_LOST, SWALLOWED, Fault(code=-1, carried_out=True)])
async def test_no_answer_to_a_notice_is_unknown_and_never_repeated(
    engine, ways, consent, platform, lost
):
    ways("subscription", "custom", "template")
    people = await engine.follow(3)
    await consent(*people, times=2)
    asked = []

    def fault(_channel, openid):
        asked.append(openid)
        return lost if openid == people[0] else None

    platform.other_fault = fault
    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.sent, counts.unknown) == (2, 1)
    assert asked.count(people[0]) == 1
    assert platform.cards == []
    assert (await engine.consents.look(CITY, people[0], FORM))["left"] == 1


async def test_a_platform_that_falls_silent_is_left_alone(make_engine, consent, platform, clock):
    engine = await make_engine(chunk_size=50, batch_size=50, per_second=200)
    topics = engine.catalogue.topics
    topics[WATER] = replace(topics[WATER], channels=("subscription",))
    people = await engine.follow(40)
    await consent(*people)
    platform.other_fault = lambda _channel, _openid: SWALLOWED

    broadcast = await engine.begin()
    async with engine.working(recovering=False):
        await asyncio.sleep(1.0)

    unknown = await engine.deliveries.list_(broadcast, "unknown")
    assert 5 <= len(unknown) < 40
    waiting = set(people) - {delivery.openid for delivery in unknown}
    left = [(await engine.consents.look(CITY, openid, FORM))["left"] for openid in waiting]
    assert set(left) == {1}


async def test_a_crash_after_the_send_leaves_unknown_and_a_crash_before_it_sends(
    engine, ways, consent, platform, clock
):
    ways("subscription")
    sent, reserved, untouched = await engine.follow(3)
    await consent(sent, reserved, untouched)
    broadcast = await engine.begin()
    # what a worker leaves behind that died: an intent, all consents reserved, one attempt begun
    (batch,) = await claimed(engine, broadcast, "dead", lease=0.01)
    await engine.ledger.intend(batch, batch.open["0"], clock.now())
    await engine.consents.reserve(CITY, FORM, "one_time", broadcast, [sent, reserved])
    await engine.attempts.begin(
        CITY, broadcast, batch.id, "subscription", [sent], clock.now(), template_id=FORM
    )
    platform.notices.append(sent)
    await asyncio.sleep(0.05)

    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.sent, counts.unknown) == (2, 1)
    assert sorted(platform.notices) == sorted([sent, reserved, untouched])
    (unknown,) = await engine.deliveries.list_(broadcast, "unknown")
    assert unknown.openid == sent
    assert "订阅通知" in unknown.reason


async def test_cancelling_gives_back_what_a_dead_worker_had_reserved(
    engine, ways, consent, platform, clock
):
    ways("subscription")
    (person,) = await engine.follow(1)
    await consent(person)
    broadcast = await engine.begin()
    (batch,) = await claimed(engine, broadcast, "dead", lease=0.01)
    await engine.ledger.intend(batch, batch.open["0"], clock.now())
    await engine.consents.reserve(CITY, FORM, "one_time", broadcast, [person])

    await engine.broadcasts.cancel(broadcast)
    await asyncio.sleep(0.05)
    await engine.recovery.tick()

    assert (await engine.counts(broadcast)).skipped == 1
    assert (await engine.consents.look(CITY, person, FORM))["left"] == 1


async def test_whoever_gets_a_template_message_after_a_crash_keeps_the_consent(
    engine, ways, consent, platform, clock
):
    ways("subscription", "template")
    (person,) = await engine.follow(1)
    await consent(person)
    broadcast = await engine.begin()
    (batch,) = await claimed(engine, broadcast, "dead", lease=0.01)
    await engine.ledger.intend(batch, batch.open["0"], clock.now())
    await engine.consents.reserve(CITY, FORM, "one_time", broadcast, [person])
    await asyncio.sleep(0.05)

    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.sent, platform.notices) == (1, [])
    assert (await engine.consents.look(CITY, person, FORM))["left"] == 1


async def claimed(engine, broadcast, owner, *, lease):
    now = engine.clock.now()
    ids = await engine.ledger.list_open(broadcast)
    return await engine.ledger.claim(
        ids, owner=owner, now=now, until=now + timedelta(seconds=lease)
    )


# --- customer-service messages -----------------------------------------------------------------


async def test_one_allowance_is_used_for_one_message(engine, ways, writes, platform, clock):
    ways("custom")
    (person,) = await engine.follow(1)
    await writes(person)

    for number in range(6):
        broadcast = await engine.begin(title=f"第{number}条")
        async with engine.working():
            counts = await engine.finished(broadcast)

    assert len(platform.texts) == 5  # in 48 hours
    assert (counts.sent, counts.skipped) == (0, 1)


async def test_a_window_that_closed_meanwhile_goes_to_the_next_channel(
    engine, ways, writes, platform
):
    ways("custom", "template")
    (person,) = await engine.follow(1)
    await writes(person)
    platform.refuses_custom = 45015

    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    assert await sent_by(engine, broadcast) == {("sent", "template"): [person]}


async def test_an_old_window_is_not_used(engine, ways, writes, platform, clock):
    ways("custom", "template")
    (person,) = await engine.follow(1)
    await writes(person, at=clock.now() - timedelta(hours=49))

    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    assert platform.texts == []
    assert len(platform.cards) == 1


async def test_no_answer_to_a_customer_service_message_is_never_repeated(
    engine, ways, writes, platform
):
    ways("custom", "template")
    (person,) = await engine.follow(1)
    await writes(person)
    platform.other_fault = lambda _channel, _openid: ANSWER_LOST

    broadcast = await engine.begin()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts.unknown == 1
    assert len(platform.texts) == 1
    assert platform.cards == []


# --- results -----------------------------------------------------------------------------------


def result(engine, openid, msgid, code="0", status="success"):
    return ConsentEvent(
        account=CITY,
        openid=openid,
        at=engine.clock.now(),
        dedupe_key=f"r{msgid}",
        kind="sent",
        items=(ConsentItem(FORM, status, message_id=msgid, code=code),),
    )


async def test_the_result_of_a_notice_counts_as_delivered_once(engine, ways, consent):
    ways("subscription")
    people = await engine.follow(2)
    await consent(*people)
    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    for _ in range(2):
        await engine.results.notices(result(engine, people[0], "501"))
    await engine.results.notices(result(engine, people[1], "502", "43101", "user refuse"))

    counts = await engine.counts(broadcast)
    assert (counts.sent, counts.delivered) == (2, 1)


async def test_a_result_that_comes_first_is_joined_later(engine, ways, consent, clock):
    ways("subscription")
    (person,) = await engine.follow(1)
    await consent(person)
    broadcast = await engine.begin()
    await engine.attempts.begin(
        CITY, broadcast, f"{broadcast}:0", "subscription", [person], clock.now(), template_id=FORM
    )
    await engine.results.notices(result(engine, person, "501"))
    await engine.attempts.undo(broadcast, [person])  # as if it had only just been written
    async with engine.working():
        await engine.finished(broadcast)

    clock.advance(11)
    await engine.receipts.sweep(clock.now())

    assert (await engine.counts(broadcast)).delivered == 1


async def test_a_later_result_settles_what_was_unknown(engine, ways, consent, platform):
    ways("subscription")
    (person,) = await engine.follow(1)
    await consent(person)
    platform.other_fault = lambda _channel, _openid: ANSWER_LOST
    broadcast = await engine.begin()
    async with engine.working():
        assert (await engine.finished(broadcast)).unknown == 1

    for _ in range(2):
        await engine.results.notices(result(engine, person, "501"))

    counts = await engine.counts(broadcast)
    assert (counts.sent, counts.unknown, counts.delivered) == (1, 0, 1)
    assert (await engine.ledger.totals(broadcast)).sent == 1


# --- what is kept of people --------------------------------------------------------------------


async def test_history_says_by_which_way_and_why_by_none(engine, ways, consent):
    ways("subscription")
    sent, skipped = await engine.follow(2)
    await consent(sent)
    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    said = {openid: (await rows(engine, openid))[0] for openid in (sent, skipped)}
    assert said[sent].outcome == "已发送，暂无送达回执"
    assert said[sent].channel == "subscription"
    assert said[skipped].outcome == "未发送：没有可用的发送渠道"


async def test_an_erased_person_leaves_no_consent_no_attempt_and_no_count(
    engine, ways, consent, clock
):
    ways("subscription")
    erased, other = await engine.follow(2)
    await consent(erased, other, times=2)
    broadcasts = [await engine.begin(), await engine.begin(title="群发", channel="mass")]
    async with engine.working():
        for broadcast in broadcasts:
            await engine.finished(broadcast)

    await engine.subscriptions.forget(CITY, erased, clock.now())
    await engine.retention.tick()
    for lists in ("batch_people", "mass_lists"):  # as they expire after thirty days
        await engine.database[lists].delete_many({})

    kept = await everything(engine)
    assert erased not in kept
    assert other in kept
