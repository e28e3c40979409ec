"""A resend reaches exactly those it failed for and who still want it, once."""

import asyncio
from datetime import timedelta

import pytest

from domain.broadcast import Counts
from domain.errors import NotFound, StateError
from domain.ids import AccountId, BroadcastId, OpenId
from tests.support.platform import Platform
from tests.support.push import CITY, WATER, Engine, FlowingClock


async def _outcomes(engine: Engine, broadcast: BroadcastId) -> dict[str, set[OpenId]]:
    found: dict[str, set[OpenId]] = {}
    for delivery in await engine.deliveries.list_(broadcast):
        found.setdefault(delivery.state, set()).add(delivery.openid)
    return found


async def _partly_failed(engine: Engine, *, people: int = 30) -> tuple[BroadcastId, list[OpenId]]:
    """A finished broadcast that failed, was skipped, and is unknown, for some people each."""
    openids = await engine.follow(people)
    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)
    change = {"failed": openids[0:12], "skipped": openids[12:14], "unknown": openids[14:16]}
    for state, some in change.items():
        await engine.database[engine.deliveries.collection].update_many(
            {"broadcast": broadcast, "openid": {"$in": some}}, {"$set": {"state": state}}
        )
    return broadcast, openids


async def test_a_resend_reaches_those_it_failed_for_and_nobody_else(
    engine: Engine, platform: Platform
):
    broadcast, openids = await _partly_failed(engine)
    platform.messages.clear()

    accepted = await engine.resends.resend(broadcast, CITY, author="key")
    before = await engine.counts(accepted.id)
    async with engine.working():
        counts = await engine.finished(accepted.id)

    assert before == Counts(audience=12)
    assert counts == Counts(audience=12, sent=12)
    assert sorted(message["touser"] for message in platform.messages) == openids[:12]
    again = await engine.find(accepted.id)
    assert (again.resend_of, again.author, again.title) == (broadcast, "key", "停水通知")


async def test_whoever_left_meanwhile_is_skipped(engine: Engine, platform: Platform):
    broadcast, openids = await _partly_failed(engine)
    await engine.subscriptions.unsubscribe(CITY, openids[0], WATER)
    await engine.subscriptions.mark_unreachable(CITY, openids[1], "blocked")

    accepted = await engine.resends.resend(broadcast, CITY, author="key")
    async with engine.working():
        counts = await engine.finished(accepted.id)

    # the first one still follows the account, and the broadcast was for everybody
    assert counts == Counts(audience=12, sent=11, skipped=1)


async def test_asking_twice_or_at_once_is_answered_with_the_same_one(
    engine: Engine, platform: Platform
):
    broadcast, openids = await _partly_failed(engine)

    answers = await asyncio.gather(
        *(engine.resends.resend(broadcast, CITY, author=f"key{n}") for n in range(4))
    )
    async with engine.working():
        await engine.finished(answers[0].id)
    late = await engine.resends.resend(broadcast, CITY, author="key")

    assert {answer.id for answer in answers} == {late.id}
    assert late.state == "finished"
    assert platform.cards_per_person[openids[0]] == 2
    assert platform.cards_per_person[openids[20]] == 1


async def test_what_fails_again_is_sent_again_by_a_resend_of_the_resend(
    engine: Engine, platform: Platform
):
    broadcast, openids = await _partly_failed(engine)
    first = await engine.resends.resend(broadcast, CITY, author="key")
    async with engine.working():
        await engine.finished(first.id)
    await engine.database[engine.deliveries.collection].update_one(
        {"broadcast": first.id, "openid": openids[3]}, {"$set": {"state": "failed"}}
    )

    second = await engine.resends.resend(first.id, CITY, author="key")
    async with engine.working():
        counts = await engine.finished(second.id)

    assert second.id != first.id
    assert counts == Counts(audience=1, sent=1)


async def test_an_expansion_of_a_resend_that_crashed_goes_on_where_it_stopped(
    engine: Engine, clock: FlowingClock
):
    broadcast, _ = await _partly_failed(engine, people=100)
    await engine.database[engine.deliveries.collection].update_many(
        {"broadcast": broadcast}, {"$set": {"state": "failed"}}
    )
    accepted = await engine.resends.resend(broadcast, CITY, author="key")
    write, written = engine.ledger.add, 0

    async def add_or_die(batches):
        nonlocal written
        if written == 1:
            raise asyncio.CancelledError
        written += 1
        await write(batches)

    engine.ledger.add = add_or_die
    await engine.plan()
    engine.ledger.add = write
    clock.advance(60)
    await engine.plan()

    assert (await engine.ledger.totals(accepted.id)).people == 100


async def test_only_what_is_finished_and_still_valid_is_resent(engine: Engine, clock: FlowingClock):
    await engine.follow(3)
    running = await engine.begin()
    plan = await engine.order(cron="0 12 * * *")
    short = await engine.order(expires_at=clock.now() + timedelta(minutes=30))
    with pytest.raises(StateError, match="完成后才能重发"):
        await engine.resends.resend(running, CITY, author="key")
    with pytest.raises(StateError, match="周期任务"):
        await engine.resends.resend(plan, CITY, author="key")
    async with engine.working():
        await engine.finished(running)
        await engine.finished(short)

    with pytest.raises(StateError, match="没有发送失败的人"):
        await engine.resends.resend(running, CITY, author="key")
    clock.advance(timedelta(hours=1))
    with pytest.raises(StateError, match="expires_at"):
        await engine.resends.resend(short, CITY, author="key")
    with pytest.raises(NotFound):
        await engine.resends.resend(running, AccountId("other"), author="key")
