"""Subscriber numbers are counted beside the pages, each account by one process."""

from datetime import timedelta

import pytest

from console.topic_numbers import TopicNumbers
from domain.errors import TooSlow
from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subscriber, Subscription
from storage.mongo.audiences import MongoAudiences
from storage.mongo.keys import Marks
from storage.mongo.papers import subscriber_fields
from storage.mongo.people import MongoPeople
from storage.mongo.topic_numbers import MongoTopicNumbers
from storage.mongo.work_turns import MongoTurns
from subscriptions.audience import Audiences

CITY = AccountId("city")
WATER, POWER = TopicId("outage.water"), TopicId("outage.power")


class SlowAudiences:
    """A server that cannot count in time."""

    async def count(self, account, audience):
        raise TooSlow


@pytest.fixture
def make(mongo, fields, clock):
    def build(audiences=None) -> TopicNumbers:
        audiences = audiences or Audiences(MongoAudiences(mongo, fields))
        store, turns = MongoTopicNumbers(mongo), MongoTurns(mongo, "topics")
        return TopicNumbers(store, turns, audiences, [CITY], [WATER, POWER], clock)

    return build


@pytest.fixture
async def follow(mongo):
    """Let somebody follow topics."""
    await mongo[MongoPeople.collection].create_indexes(list(MongoPeople.indexes))

    async def add(number: int, *topics: TopicId) -> None:
        openid = OpenId(f"o{number:027d}")
        subscriber = Subscriber(
            account=CITY,
            openid=openid,
            following=True,
            subscriptions=tuple(Subscription(topic=topic) for topic in topics),
        )
        who = {"account": CITY, "openid": openid, "following": True, "reachable": True}
        papers = subscriber_fields(subscriber, Marks())
        await mongo[MongoPeople.collection].insert_one({"_id": f"city:{openid}", **who, **papers})

    return add


async def test_a_snapshot_has_every_topic_and_all_followers(make, follow, clock):
    await follow(1, WATER)
    await follow(2, WATER, POWER)
    await follow(3)
    numbers = make()
    before = await numbers.find(CITY)

    await numbers.tick()

    found = await numbers.find(CITY)
    assert before is None
    assert (found.topics, found.everybody, found.at) == ({WATER: 2, POWER: 1}, 3, clock.now())


async def test_it_is_counted_every_ten_minutes_or_when_a_page_asks(make, follow, clock):
    numbers = make()
    await numbers.tick()
    await follow(1, WATER)
    clock.advance(timedelta(minutes=5))
    await numbers.tick()
    old = await numbers.find(CITY)

    await numbers.ask(CITY)
    await numbers.tick()
    asked = await numbers.find(CITY)
    await follow(2, WATER)
    clock.advance(timedelta(minutes=10))
    await numbers.tick()

    assert [old.everybody, asked.everybody, (await numbers.find(CITY)).everybody] == [0, 1, 2]


async def test_a_count_that_takes_too_long_keeps_the_old_numbers_and_comes_back(
    make, follow, clock
):
    await follow(1, WATER)
    await make().tick()
    clock.advance(timedelta(minutes=11))
    await make(SlowAudiences()).tick()
    kept = await make().find(CITY)
    clock.advance(timedelta(minutes=1))
    await make().tick()

    assert kept.everybody == 1
    assert (await make().find(CITY)).at == clock.now()


async def test_a_process_that_dies_while_counting_delays_the_next_by_minutes(make, mongo, clock):
    turns = MongoTurns(mongo, "topics")
    assert await turns.take(CITY, now=clock.now(), patience=timedelta(minutes=10))

    await make().tick()
    nothing = await make().find(CITY)
    clock.advance(timedelta(minutes=11))
    await make().tick()

    assert nothing is None
    assert await make().find(CITY) is not None
