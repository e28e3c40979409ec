"""People from before faces get theirs when the service is opened."""

import asyncio
from dataclasses import replace

import pytest

from domain.audience import AllOf, Bound, Not, OnTopic, Tagged
from domain.broadcast import Audience
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.masking import Plate
from domain.people import ImportedSubject, Person, Subscription
from storage.mongo.audiences import MongoAudiences
from storage.mongo.people import MongoPeople
from storage.mongo.upgrades import upgrade

CITY = AccountId("city")
WATER = TopicId("outage.water")


@pytest.fixture
async def old(mongo, fields):
    """Seven people as an older version left them."""
    people = MongoPeople(mongo, fields)
    await mongo[people.collection].create_indexes(list(people.indexes))

    def change(person: Person) -> Person:
        held = (Subscription(topic=WATER, region=RegionCode("440304")),)
        car = ImportedSubject(id="im_1", value=Plate("粤B12345"), plate_type="02")
        return Person(
            subscriber=replace(person.subscriber, subscriptions=held, tags=("elder",)),
            bindings=replace(person.bindings, imported=(car,)),
        )

    for number in range(7):
        await people.edit(CITY, OpenId(f"o{number}"), change)
    await mongo[people.collection].update_many(
        {}, [{"$unset": ["face", "subject_kinds"]}, {"$set": {"keys": {"$slice": ["$keys", 1]}}}]
    )
    return mongo


async def meant(mongo, fields):
    rule = AllOf((OnTopic(WATER, RegionCode("440300")), Not(Tagged("staff")), Bound("vehicle")))
    return await MongoAudiences(mongo, fields).count(CITY, Audience(rule=rule))


async def test_rules_find_people_of_an_older_version_after_the_upgrade(old, fields):
    assert await meant(old, fields) == 0

    await asyncio.gather(upgrade(old), upgrade(old))  # two processes start at once
    await upgrade(old)

    assert await meant(old, fields) == 7
    assert await MongoAudiences(old, fields).count(CITY, Audience(topics=(WATER,))) == 7


async def test_a_fresh_database_stays_empty(mongo):
    await upgrade(mongo)

    assert await mongo.list_collection_names() == []


async def test_an_upgrade_does_not_undo_a_change_made_meanwhile(old, fields):
    def hire(person: Person) -> Person:
        return replace(person, subscriber=replace(person.subscriber, tags=("staff",)))

    await MongoPeople(old, fields).edit(CITY, OpenId("o3"), hire)

    await upgrade(old)

    assert await meant(old, fields) == 6
