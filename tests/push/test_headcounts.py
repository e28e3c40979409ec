"""Counting beside the pages: nobody waits for a million people, and nothing is counted twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from domain.broadcast import Audience
from domain.errors import TooSlow
from domain.ids import AccountId, OpenId
from push.headcounts import AT_ONCE, FRESH, KEPT, Headcounts, Heads

CITY, EVERYBODY = AccountId("city"), Audience(all=True)
NUMBER = Heads(people=7, some=(OpenId("oOne"),))


class SlowPeople:
    """Audiences that are counted when the test lets them be."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.counted = 0
        self.error: Exception | None = None

    async def count(self, account: AccountId, audience: Audience) -> int:
        self.counted += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return NUMBER.people

    async def sample(self, account: AccountId, audience: Audience, size: int) -> list[OpenId]:
        return list(NUMBER.some)


@pytest.fixture
def people() -> SlowPeople:
    return SlowPeople()


@pytest.fixture
async def headcounts(people: SlowPeople) -> AsyncIterator[Headcounts]:
    counts = Headcounts(people, moment=0.01)  # type: ignore[arg-type]
    yield counts
    await counts.aclose()


async def soon(counts: Headcounts, audience: Audience = EVERYBODY) -> Heads | None:
    async with asyncio.timeout(2):
        return await counts.soon(CITY, audience)


async def test_a_page_is_answered_before_a_long_count_ends_and_its_next_question_joins_it(
    people: SlowPeople, headcounts: Headcounts
):
    assert await soon(headcounts) is None
    assert await soon(headcounts) is None

    people.go.set()
    found = await soon(headcounts)

    assert found == NUMBER
    assert people.counted == 1


async def test_a_number_is_good_for_some_seconds_after_its_end_however_long_it_took(
    people: SlowPeople, headcounts: Headcounts
):
    now = 0.0
    headcounts._now = lambda: now
    assert await soon(headcounts) is None
    now = 3 * FRESH
    people.go.set()
    assert await soon(headcounts) == NUMBER
    now += FRESH
    assert await soon(headcounts) == NUMBER
    assert people.counted == 1

    now += 1
    assert await soon(headcounts) == NUMBER

    assert people.counted == 2


async def test_somebody_who_changes_the_audience_again_and_again_does_not_start_many_counts(
    people: SlowPeople, headcounts: Headcounts
):
    for number in range(AT_ONCE + 3):
        assert await soon(headcounts, Audience(tags=(f"t{number}",))) is None

    assert people.counted == AT_ONCE

    people.go.set()
    assert await soon(headcounts, Audience(tags=("t0",))) == NUMBER
    assert await soon(headcounts, Audience(tags=(f"t{AT_ONCE}",))) == NUMBER


async def test_what_the_database_gave_up_is_told_once_and_then_tried_anew(
    people: SlowPeople, headcounts: Headcounts
):
    people.error = TooSlow("given up")
    people.go.set()
    with pytest.raises(TooSlow):
        await soon(headcounts)

    people.error = None

    assert await soon(headcounts) == NUMBER


async def test_only_so_many_numbers_are_remembered(people: SlowPeople, headcounts: Headcounts):
    people.go.set()
    for number in range(KEPT + 20):
        await soon(headcounts, Audience(tags=(f"t{number}",)))

    assert len(headcounts._asked) <= KEPT + 1


async def test_what_is_being_counted_ends_with_the_process(people: SlowPeople):
    counts = Headcounts(people, moment=0.01)  # type: ignore[arg-type]
    assert await soon(counts) is None

    await counts.aclose()

    assert all(each.task.done() for each in counts._asked.values())
