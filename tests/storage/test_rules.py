"""A rule means the same however it is asked: counted, paged, checked again, or worked out by hand.

The hand is `holds` below, plain Python over the people as they were described; the rest runs on a
real MongoDB.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.audience import (
    Active,
    AllOf,
    AnyOf,
    Bound,
    Everybody,
    Followed,
    Got,
    InRegion,
    Not,
    OnTopic,
    Tagged,
    normalised,
    sealed,
)
from domain.broadcast import Audience
from domain.clock import BEIJING
from domain.ids import AccountId, BroadcastId, OpenId, RegionCode, TopicId
from domain.masking import Plate
from domain.people import ImportedSubject, Person, Subject, Subscription
from domain.topic import ancestors
from storage.mongo.audiences import MongoAudiences
from storage.mongo.deliveries import MongoDeliveries
from storage.mongo.people import MongoPeople

CITY = AccountId("city")
WATER, POWER = TopicId("outage.water"), TopicId("outage.power")
TOPICS = (WATER, POWER)
FUTIAN = RegionCode("440304")
REGIONS = tuple(map(RegionCode, ("440300", "440304", "440305", "440304001000", "440304001002")))
TAGS = ("elder", "staff")
DAYS = tuple(date(2026, 9, 28) + timedelta(days=number) for number in range(6))
CARS = tuple(Subject(kind="vehicle", value=f"粤B1234{n}", plate_type="02") for n in range(2))
SENT, PLAN = BroadcastId("bc_sent"), BroadcastId("bc_plan")
CHILDREN = (BroadcastId("bc_first"), BroadcastId("bc_second"))
OTHERS = BroadcastId("bc_of_another_account")
NOON = timedelta(hours=12)


@pytest.fixture
async def people(mongo, fields):
    for store in (MongoPeople, MongoDeliveries):
        await mongo[store.collection].create_indexes(list(store.indexes))
    return MongoPeople(mongo, fields)


@pytest.fixture
def audiences(mongo, fields, people):
    """Audiences whose sizes make small populations go all the ways large ones go."""
    return MongoAudiences(mongo, fields, few=3, small=4, step=2)


# --- people, and what holds of them ---------------------------------------------------------

persons = st.fixed_dictionaries(
    {
        "subscriptions": st.lists(
            st.tuples(st.sampled_from(TOPICS), st.sampled_from((None, *REGIONS))), max_size=3
        ),
        "region": st.sampled_from((None, *REGIONS)),
        "tags": st.lists(st.sampled_from(TAGS), unique=True),
        "cars": st.lists(st.sampled_from(CARS), unique=True),
        "active": st.sampled_from((None, *DAYS)),
        "followed": st.sampled_from((None, *DAYS)),
        "got": st.lists(st.sampled_from((SENT, *CHILDREN, OTHERS)), unique=True),
        "missed": st.booleans(),  # the broadcast was skipped for this person
        "living": st.sampled_from((True, True, True, False)),
    }
)


def spans(kind):
    bounds = st.tuples(st.sampled_from((None, *DAYS)), st.sampled_from((None, *DAYS)))
    return bounds.filter(any).map(lambda span: kind(*span))


leaves = st.one_of(
    st.just(Everybody()),
    st.builds(OnTopic, st.sampled_from(TOPICS), st.sampled_from((None, *REGIONS))),
    st.builds(InRegion, st.sampled_from(REGIONS)),
    st.builds(Tagged, st.sampled_from(TAGS)),
    st.sampled_from((Bound("vehicle"), Bound("person"))),
    st.sampled_from(CARS).map(lambda car: Bound("vehicle", named=car)),
    spans(Active),
    spans(Followed),
    st.sampled_from((SENT, PLAN, OTHERS)).map(Got),
)
rules = st.recursive(
    leaves,
    lambda part: st.one_of(
        st.lists(part, min_size=1, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        part.map(Not),
    ),
    max_leaves=6,
)


def regions_of(person):
    told = [region for _, region in person["subscriptions"]] + [person["region"]]
    return {region for region in told if region}


def holds(rule, person) -> bool:
    """Whether a rule holds for a person, worked out by hand."""
    match rule:
        case AllOf(parts):
            return all(holds(part, person) for part in parts)
        case AnyOf(parts):
            return any(holds(part, person) for part in parts)
        case Not(part):
            return not holds(part, person)
    return BY_HAND[type(rule)](rule, person)


def follows(rule, person) -> bool:
    places = [
        own
        for topic, region in person["subscriptions"]
        if topic == rule.topic
        for own in ([region] if region else regions_of(person) or {None})
    ]
    if rule.region is None:
        return bool(places)
    return any(own and rule.region in ancestors(own) for own in places)


def in_span(rule, day) -> bool:
    if day is None or (rule.since and day < rule.since):
        return False
    return not rule.until or day < rule.until


def has_bound(rule, person) -> bool:
    if rule.named:
        return rule.named in person["cars"]
    return rule.kind == "vehicle" and bool(person["cars"])


def was_sent(rule, person) -> bool:
    wanted = {SENT: {SENT}, PLAN: set(CHILDREN)}.get(rule.broadcast, set())
    return bool(wanted & set(person["got"]) - ({SENT} if person["missed"] else set()))


BY_HAND = {
    Everybody: lambda rule, person: True,
    OnTopic: follows,
    InRegion: lambda rule, person: any(rule.region in ancestors(own) for own in regions_of(person)),
    Tagged: lambda rule, person: rule.tag in person["tags"],
    Bound: has_bound,
    Active: lambda rule, person: in_span(rule, person["active"]),
    Followed: lambda rule, person: in_span(rule, person["followed"]),
    Got: was_sent,
}


def at_noon(day):
    return datetime.combine(day, datetime.min.time(), BEIJING).astimezone(UTC) + NOON


async def keep(people, mongo, population):
    """Write the people down the way the product does, and what they were sent."""
    for name in (MongoPeople.collection, "bindings", "deliveries", "broadcasts"):
        await mongo[name].delete_many({})
    await mongo["broadcasts"].insert_many(
        [
            {"_id": SENT, "account": CITY, "cron": None},
            {"_id": PLAN, "account": CITY, "cron": "0 8 * * *"},
            *(
                {"_id": child, "account": CITY, "parent": PLAN, "created_at": number}
                for number, child in enumerate(CHILDREN)
            ),
            {"_id": OTHERS, "account": "plain", "cron": None},
        ]
    )
    deliveries = []
    for number, described in enumerate(population):
        openid = OpenId(f"o{number:02}")

        def change(person: Person, described=described, number=number) -> Person:
            held = tuple(
                Subscription(topic=topic, region=region)
                for topic, region in described["subscriptions"]
            )
            cars = tuple(
                ImportedSubject(id=f"im_{number}_{n}", value=Plate(car.value), plate_type="02")
                for n, car in enumerate(described["cars"])
            )
            subscriber = replace(
                person.subscriber,
                subscriptions=held,
                region=described["region"],
                large_print=True,  # something to write, whoever they are
                tags=tuple(described["tags"]),
            )
            return Person(subscriber=subscriber, bindings=replace(person.bindings, imported=cars))

        signs = [(described["followed"], True)] if described["followed"] else []
        signs += [(described["active"], False)] if described["active"] else []
        for day, followed in signs:
            await people.appeared(CITY, openid, at_noon(day), followed=followed)
        await people.edit(CITY, openid, change)
        if not described["living"]:
            await people.mark_unreachable(CITY, openid, "43004")
        for broadcast in described["got"]:
            state = "skipped" if broadcast == SENT and described["missed"] else "sent"
            deliveries.append(
                {
                    "_id": f"{broadcast}:{openid}",
                    "broadcast": broadcast,
                    "openid": openid,
                    "state": state,
                }
            )  # fmt: skip
    if deliveries:
        await mongo["deliveries"].insert_many(deliveries)


def active_day(person):
    """Following is a sign of life too."""
    return max(filter(None, (person["active"], person["followed"])), default=None)


async def pages(audiences, audience, size=3):
    found, after = [], None
    up_to = await audiences.upper_bound(CITY, audience)
    while up_to is not None:
        page = await audiences.page(CITY, audience, after=after, up_to=up_to, size=size)
        if not page:
            break
        found += page
        after = page[-1]
    return found


@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking on a database takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    population=st.lists(persons, min_size=1, max_size=8),
    asked=st.lists(rules, min_size=6, max_size=6),
    data=st.data(),
)
async def test_every_way_of_asking_means_the_same(
    people, audiences, mongo, population, asked, data
):
    await keep(people, mongo, population)
    openids = [OpenId(f"o{number:02}") for number in range(len(population))]
    for rule in asked:
        audience = Audience(
            rule=sealed(rule, audiences.digest_of),
            topics=data.draw(st.sampled_from(((), (), (WATER,), TOPICS))),
            regions=data.draw(st.sampled_from(((), (), (FUTIAN,)))),
            tags=data.draw(st.sampled_from(((), (), TAGS))),
            openids=data.draw(st.sampled_from(((), (), tuple(openids[::2])))),
        )
        kinds = by_kinds(audience)
        expected = [
            f"city:{openid}"
            for openid, person in zip(openids, population, strict=True)
            if person["living"]
            and holds(AllOf((rule, *kinds)), person | {"active": active_day(person)})
            and (not audience.openids or openid in audience.openids)
        ]

        assert await pages(audiences, audience) == expected
        assert await audiences.count(CITY, audience) == len(expected)
        assert (await audiences.explain(CITY, audience)).count == len(expected)
        still = await audiences.still_meant(CITY, audience, openids)
        assert {f"city:{openid}" for openid in still} == set(expected)
        sample = await audiences.sample(CITY, audience, 3)
        assert {f"city:{openid}" for openid in sample} <= set(expected)
        assert len(set(sample)) == min(3, len(expected))


def by_kinds(audience):
    """The five kinds of the contract as rules."""
    regions = audience.regions or (None,)
    kinds = []
    if audience.topics:
        kinds.append(AnyOf(tuple(OnTopic(t, r) for t in audience.topics for r in regions)))
    elif audience.regions:
        kinds.append(AnyOf(tuple(map(InRegion, audience.regions))))
    if audience.tags:
        kinds.append(AnyOf(tuple(map(Tagged, audience.tags))))
    return kinds


@given(rule=rules, person=persons)
def test_the_normal_form_of_a_rule_holds_for_the_same_people(rule, person):
    assert holds(normalised(rule), person) == holds(rule, person)


# --- what a count reads ---------------------------------------------------------------------

ELDER_NOT_STAFF = AllOf((Tagged("elder"), Not(Tagged("staff"))))


@pytest.fixture
async def crowd(people):
    """Forty people, every other one with each thing a rule can ask for."""
    for number in range(40):
        openid = OpenId(f"o{number:02}")

        def change(person: Person, number=number) -> Person:
            subscriber = replace(
                person.subscriber,
                region=FUTIAN,
                tags=TAGS[: number % 3],
                subscriptions=(Subscription(topic=TOPICS[number % 2], region=FUTIAN),),
            )
            return replace(person, subscriber=subscriber)

        await people.appeared(CITY, openid, at_noon(DAYS[number % 6]), followed=number % 2 == 0)
        await people.edit(CITY, openid, change)


COUNTED = (
    (Everybody(), "audience"),
    (OnTopic(WATER), "audience"),
    (OnTopic(WATER, FUTIAN), "audience"),
    (AnyOf((OnTopic(WATER), Tagged("elder"))), "audience"),
    (Not(Tagged("staff")), "faces"),
    (ELDER_NOT_STAFF, "faces"),
    (AllOf((OnTopic(WATER), Tagged("elder"), Active(since=DAYS[2]))), "faces"),
    (AnyOf((Followed(DAYS[1], DAYS[3]), Not(Active(until=DAYS[2])), InRegion(FUTIAN))), "faces"),
    (AllOf((Not(AnyOf((OnTopic(WATER), Bound("person")))), Not(Followed(DAYS[0])))), "faces"),
    (AllOf((Tagged("elder"), Not(Got(SENT)))), "faces"),
    (AllOf((Tagged("elder"), Got(SENT), Not(Got(PLAN)))), "faces"),
    (AnyOf((Bound("vehicle", digest="nobody"), AllOf((Got(SENT), Tagged("elder"))))), "faces"),
)


async def test_every_rule_is_counted_on_index_entries_alone(mongo, fields, crowd):
    audiences = MongoAudiences(mongo, fields)
    for rule, index in COUNTED:
        found = await audiences.explain(CITY, Audience(rule=rule))

        assert found.documents == 0, rule
        assert index in found.indexes, rule
        assert found.keys <= 100, rule
        assert found.count == await audiences.count(CITY, Audience(rule=rule)), rule


async def test_what_somebody_typed_is_never_an_expression(audiences, people, crowd):
    for tag in (".*", "|", "elder|staff", "(?!x)", "[a-z]", "\\", "$where"):
        assert await audiences.count(CITY, Audience(rule=Tagged(tag))) == 0
        assert await audiences.count(CITY, Audience(rule=AllOf((Tagged(tag), Everybody())))) == 0
        assert await audiences.count(CITY, Audience(tags=(tag,), topics=(WATER,))) == 0


async def test_hundreds_of_topics_and_regions_make_one_query(audiences, people, crowd):
    """The contract takes 100 topics and 500 regions; MongoDB merges 200 scans at most."""
    regions = tuple(RegionCode(f"44{number:04}") for number in range(300, 800))
    many = tuple(TopicId(f"t.{number}") for number in range(99))
    audience = Audience(topics=(*many, WATER), regions=regions, tags=TAGS)

    meant = await pages(audiences, audience)

    assert len(meant) == await audiences.count(CITY, audience) == 13


async def test_the_largest_rule_there_may_be_is_one_query(audiences, people, crowd):
    spans = tuple(Not(Followed(date(2019, 9, 29), DAYS[5])) for _ in range(1))
    leaves = tuple(
        Followed(date(2012, 9, 29) + timedelta(days=number), date(2019, 9, 29))
        for number in range(190)
    )
    rule = AnyOf((*leaves, AllOf((*spans, Tagged("elder")))))

    assert await pages(audiences, Audience(rule=rule)) != []
    assert await audiences.count(CITY, Audience(rule=rule)) == len(
        await pages(audiences, Audience(rule=rule))
    )
