"""Items and daily counts: each item to one digest, each notice counted once."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from domain.digest import DigestMark, Item
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from storage.mongo.digests import MongoCaps, MongoDigests
from tests.support.clock import FakeClock

CITY, ONE, FINES = AccountId("city"), OpenId("oA"), TopicId("traffic.violation")
DAY = date(2026, 11, 24)


@pytest.fixture
async def items(mongo) -> MongoDigests:
    await mongo[MongoDigests.collection].create_indexes(list(MongoDigests.indexes))
    return MongoDigests(mongo)


@pytest.fixture
async def caps(mongo) -> MongoCaps:
    await mongo[MongoCaps.collection].create_indexes(list(MongoCaps.indexes))
    return MongoCaps(mongo)


def item(clock: FakeClock, notice: str, **changes: Any) -> Item:
    facts: dict[str, Any] = {
        "notice": BroadcastId(notice),
        "account": CITY,
        "openid": ONE,
        "topic": FINES,
        "at": clock.now(),
        "due_at": clock.now(),
        "sealed": b"x",
    }
    return Item(**(facts | changes))


def mark(name: str) -> tuple[AccountId, DigestMark]:
    return CITY, DigestMark(key=name, openid=ONE)


async def test_an_item_is_kept_once_and_comes_back_as_it_was(items: MongoDigests, clock):
    first = item(clock, "n1", expires_at=clock.now() + timedelta(hours=1))

    await items.keep([first, item(clock, "n2")])
    await items.keep([first, item(clock, "n3")])

    found = await items.list_due(CITY, [ONE], clock.now())
    assert [each.notice for each in found] == ["n1", "n2", "n3"]
    assert found[0] == first


async def test_two_digests_at_the_same_moment_share_the_items_and_repeating_adds_nothing(
    items: MongoDigests, clock
):
    await items.keep([item(clock, f"n{number}") for number in range(20)])
    both = [BroadcastId("dg_1"), BroadcastId("dg_2")]

    await asyncio.gather(*(items.take({each: mark(each)}, now=clock.now()) for each in both * 3))

    taken = [[each.notice for each in await items.list_of(digest)] for digest in both]
    assert sorted(taken[0] + taken[1]) == sorted(f"n{number}" for number in range(20))


async def test_what_is_not_due_stays_and_what_was_taken_is_not_due_any_more(
    items: MongoDigests, clock
):
    later = clock.now() + timedelta(hours=1)
    await items.keep([item(clock, "now"), item(clock, "later", due_at=later)])

    assert await items.take({BroadcastId("dg"): mark("k")}, now=clock.now()) == {"dg"}

    assert await items.due_people([CITY], clock.now(), limit=10) == []
    assert await items.due_people([CITY], later, limit=10) == [(CITY, ONE)]
    assert await items.count_waiting(CITY, ONE) == 1


async def test_people_of_accounts_that_are_gone_block_nobody(items: MongoDigests, clock):
    gone = AccountId("gone")
    await items.keep([item(clock, f"n{n}", account=gone, openid=OpenId(f"g{n}")) for n in range(9)])
    await items.keep([item(clock, "mine", at=clock.now())])

    assert await items.due_people([CITY], clock.now(), limit=3) == [(CITY, ONE)]


async def test_only_so_many_notices_of_a_day_are_granted_however_many_ask_at_once(
    caps: MongoCaps, clock
):
    async def claim(number: int) -> bool:
        return await caps.claim(
            CITY, FINES, ONE, day=DAY, notice=BroadcastId(f"n{number}"), cap=3, now=clock.now()
        )

    answers = await asyncio.gather(*(claim(number) for number in range(20) for _ in range(2)))
    again = [await claim(number) for number in range(20)]

    assert sum(answers) == 6  # each of three notices was asked for twice
    assert sum(again) == 3
    assert again == [answers[2 * number] for number in range(20)]


async def test_another_day_topic_or_person_has_a_count_of_its_own(caps: MongoCaps, clock):
    async def claim(topic: str, openid: str, day: date) -> bool:
        return await caps.claim(
            CITY,
            TopicId(topic),
            OpenId(openid),
            day=day,
            notice=BroadcastId(f"{topic}{openid}{day}"),
            cap=1,
            now=clock.now(),
        )

    assert await claim("a", "x", DAY)
    assert await claim("b", "x", DAY)
    assert await claim("a", "y", DAY)
    assert await claim("a", "x", DAY + timedelta(days=1))
