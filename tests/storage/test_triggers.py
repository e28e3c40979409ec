"""Rows and items of triggers: one owner at a time, and nothing older over something newer."""

import asyncio
from datetime import timedelta

import pytest

from domain.ids import AccountId
from storage.mongo.triggers import Item, MongoTriggerItems, MongoTriggers, row_id

CITY = AccountId("city")
LEASE = timedelta(seconds=30)
ROW = row_id(CITY, "outage")


@pytest.fixture
async def rows(mongo, clock):
    store = MongoTriggers(mongo)
    await mongo[store.collection].create_indexes(list(store.indexes))
    await store.ensure(CITY, "outage", first_at=clock.now())
    return store


@pytest.fixture
async def items(mongo):
    store = MongoTriggerItems(mongo)
    await mongo[store.collection].create_indexes(list(store.indexes))
    return store


def claim(rows, now, owner="a"):
    return rows.claim([ROW], now=now, owner=owner, until=now + LEASE)


def good(rows, claimed, now, owner="a", since="m1"):
    return rows.succeeded(
        claimed,
        owner=owner,
        now=now,
        next_at=now + LEASE,
        since=since,
        etag="",
        refused=0,
    )


async def test_of_many_that_claim_a_row_one_gets_it(rows, clock):
    claims = await asyncio.gather(*(claim(rows, clock.now(), f"o{n}") for n in range(8)))

    assert len([each for each in claims if each]) == 1


async def test_a_row_is_free_again_when_its_lease_has_run_out(rows, clock):
    first = await claim(rows, clock.now())
    second = await claim(rows, clock.advance(LEASE), "b")

    assert first is not None
    assert second is not None
    assert second.run == first.run + 1


async def test_whoever_lost_the_lease_can_neither_keep_nor_save_nor_end(rows, clock):
    late = await claim(rows, clock.now())
    now = clock.advance(LEASE)
    mine = await claim(rows, now, "b")

    assert not await rows.keep(late, owner="a", now=now, until=now + LEASE)
    assert not await rows.save(late, owner="a", since="old", etag="")
    assert not await good(rows, late, now)
    assert not await rows.failed(late, owner="a", next_at=now, error="x")
    assert await good(rows, mine, now, "b", since="new")
    assert [row.since for row in await rows.rows()] == ["new"]


async def test_the_same_owner_in_a_later_run_is_not_the_former_one(rows, clock):
    former = await claim(rows, clock.now())
    now = clock.advance(LEASE)
    await claim(rows, now)

    assert not await rows.save(former, owner="a", since="old", etag="")


async def test_a_lease_that_has_run_out_is_not_renewed_even_if_nobody_took_it(rows, clock):
    claimed = await claim(rows, clock.now())
    now = clock.advance(LEASE)

    assert not await rows.keep(claimed, owner="a", now=now, until=now + LEASE)


async def test_an_older_revision_never_replaces_a_newer_one(items):
    assert await items.put(CITY, "outage", Item(id="A", revision=2, state={"x": 2}))
    assert not await items.put(CITY, "outage", Item(id="A", revision=1, state={"x": 1}))

    found = await items.find(CITY, "outage", ["A", "B"])
    assert {name: item.revision for name, item in found.items()} == {"A": 2}


async def test_what_is_due_is_of_this_account_and_trigger_alone(items, clock):
    now = clock.now()
    soon = Item(id="A", revision=1, due_at=now)
    await items.put(CITY, "outage", soon)
    await items.put(AccountId("other"), "outage", soon)
    await items.put(CITY, "alert", soon)
    await items.put(CITY, "outage", Item(id="B", revision=1, due_at=now + LEASE))
    await items.put(CITY, "outage", Item(id="C", revision=1))

    assert [item.id for item in await items.due(CITY, "outage", now)] == ["A"]
