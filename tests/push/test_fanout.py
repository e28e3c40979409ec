"""Expansion: everybody once, whoever else expands, however slow a page is."""

import asyncio
from datetime import timedelta
from itertools import chain

from domain.audience import AllOf, Got, Not, OnTopic
from domain.broadcast import Audience
from domain.ids import BroadcastId, OpenId
from push.fanout import Fanout
from tests.support.platform import Platform
from tests.support.push import CITY, EVERYBODY, WATER, Engine

LEASE = timedelta(seconds=0.3)


class SlowPeople:
    """An audience each of whose pages takes a while."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._audiences = engine.audiences
        self._seconds = seconds
        self.upper_bound = engine.audiences.upper_bound
        self.asked = 0

    async def page(self, *args, **kwargs):
        self.asked += 1
        await asyncio.sleep(self._seconds)
        return await self._audiences.page(*args, **kwargs)


def fanout(engine: Engine, people=None) -> Fanout:
    return Fanout(
        engine.store,
        engine.ledger,
        engine.ring,
        people or engine.audiences,
        engine.notice_store,
        None,  # of digests
        None,  # of resends
        engine.clock,
        batch_size=5,
        lease=LEASE,
    )


async def claimed(engine: Engine, owner: str, audience: Audience = EVERYBODY):
    """A broadcast whose expansion this owner has begun."""
    broadcast = await engine.find(await engine.order(audience))
    now = engine.clock.now()
    assert await engine.store.start(broadcast, now=now, owner=owner, until=now + LEASE)
    return await engine.find(broadcast.id)


async def written(engine: Engine, broadcast: BroadcastId) -> list[list[OpenId]]:
    """The batches of a broadcast, in order."""
    found = await engine.database["batches"].find({"broadcast": broadcast}).sort("seq").to_list()
    assert [batch["seq"] for batch in found] == list(range(len(found)))
    lists = []
    for batch in found:
        people = await engine.database["batch_people"].find_one({"_id": batch["people"]})
        lists.append(people["openids"].split("\n"))
    return lists


async def test_a_page_that_takes_longer_than_the_claim_does_not_lose_it(engine: Engine):
    people = await engine.follow(7)
    broadcast = await claimed(engine, "one")
    now = engine.clock.now

    expanding = asyncio.create_task(
        fanout(engine, SlowPeople(engine, 0.8)).expand(broadcast, owner="one")
    )
    await asyncio.sleep(0.6)
    taken = await engine.store.take_fanout(now=now(), owner="other", until=now() + LEASE)

    assert taken is None
    assert await expanding
    assert list(chain(*await written(engine, broadcast.id))) == people


async def test_the_next_page_is_read_while_one_is_written(engine: Engine):
    await engine.follow(12)
    broadcast = await claimed(engine, "one")
    slow = SlowPeople(engine, 0)
    add, asked = engine.ledger.add, []

    async def watched(batches):
        await asyncio.sleep(0.05)
        asked.append(slow.asked)
        await add(batches)

    engine.ledger.add = watched
    assert await fanout(engine, slow).expand(broadcast, owner="one")

    assert asked == [2, 3]  # each time one page more than is written


async def test_two_expanders_that_overlap_write_everybody_once(engine: Engine):
    """One lost its claim without noticing yet; the ledger's numbers decide."""
    people = await engine.follow(230)
    broadcast = await claimed(engine, "one")

    await asyncio.gather(
        fanout(engine).expand(broadcast, owner="one"),
        fanout(engine, SlowPeople(engine, 0.01)).expand(broadcast, owner="one"),
    )

    found = await written(engine, broadcast.id)
    assert list(chain(*found)) == people
    assert [len(batch) for batch in found] == [5] * 46


async def test_an_expansion_that_was_cut_short_goes_on_behind_its_last_batch(engine: Engine):
    people = await engine.follow(230)
    broadcast = await claimed(engine, "one")
    first = asyncio.create_task(
        fanout(engine, SlowPeople(engine, 0.1)).expand(broadcast, owner="one")
    )
    while not await engine.ledger.last(broadcast.id):  # noqa: ASYNC110  # what the task writes
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    begun = await written(engine, broadcast.id)

    await asyncio.sleep(LEASE.total_seconds())
    now = engine.clock.now()
    assert await engine.store.take_fanout(now=now, owner="two", until=now + LEASE)
    assert await fanout(engine).expand(broadcast, owner="two")

    found = await written(engine, broadcast.id)
    assert 0 < len(begun) < len(found)
    assert found[: len(begun)] == begun
    assert list(chain(*found)) == people


async def test_a_lost_claim_ends_an_expansion(engine: Engine):
    await engine.follow(30)
    broadcast = await claimed(engine, "one")

    expanding = asyncio.create_task(
        fanout(engine, SlowPeople(engine, 0.5)).expand(broadcast, owner="one")
    )
    await asyncio.sleep(0.05)
    await engine.broadcasts.cancel(broadcast.id)

    assert not await expanding
    assert await written(engine, broadcast.id) == []


async def test_whoever_got_the_first_broadcast_is_left_out_of_the_second(
    engine: Engine, platform: Platform
):
    before = await engine.follow(12)
    first = await engine.order(Audience(rule=OnTopic(WATER)))
    async with engine.working():
        await engine.finished(first)
        later = [OpenId(f"oLater{number}") for number in range(3)]
        await engine.add_people(later)
        others = AllOf((OnTopic(WATER), Not(Got(first))))
        second = await engine.order(Audience(rule=others))
        counts = await engine.finished(second)

    assert (counts.audience, counts.sent) == (3, 3)
    assert platform.cards_per_person == dict.fromkeys([*before, *later], 1)
    assert await engine.audiences.count(CITY, Audience(rule=others)) == 3
