"""People on a real MongoDB: indexed audiences, exact keys, nothing plain, no lost change."""

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.broadcast import Audience
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.masking import IdentityNumber, PersonName, Plate
from domain.people import Person, RealName, Subject, Subscription, Vehicle
from storage.mongo.audiences import MongoAudiences, index_for, query
from storage.mongo.people import MongoPeople

CITY = AccountId("city")
WATER = TopicId("outage.water")
POWER = TopicId("outage.power")
FINES = TopicId("traffic.violation")
CITY_CODE, FUTIAN, NANSHAN = RegionCode("440300"), RegionCode("440304"), RegionCode("440305")
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.fixture
async def people(mongo, fields):
    await mongo[MongoPeople.collection].create_indexes(list(MongoPeople.indexes))
    return MongoPeople(mongo, fields)


@pytest.fixture
def audiences(mongo, fields, people):
    return MongoAudiences(mongo, fields)


def following(*topics, region=None, tags=(), mode="immediate"):
    """A change that makes somebody follow these topics in a region."""

    def change(person: Person) -> Person:
        held = tuple(Subscription(topic=t, region=region, mode=mode) for t in topics)
        return replace(person, subscriber=replace(person.subscriber, subscriptions=held, tags=tags))

    return change


async def add(people, openid, *topics, **how):
    await people.edit(CITY, OpenId(openid), following(*topics, **how))


async def names(audiences, audience, size=100):
    last = await audiences.upper_bound(CITY, audience)
    if last is None:
        return []
    page = await audiences.page(CITY, audience, after=None, up_to=last, size=size)
    assert len(page) == await audiences.count(CITY, audience)
    return [cursor.partition(":")[2] for cursor in page]


# --- who is meant -------------------------------------------------------------------------


async def test_a_region_means_all_below_it_and_nothing_beside(people, audiences):
    await add(people, "oFutian", WATER, region=FUTIAN)
    await add(people, "oNanshan", WATER, region=NANSHAN)
    await add(people, "oCity", WATER, region=CITY_CODE)

    futian = Audience(topics=(WATER,), regions=(FUTIAN,))
    whole = Audience(topics=(WATER,), regions=(CITY_CODE,))

    assert await names(audiences, futian) == ["oFutian"]
    assert await names(audiences, whole) == ["oCity", "oFutian", "oNanshan"]


async def test_kinds_are_joined_by_and_values_by_or(people, audiences):
    await add(people, "oA", WATER, region=FUTIAN, tags=("elder",))
    await add(people, "oB", WATER, region=NANSHAN)
    await add(people, "oC", POWER, region=FUTIAN, tags=("elder",))

    async def meant(**kinds):
        return await names(audiences, Audience(**kinds))

    assert await meant(topics=(WATER, POWER)) == ["oA", "oB", "oC"]
    assert await meant(topics=(WATER,), regions=(FUTIAN, NANSHAN)) == ["oA", "oB"]
    assert await meant(topics=(WATER,), tags=("elder",)) == ["oA"]
    assert await meant(regions=(FUTIAN,), tags=("elder", "young")) == ["oA", "oC"]
    assert await meant(topics=(WATER,), openids=(OpenId("oB"), OpenId("oC"))) == ["oB"]
    assert await meant(openids=(OpenId("oC"), OpenId("oC"), OpenId("oX"))) == ["oC"]
    assert await meant(all=True) == ["oA", "oB", "oC"]
    assert await meant() == []


async def test_two_kinds_are_counted_in_slices_side_by_side(people, mongo, fields):
    """Counts must be right wherever the account's people are cut."""
    audiences = MongoAudiences(mongo, fields, small=5)
    for number in range(20):
        tags = ("elder",) if number % 3 == 0 else ()
        await add(people, f"o{number:02}", WATER if number % 2 else POWER, tags=tags)

    joined = Audience(topics=(WATER,), tags=("elder",))

    assert await audiences.count(CITY, joined) == 3
    assert await names(audiences, joined) == ["o03", "o09", "o15"]


async def test_a_topic_for_a_region_is_not_another_topic_of_a_person_in_it(people, audiences):
    """Combined keys: water for Futian plus power for Nanshan is not water for Nanshan."""
    await people.edit(
        CITY,
        OpenId("oA"),
        lambda person: replace(
            person,
            subscriber=replace(
                person.subscriber,
                subscriptions=(
                    Subscription(topic=WATER, region=FUTIAN),
                    Subscription(topic=POWER, region=NANSHAN),
                ),
            ),
        ),
    )

    assert await names(audiences, Audience(topics=(WATER,), regions=(NANSHAN,))) == []
    assert await names(audiences, Audience(topics=(POWER,), regions=(NANSHAN,))) == ["oA"]


async def test_a_topic_without_a_region_counts_where_the_person_lives(people, audiences):
    fuel = TopicId("fuel.price")

    def move(person: Person) -> Person:
        return replace(
            person,
            subscriber=replace(
                person.subscriber, region=FUTIAN, subscriptions=(Subscription(topic=fuel),)
            ),
        )

    await people.edit(CITY, OpenId("oA"), move)

    assert await names(audiences, Audience(topics=(fuel,), regions=(CITY_CODE,))) == ["oA"]
    assert await names(audiences, Audience(topics=(fuel,), regions=(NANSHAN,))) == []


async def test_accounts_do_not_see_each_other(people, audiences):
    await add(people, "oA", WATER)
    await people.edit(AccountId("plain"), OpenId("oB"), following(WATER))

    assert await names(audiences, Audience(topics=(WATER,))) == ["oA"]


async def test_pages_are_disjoint_ordered_and_end_at_the_bound(people, audiences):
    meant = Audience(topics=(WATER, POWER))
    for number in range(7):
        await add(people, f"o{number}", WATER, POWER, region=FUTIAN)
    last = await audiences.upper_bound(CITY, meant)
    await add(people, "o9", WATER)  # comes after the broadcast began

    seen, after = [], None
    while page := await audiences.page(CITY, meant, after=after, up_to=last, size=3):
        seen += page
        after = page[-1]

    assert seen == [f"city:o{number}" for number in range(7)]


async def test_whoever_left_or_cannot_be_reached_is_not_meant(people, audiences):
    everyone = Audience(topics=(WATER,))
    for openid in ("oA", "oB", "oC"):
        await add(people, openid, WATER)
    await people.unfollowed(CITY, OpenId("oA"), NOW)
    await people.mark_unreachable(CITY, OpenId("oB"), "43004")

    assert await names(audiences, everyone) == ["oC"]
    assert await audiences.still_meant(
        CITY, everyone, [OpenId("oA"), OpenId("oB"), OpenId("oC")]
    ) == {"oC"}


async def test_still_meant_keeps_to_the_people_named(people, audiences):
    await add(people, "oA", WATER)
    await add(people, "oB", WATER)
    only_a = Audience(topics=(WATER,), openids=(OpenId("oA"),))

    assert await audiences.still_meant(CITY, only_a, [OpenId("oA"), OpenId("oB")]) == {"oA"}


@pytest.mark.parametrize(
    "audience",
    [
        Audience(all=True),
        Audience(topics=(WATER,)),
        Audience(topics=(WATER, POWER), regions=(FUTIAN, NANSHAN)),
        Audience(regions=(CITY_CODE,)),
        Audience(topics=(WATER,), tags=("elder",)),
        Audience(topics=(WATER,), openids=(OpenId("o1"), OpenId("o2"))),
    ],
)
async def test_every_audience_is_read_from_an_index(people, audiences, mongo, audience):
    for number in range(50):
        await add(people, f"o{number}", WATER, region=FUTIAN, tags=("elder",))

    plan = await mongo.command(
        "explain",
        {
            "find": MongoPeople.collection,
            "filter": query(CITY, audience, after="city:o1", up_to="city:o3"),
            "projection": {"_id": 1},
            "sort": {"_id": 1},
            "hint": index_for(audience),
        },
        verbosity="executionStats",
    )

    stages = str(plan["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in stages
    assert "COLLSCAN" not in stages
    assert "'stage': 'SORT'" not in stages
    if not audience.openids:
        assert plan["executionStats"]["totalDocsExamined"] == 0


@pytest.mark.parametrize("audience", [Audience(all=True), Audience(topics=(WATER,))])
async def test_counting_reads_index_entries_only(people, audiences, mongo, audience):
    for number in range(20):
        await add(people, f"o{number}", WATER, region=FUTIAN)

    plan = await mongo.command(
        "explain",
        {
            "count": MongoPeople.collection,
            "query": query(CITY, audience),
            "hint": index_for(audience),
        },
        verbosity="executionStats",
    )

    assert "COUNT_SCAN" in str(plan["queryPlanner"]["winningPlan"])
    assert plan["executionStats"]["totalDocsExamined"] == 0


# --- holders ------------------------------------------------------------------------------


def owning(plate: str, *topics, mode="immediate"):
    def change(person: Person) -> Person:
        vehicle = Vehicle(id="v1", plate=Plate(plate), plate_type="02", digits="1234", bound_at=NOW)
        held = tuple(Subscription(topic=t, subject="vehicle", mode=mode) for t in topics)
        return Person(
            subscriber=replace(person.subscriber, subscriptions=held),
            bindings=replace(person.bindings, vehicles=(vehicle,)),
        )

    return change


async def test_holders_bound_the_thing_and_follow_the_topic(people, audiences):
    await people.edit(CITY, OpenId("oA"), owning("粤B12345", FINES))
    await people.edit(CITY, OpenId("oB"), owning("粤B12345", FINES, mode="daily"))
    await people.edit(CITY, OpenId("oC"), owning("粤B12345", WATER))
    await people.edit(CITY, OpenId("oD"), owning("粤B99999", FINES))
    await people.edit(CITY, OpenId("oE"), owning("粤B12345", FINES))
    await people.unfollowed(CITY, OpenId("oE"), NOW)

    car = Subject(kind="vehicle", value="粤B12345", plate_type="02")
    truck = Subject(kind="vehicle", value="粤B12345", plate_type="01")

    assert await audiences.holders(CITY, FINES, car) == [("oA", "immediate"), ("oB", "daily")]
    assert await audiences.holders(CITY, FINES, truck) == []


async def test_unbinding_ends_holding_at_once(people, audiences):
    await people.edit(CITY, OpenId("oA"), owning("粤B12345", FINES))
    await people.edit(
        CITY,
        OpenId("oA"),
        lambda person: replace(person, bindings=replace(person.bindings, vehicles=())),
    )

    car = Subject(kind="vehicle", value="粤B12345", plate_type="02")
    assert await audiences.holders(CITY, FINES, car) == []


# --- following ----------------------------------------------------------------------------


async def test_events_that_come_late_do_not_undo_later_ones(people):
    who = (CITY, OpenId("oA"))
    await people.appeared(*who, NOW, followed=True)
    await people.unfollowed(*who, NOW + timedelta(minutes=2))

    await people.appeared(*who, NOW + timedelta(minutes=1), followed=True)
    assert not (await people.find(*who)).following

    await people.appeared(*who, NOW + timedelta(minutes=3), followed=True)
    await people.unfollowed(*who, NOW + timedelta(minutes=2))
    assert (await people.find(*who)).following


async def test_many_first_contacts_at_once_make_one_person(people, mongo):
    await asyncio.gather(
        *(people.appeared(CITY, OpenId("oA"), NOW, followed=True) for _ in range(10))
    )

    assert await mongo["subscribers"].count_documents({}) == 1


async def test_changes_that_meet_are_both_kept(people):
    topics = [TopicId(f"t.{letter}") for letter in "abcdefgh"]

    def also(topic):
        def change(person: Person) -> Person:
            held = (*person.subscriber.subscriptions, Subscription(topic=topic))
            return replace(person, subscriber=replace(person.subscriber, subscriptions=held))

        return change

    await asyncio.gather(*(people.edit(CITY, OpenId("oA"), also(topic)) for topic in topics))

    found = await people.find(CITY, OpenId("oA"))
    assert {item.topic for item in found.subscriptions} == set(topics)


async def test_a_change_that_is_refused_leaves_everything_as_it_was(people):
    await add(people, "oA", WATER)

    def refuse(person: Person) -> Person:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await people.edit(CITY, OpenId("oA"), refuse)
    assert len((await people.find(CITY, OpenId("oA"))).subscriptions) == 1


# --- nothing plain ------------------------------------------------------------------------

SECRETS = ["粤B12345", "A1B2C3", "王小明", "990101199001010019", "香蜜湖街道"]


def everything(person: Person) -> Person:
    plate, digits, name, number, _ = SECRETS
    vehicle = Vehicle(id="v1", plate=Plate(plate), plate_type="02", digits=digits, bound_at=NOW)
    return replace(
        person,
        bindings=replace(
            person.bindings,
            vehicles=(vehicle,),
            real_name=RealName(
                name=PersonName(name),
                id_number=IdentityNumber(number),
                notice_version="1",
                consented_at=NOW,
            ),
        ),
    )


def spellings(secret: str) -> list[bytes]:
    """A value as it could stand in a dump, base64 at each of its three offsets included."""
    found = []
    for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be"):
        plain = secret.encode(encoding)
        found += [plain, plain.hex().encode()]
        for offset in range(3):
            coded = base64.b64encode(bytes(offset) + plain)
            found.append(coded[(offset * 4 + 2) // 3 + 1 : -4])
    return [form for form in found if len(form) >= 5]


async def test_nothing_personal_is_readable_in_the_database(people, mongo, mongo_client):
    await people.edit(CITY, OpenId("oA"), everything)
    await people.edit(CITY, OpenId("oA"), following(FINES))

    dump = b""
    for name in await mongo.list_collection_names():
        async for raw in mongo[name].with_options().find_raw_batches({}):
            dump += raw

    assert len(dump) > 1000
    assert b"city" in dump
    for secret in SECRETS:
        for form in spellings(secret):
            assert form not in dump, f"{form!r} stands in the database"
    kept = await people.bindings(CITY, OpenId("oA"))
    assert kept.vehicles[0].plate.plain == SECRETS[0]
    assert kept.real_name.id_number.plain == SECRETS[3]


async def test_forgetting_leaves_nothing(people, mongo, clock):
    await people.edit(CITY, OpenId("oA"), everything)

    await people.forget(CITY, OpenId("oA"), clock.now())
    await people.forget(CITY, OpenId("oA"), clock.now())

    assert await mongo["subscribers"].count_documents({}) == 0
    assert await mongo["bindings"].count_documents({}) == 0


async def test_what_a_citizen_erased_is_gone_from_the_document(people, mongo):
    await people.edit(CITY, OpenId("oA"), everything)

    await people.edit(
        CITY,
        OpenId("oA"),
        lambda person: replace(person, bindings=replace(person.bindings, real_name=None)),
    )

    kept = await mongo["bindings"].find_one({})
    assert kept["real_name"] is None
    marks = await mongo["subscribers"].find_one({})
    assert len(marks["subjects"]) == 1
