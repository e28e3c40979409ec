"""Binding and unbinding: what notices find, what is refused, and that nothing plain is kept."""

import asyncio
import base64

import pytest

from domain.errors import InvalidInput, NotAllowed
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.people import Subject, Subscription
from storage.mongo.audiences import MongoAudiences
from storage.mongo.people import MongoPeople
from subscriptions.audience import Audiences, normalised
from subscriptions.bindings import BindingService
from subscriptions.service import Subscriptions

CITY = AccountId("city")
WHO = (CITY, OpenId("oA"))
FINES = TopicId("traffic.violation")
SOCIAL = TopicId("social.balance")
FUEL = TopicId("fuel.price")
NUMBER = "990101199001010019"


@pytest.fixture
async def people(mongo, fields):
    await mongo[MongoPeople.collection].create_indexes(list(MongoPeople.indexes))
    return MongoPeople(mongo, fields)


@pytest.fixture
def service(people, clock):
    return BindingService(people, clock)


@pytest.fixture
def subscriptions(people):
    return Subscriptions(people)


@pytest.fixture
def audiences(mongo, fields):
    return Audiences(MongoAudiences(mongo, fields))


def car(plate="粤B12345", plate_type=None):
    return Subject(kind="vehicle", value=plate, plate_type=plate_type)


async def test_a_notice_finds_a_plate_however_it_is_written(service, subscriptions, audiences):
    await service.bind_vehicle(*WHO, "粤b 12345", None, "1234")
    await subscriptions.subscribe(*WHO, Subscription(topic=FINES, subject="vehicle"))

    for spelling in ("粤B12345", "粤b·12345", "粤Ｂ－12345"):
        assert await audiences.holders(CITY, FINES, car(spelling)) == [("oA", "immediate")]
    assert await audiences.holders(CITY, FINES, car(plate_type="02")) == [("oA", "immediate")]
    assert await audiences.holders(CITY, FINES, car(plate_type="01")) == []


async def test_a_chosen_plate_type_counts_and_not_the_usual_one(service, subscriptions, audiences):
    await service.bind_vehicle(*WHO, "粤B12345", "07", "1234")
    await subscriptions.subscribe(*WHO, Subscription(topic=FINES, subject="vehicle"))

    assert await audiences.holders(CITY, FINES, car(plate_type="07")) == [("oA", "immediate")]
    assert await audiences.holders(CITY, FINES, car()) == []


async def test_people_are_found_by_their_identity_number(service, subscriptions, audiences):
    await service.bind_real_name(*WHO, "张伟", NUMBER, "v1")
    await subscriptions.subscribe(*WHO, Subscription(topic=SOCIAL, subject="person"))

    person = Subject(kind="person", value=NUMBER)

    assert await audiences.holders(CITY, SOCIAL, person) == [("oA", "immediate")]


def test_a_subject_that_is_none_is_refused():
    for subject in (car("粤I12345"), car(plate_type="42"), Subject(kind="person", value="1")):
        with pytest.raises(InvalidInput):
            normalised(subject)


async def test_binding_again_corrects_the_digits_and_stays_one(service):
    first = await service.bind_vehicle(*WHO, "粤B12345", None, "1234")
    again = await service.bind_vehicle(*WHO, "粤B 12345", "02", "9999")

    assert again.id == first.id
    [vehicle] = (await service.list_(*WHO)).vehicles
    assert vehicle.digits == "9999"


async def test_many_taps_at_once_never_bind_a_sixth_vehicle(service):
    plates = [f"粤B1234{number}" for number in range(8)]

    done = await asyncio.gather(
        *(service.bind_vehicle(*WHO, plate, None, "1234") for plate in plates),
        return_exceptions=True,
    )

    refused = [result for result in done if isinstance(result, InvalidInput)]
    assert len(refused) == 3
    assert len((await service.list_(*WHO)).vehicles) == 5


async def test_unbinding_the_last_vehicle_ends_its_subscriptions(service, subscriptions, audiences):
    one = await service.bind_vehicle(*WHO, "粤B12345", None, "1234")
    two = await service.bind_vehicle(*WHO, "粤B54321", None, "1234")
    await subscriptions.subscribe(*WHO, Subscription(topic=FINES, subject="vehicle"))
    await subscriptions.subscribe(*WHO, Subscription(topic=FUEL))

    assert await service.unbind(*WHO, one.id)
    assert await audiences.holders(CITY, FINES, car()) == []
    assert await audiences.holders(CITY, FINES, car("粤B54321")) == [("oA", "immediate")]

    assert await service.unbind(*WHO, two.id)
    found = await subscriptions.find(*WHO)
    assert [item.topic for item in found.subscriptions] == [FUEL]
    assert not await service.unbind(*WHO, two.id)


async def test_unbinding_erases_values_and_keys(service, mongo):
    vehicle = await service.bind_vehicle(*WHO, "粤B12345", None, "1234")
    await service.bind_real_name(*WHO, "张伟", NUMBER, "v1")

    await service.unbind(*WHO, vehicle.id)
    await service.unbind(*WHO, "real_name")

    marks = await mongo["subscribers"].find_one({})
    papers = await mongo["bindings"].find_one({})
    assert not marks["subjects"]
    assert not [key for key in marks["keys"] if key.startswith("s:")]
    assert papers["vehicles"] == []
    assert papers["real_name"] is None


async def test_a_withdrawn_consent_is_proved_without_what_it_was_about(service, clock):
    given_at = clock.now()
    await service.bind_real_name(*WHO, "张伟", NUMBER, "v1")
    withdrawn_at = clock.advance(60)
    await service.unbind(*WHO, "real_name")

    [consent] = (await service.list_(*WHO)).consents

    assert (consent.notice_version, consent.given_at) == ("v1", given_at)
    assert consent.withdrawn_at == withdrawn_at


async def test_one_cannot_unbind_what_is_anothers(service):
    vehicle = await service.bind_vehicle(*WHO, "粤B12345", None, "1234")

    assert not await service.unbind(CITY, OpenId("oB"), vehicle.id)
    assert len((await service.list_(*WHO)).vehicles) == 1


async def test_a_place_puts_its_owner_into_its_region(service, audiences):
    from domain.broadcast import Audience

    place = await service.bind_place(*WHO, "home", RegionCode("440304"), "园岭街道")
    futian = Audience(regions=(RegionCode("440304"),))
    assert await audiences.count(CITY, futian) == 1

    await service.unbind(*WHO, place.id)
    assert await audiences.count(CITY, futian) == 0


@pytest.mark.parametrize(
    ("label", "region", "street"),
    [("cellar", "440304", ""), ("home", "福田区", ""), ("home", "440304", "长" * 41)],
)
async def test_what_is_no_place_is_refused(service, label, region, street):
    with pytest.raises(InvalidInput):
        await service.bind_place(*WHO, label, region, street)


@pytest.mark.parametrize(
    ("number", "error", "hint"),
    [
        ("990101199001010018", InvalidInput, "校验"),
        ("990101201501010015", NotAllowed, "监护人"),
    ],
)
async def test_a_wrong_number_or_a_child_is_refused(service, number, error, hint):
    with pytest.raises(error, match=hint):
        await service.bind_real_name(*WHO, "张伟", number, "v1")
    assert (await service.list_(*WHO)).real_name is None


async def test_there_is_no_real_name_without_a_consent(service):
    with pytest.raises(InvalidInput, match="同意"):
        await service.bind_real_name(*WHO, "张伟", NUMBER, "")


async def test_nothing_a_citizen_bound_is_readable_in_mongodb_or_redis(
    service, subscriptions, mongo, redis
):
    secrets = ["粤B12345", "W8K3Z9", "王小明", NUMBER, "园岭街道"]
    await service.bind_vehicle(*WHO, secrets[0], None, secrets[1])
    await service.bind_real_name(*WHO, secrets[2], secrets[3], "v1")
    await service.bind_place(*WHO, "home", RegionCode("440304"), secrets[4])
    await subscriptions.subscribe(*WHO, Subscription(topic=FINES, subject="vehicle"))

    dump = b""
    for name in await mongo.list_collection_names():
        async for raw in mongo[name].find_raw_batches({}):
            dump += raw
    for key in await redis.keys("*"):
        dump += key + (await redis.dump(key) or b"")

    assert b"traffic.violation" in dump
    for secret in secrets:
        for encoding in ("utf-8", "gb18030", "utf-16-le"):
            plain = secret.encode(encoding)
            # base64 has three alignments; the first and last group depend on the neighbours
            coded = [base64.b64encode(bytes(n) + plain)[4 if n else 0 : -4] for n in range(3)]
            for form in (plain, plain.hex().encode(), *coded):
                assert len(form) < 5 or form not in dump, secret
