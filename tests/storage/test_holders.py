"""Which of a page of numbers are bound: the right ones, and without looking at everybody."""

from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subject, Subscriber, Subscription
from storage.mongo.holders import MongoHolders
from storage.mongo.keys import Marks, subject_hash
from storage.mongo.papers import subscriber_fields
from storage.mongo.people import MongoPeople

CITY, OTHER = AccountId("city"), AccountId("other")
FUND = TopicId("fund.balance")


def person(number: int) -> Subject:
    return Subject(kind="person", value=f"{number:018d}")


async def people(mongo, fields, count: int) -> None:
    """Let so many people follow the fund, each with a number of their own."""
    await mongo[MongoPeople.collection].create_indexes(list(MongoPeople.indexes))
    documents = []
    for number in range(count):
        openid = OpenId(f"o{number:027d}")
        subscriber = Subscriber(
            account=CITY,
            openid=openid,
            following=True,
            subscriptions=(Subscription(topic=FUND),),
        )
        marks = Marks(subjects=(subject_hash(fields, person(number)),))
        documents.append(
            {
                "_id": f"{CITY}:{openid}",
                "account": CITY,
                "openid": openid,
                "following": True,
                "reachable": True,
                **subscriber_fields(subscriber, marks),
            }
        )
    await mongo[MongoPeople.collection].insert_many(documents)


async def test_bound_are_those_whose_holder_follows_the_topic_here(mongo, fields):
    await people(mongo, fields, 3)
    await mongo[MongoPeople.collection].update_one(
        {"openid": f"o{1:027d}"}, {"$set": {"following": False}}
    )
    holders = MongoHolders(mongo, fields)
    page = [person(number) for number in range(6)]

    assert await holders.bound(CITY, FUND, page) == {person(0), person(2)}
    assert await holders.bound(CITY, TopicId("social.balance"), page) == set()
    assert await holders.bound(OTHER, FUND, page) == set()
    assert await holders.bound(CITY, FUND, []) == set()


async def test_a_page_is_answered_without_looking_at_every_follower(mongo, fields):
    await people(mongo, fields, 2_000)
    await mongo.command("profile", 2)

    page = [person(number) for number in range(1_990, 2_090)]
    found = await MongoHolders(mongo, fields).bound(CITY, FUND, page)

    await mongo.command("profile", 0)
    [seen] = (
        await mongo["system.profile"]
        .find({"op": "query", "ns": f"{mongo.name}.subscribers"})
        .to_list()
    )
    assert len(found) == 10
    assert seen["docsExamined"] == 10
