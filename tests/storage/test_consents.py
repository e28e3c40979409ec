"""Consents are counted once each, pay for one send each, and give way to what the platform says."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.ids import AccountId, BroadcastId, OpenId
from storage.mongo.consents import MongoConsents

CITY = AccountId("city")
ANNA = OpenId("oAnna")
FORM = "tmpl-1"
FIRST, SECOND = BroadcastId("bc_1"), BroadcastId("bc_2")


@pytest.fixture
async def consents(mongo) -> MongoConsents:
    store = MongoConsents(mongo)
    await mongo[store.collection].create_indexes(list(store.indexes))
    return store


@pytest.fixture
def accepts(consents, clock):
    """Let somebody accept, at this moment of the clock."""

    async def accept(openid=ANNA, event="e1", at=None):
        await consents.accepted(CITY, openid, FORM, event=event, at=at or clock.now())

    return accept


async def reserve(consents, kind="one_time", broadcast=FIRST, people=(ANNA,)):
    return await consents.reserve(CITY, FORM, kind, broadcast, people)


async def test_nobody_is_sent_anything_without_a_consent(consents):
    assert await reserve(consents, "one_time") == set()
    assert await reserve(consents, "long_term") == set()


async def test_a_one_time_consent_pays_for_exactly_one_send(consents, accepts):
    await accepts()

    assert await reserve(consents, broadcast=FIRST) == {ANNA}
    assert await reserve(consents, broadcast=SECOND) == set()


async def test_two_sends_at_once_never_use_the_same_consent(consents, accepts):
    await accepts()

    granted = await asyncio.gather(
        *(reserve(consents, broadcast=BroadcastId(f"bc_{n}")) for n in range(8))
    )

    assert sum(map(len, granted)) == 1


async def test_a_send_begun_again_after_a_crash_finds_its_own_reservation(consents, accepts):
    await accepts()
    await reserve(consents)

    assert await reserve(consents) == {ANNA}
    assert (await consents.look(CITY, ANNA, FORM))["left"] == 0


async def test_what_certainly_was_not_sent_is_given_back_once(consents, accepts):
    await accepts()
    await reserve(consents)

    await consents.give_back(CITY, FORM, FIRST, [ANNA])
    await consents.give_back(CITY, FORM, FIRST, [ANNA])

    assert (await consents.look(CITY, ANNA, FORM))["left"] == 1


async def test_what_was_used_cannot_be_given_back(consents, accepts):
    await accepts()
    await reserve(consents)
    await consents.use(CITY, FORM, FIRST, [ANNA])

    await consents.give_back(CITY, FORM, FIRST, [ANNA])

    assert (await consents.look(CITY, ANNA, FORM))["left"] == 0


async def test_the_same_event_twice_is_one_consent(consents, accepts):
    await asyncio.gather(*(accepts(event="same") for _ in range(4)))

    assert (await consents.look(CITY, ANNA, FORM))["left"] == 1


async def test_a_long_term_consent_lasts_until_it_is_rejected(consents, accepts, clock):
    await accepts()
    assert await reserve(consents, "long_term", FIRST) == {ANNA}
    assert await reserve(consents, "long_term", SECOND) == {ANNA}

    clock.advance(1)
    await consents.rejected(CITY, ANNA, FORM, event="e2", at=clock.now())

    assert await reserve(consents, "long_term", FIRST) == set()


async def test_a_no_in_the_window_ends_a_long_term_consent_and_keeps_one_time_ones(
    consents, accepts, clock
):
    await accepts()
    clock.advance(1)

    await consents.declined(CITY, ANNA, FORM, event="e2", at=clock.now())

    assert await reserve(consents, "long_term") == set()
    assert await reserve(consents, "one_time") == {ANNA}


async def test_an_acceptance_told_late_does_not_undo_a_rejection(consents, accepts, clock):
    await consents.rejected(CITY, ANNA, FORM, event="e2", at=clock.now())

    await accepts(at=clock.now() - timedelta(seconds=5))

    assert await reserve(consents, "one_time") == set()
    assert await reserve(consents, "long_term") == set()


async def test_a_rejection_told_late_does_not_undo_a_later_acceptance(consents, accepts, clock):
    await accepts()

    await consents.rejected(CITY, ANNA, FORM, event="e0", at=clock.now() - timedelta(seconds=5))

    assert await reserve(consents, "long_term") == {ANNA}


async def test_the_platform_is_believed_and_a_new_consent_counts_again(consents, accepts, clock):
    await accepts(event="a")
    await accepts(event="b")
    await consents.denied(CITY, FORM, [ANNA], clock.now())
    assert await reserve(consents) == set()

    clock.advance(1)
    await accepts(event="c")

    assert await reserve(consents) == {ANNA}


async def test_consents_are_one_accounts_own(consents, accepts):
    await accepts()

    other = await consents.reserve(AccountId("plain"), FORM, "one_time", FIRST, [ANNA])

    assert other == set()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(st.sampled_from(["accept", "accept again", "send", "fail", "deny"]), max_size=14)
)
async def test_never_more_sends_than_consents(mongo, clock, steps):
    consents = MongoConsents(mongo)
    await mongo[consents.collection].delete_many({})
    given_times = sent = number = 0

    for step in steps:
        number += 1
        clock.advance(1)
        if step.startswith("accept"):
            again = step == "accept again"
            given_times += 1
            for _ in range(2 if again else 1):
                await consents.accepted(CITY, ANNA, FORM, event=f"e{number}", at=clock.now())
            continue
        broadcast = BroadcastId(f"bc_{number}")
        granted = await reserve(consents, broadcast=broadcast)
        if not granted:
            continue
        match step:
            case "send":
                await consents.use(CITY, FORM, broadcast, granted)
                sent += 1
            case "fail":
                await consents.give_back(CITY, FORM, broadcast, granted)
            case "deny":
                await consents.denied(CITY, FORM, granted, clock.now())

    found = await consents.look(CITY, ANNA, FORM)
    assert sent + (found["left"] if found else 0) <= given_times
