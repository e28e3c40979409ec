"""Subscribing, leaving and coming back, on a real store."""

import asyncio
from datetime import date, timedelta

import pytest

from domain.audience import Active, Followed
from domain.broadcast import Audience
from domain.errors import InvalidInput, NotFound
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.people import Subscription
from storage.mongo.audiences import MongoAudiences
from storage.mongo.people import MongoPeople
from subscriptions.audience import Audiences
from subscriptions.service import MAX_SUBSCRIPTIONS, Subscriptions

WHO = (AccountId("city"), OpenId("oA"))
WATER, FUEL = TopicId("outage.water"), TopicId("fuel.price")
FUTIAN, NANSHAN = RegionCode("440304"), RegionCode("440305")


@pytest.fixture
async def people(mongo, fields):
    await mongo[MongoPeople.collection].create_indexes(list(MongoPeople.indexes))
    return MongoPeople(mongo, fields)


@pytest.fixture
def service(people):
    return Subscriptions(people)


@pytest.fixture
def count(mongo, fields, people):
    audiences = Audiences(MongoAudiences(mongo, fields))

    async def ask(**kinds):
        return await audiences.count(WHO[0], Audience(**kinds))

    return ask


async def test_the_first_follow_is_new_and_the_next_one_a_return(service, clock):
    assert not await service.follow(*WHO, clock.now())
    await service.subscribe(*WHO, Subscription(topic=WATER, region=FUTIAN))
    await service.unfollow(*WHO, clock.advance(10))

    assert await service.follow(*WHO, clock.advance(10))

    found = await service.find(*WHO)
    assert found.following
    assert found.subscriptions == (Subscription(topic=WATER, region=FUTIAN),)


async def test_unfollowing_suppresses_and_coming_back_restores(service, count, clock):
    await service.follow(*WHO, clock.now())
    await service.subscribe(*WHO, Subscription(topic=WATER, region=FUTIAN))
    await service.unfollow(*WHO, clock.advance(1))
    assert await count(topics=(WATER,)) == 0

    await service.follow(*WHO, clock.advance(1))

    assert await count(topics=(WATER,), regions=(FUTIAN,)) == 1


async def test_unfollowing_twice_or_as_a_stranger_is_nothing(service, clock):
    await service.unfollow(*WHO, clock.now())
    assert await service.find(*WHO) is None

    await service.follow(*WHO, clock.now())
    await service.unfollow(*WHO, clock.advance(1))
    await service.unfollow(*WHO, clock.now())
    assert not (await service.find(*WHO)).following


async def test_whoever_cannot_be_reached_is_left_out_until_they_write(service, count, clock):
    await service.follow(*WHO, clock.now())
    await service.mark_unreachable(*WHO, "43004 require subscribe")
    assert await count(all=True) == 0

    await service.heard_from(*WHO, clock.advance(60))

    assert await count(all=True) == 1


async def test_a_word_from_a_stranger_makes_a_follower(service, count, clock):
    """People who followed before this service existed never send a follow event."""
    await service.heard_from(*WHO, clock.now())
    await service.heard_from(*WHO, clock.now())

    assert await count(all=True) == 1


async def test_hearing_from_somebody_is_written_once_a_day(service, people, count, clock):
    """Talking must stay cheap: the first word of a Beijing day is a write, the others a read."""
    await service.follow(*WHO, clock.now())
    writes = []
    appeared = people.appeared

    async def counted(*args, **kwargs):
        writes.append(args)
        return await appeared(*args, **kwargs)

    people.appeared = counted
    for _ in range(3):
        await service.heard_from(*WHO, clock.advance(60))
    midnight = timedelta(hours=15)  # from 10:03 it is the next day by then
    for _ in range(3):
        await service.heard_from(*WHO, clock.advance(midnight))
        midnight = timedelta(minutes=1)

    tomorrow = date(2026, 11, 25)
    assert len(writes) == 1
    assert await count(rule=Active(since=tomorrow)) == 1
    assert await count(rule=Active(until=tomorrow)) == 0
    assert await count(rule=Followed(until=tomorrow)) == 1


async def test_an_old_message_does_not_make_somebody_less_active(service, count, clock):
    await service.heard_from(*WHO, clock.now())

    await service.heard_from(*WHO, clock.now() - timedelta(days=9))

    assert await count(rule=Active(since=date(2026, 11, 24))) == 1


async def test_a_message_delivered_after_the_unfollow_does_not_undo_it(service, clock):
    await service.follow(*WHO, clock.now())
    said_at = clock.advance(1)
    await service.unfollow(*WHO, clock.advance(1))

    await service.heard_from(*WHO, said_at)

    assert not (await service.find(*WHO)).following


async def test_the_same_subscription_is_kept_once(service):
    item = Subscription(topic=WATER, region=FUTIAN)

    assert await service.subscribe(*WHO, item)
    assert not await service.subscribe(*WHO, item)
    assert not await service.subscribe(*WHO, Subscription(topic=WATER, region=FUTIAN, mode="daily"))
    assert await service.subscribe(*WHO, Subscription(topic=WATER, region=NANSHAN))


async def test_one_region_or_the_whole_topic_is_cancelled(service, count):
    for region in (FUTIAN, NANSHAN):
        await service.subscribe(*WHO, Subscription(topic=WATER, region=region))
    await service.subscribe(*WHO, Subscription(topic=FUEL))

    assert await service.unsubscribe(*WHO, WATER, FUTIAN)
    assert not await service.unsubscribe(*WHO, WATER, FUTIAN)
    assert await count(topics=(WATER,), regions=(FUTIAN,)) == 0
    assert await count(topics=(WATER,)) == 1
    assert await service.unsubscribe(*WHO, WATER)
    assert await service.unsubscribe_all(*WHO) == 1
    assert await service.unsubscribe_all(*WHO) == 0


async def test_the_mode_of_one_subscription_changes_alone(service):
    for region in (FUTIAN, NANSHAN):
        await service.subscribe(*WHO, Subscription(topic=WATER, region=region))

    await service.set_mode(*WHO, WATER, FUTIAN, "daily")

    found = await service.find(*WHO)
    assert [item.mode for item in found.subscriptions] == ["daily", "immediate"]
    with pytest.raises(NotFound, match="我的订阅"):
        await service.set_mode(*WHO, FUEL, None, "daily")


async def test_there_is_a_limit_to_one_persons_subscriptions(service):
    for number in range(MAX_SUBSCRIPTIONS):
        await service.subscribe(*WHO, Subscription(topic=TopicId(f"t{number}")))

    with pytest.raises(InvalidInput, match="最多可以订阅"):
        await service.subscribe(*WHO, Subscription(topic=FUEL))


async def test_a_follow_and_changes_at_once_lose_nothing(service, clock):
    await asyncio.gather(
        service.follow(*WHO, clock.now()),
        service.subscribe(*WHO, Subscription(topic=WATER, region=FUTIAN)),
        service.subscribe(*WHO, Subscription(topic=FUEL)),
        service.set_large_print(*WHO, True),
    )

    found = await service.find(*WHO)
    assert found.following
    assert found.large_print
    assert {item.topic for item in found.subscriptions} == {WATER, FUEL}


async def test_a_forgotten_person_is_a_stranger_again(service, count, clock):
    await service.follow(*WHO, clock.now())
    await service.subscribe(*WHO, Subscription(topic=WATER, region=FUTIAN))

    await service.forget(*WHO, clock.now())

    assert await service.find(*WHO) is None
    assert await count(all=True) == 0
    assert not await service.follow(*WHO, clock.now() + timedelta(seconds=1))
