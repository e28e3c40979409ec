"""Slots are taken once by one holder, and never more of them than there are."""

import asyncio
from datetime import timedelta

import pytest

from storage.mongo.slots import MongoSlots


@pytest.fixture
def slots(mongo) -> MongoSlots:
    return MongoSlots(mongo)


@pytest.fixture
def take(slots, clock):
    async def take(holder, *keys, number=2):
        expire_at = clock.now() + timedelta(days=62)
        return await slots.take(keys, holder, number=number, expire_at=expire_at)

    return take


async def test_there_are_only_so_many(take):
    assert await take("a", "k") == {"k"}
    assert await take("b", "k") == {"k"}
    assert await take("c", "k") == set()


async def test_many_at_once_never_get_more_than_there_are(take):
    granted = await asyncio.gather(*(take(str(number), "k", number=4) for number in range(12)))

    assert sum(map(len, granted)) == 4


async def test_taking_it_again_after_a_crash_costs_nothing(take):
    await take("a", "k")
    assert await take("a", "k") == {"k"}

    assert await take("b", "k") == {"k"}


async def test_what_was_given_back_can_be_taken_by_another(take, slots):
    await take("a", "k", "l")
    await take("b", "k")
    await slots.give_back(["k"], "a")
    await slots.give_back(["k"], "a")

    assert await take("c", "k", "l") == {"k", "l"}
    assert await take("d", "k", "l") == set()
