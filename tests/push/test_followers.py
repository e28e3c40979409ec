"""Operators look for followers, see them masked, and unmask one value for a purpose."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from config.catalogue import load_catalogue
from domain.audit import Actor, AuditUnavailable, Wanted
from domain.errors import InvalidInput, NotFound, TooOften
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.looking import Sought
from domain.masking import IdentityNumber, PersonName, Plate
from domain.people import (
    Bindings,
    ImportedSubject,
    Person,
    Place,
    RealName,
    Subscription,
    Vehicle,
)
from push.audit import Audit
from push.followers import MOST_LOOKS, Followers
from push.history import History
from storage.mongo import subscriber_lists
from storage.mongo.audit import MongoAudit
from storage.mongo.consents import MongoConsents
from storage.mongo.digests import MongoDigests
from storage.mongo.history import MongoHistory
from storage.mongo.people import MongoPeople
from storage.mongo.subscriber_lists import MongoSubscriberLists
from storage.redis.allowances import Allowances
from storage.redis.sealing import Sealer
from tests.support.clock import FakeClock

CITY, PLAIN = AccountId("city"), AccountId("plain")
DESK = Actor("op_desk", "坐席小陈")
WATER, POWER = TopicId("outage.water"), TopicId("outage.power")
FUTIAN = RegionCode("440304")
WHOLE = {"粤B12345", "苏A54321", "王小明", "110101199003078515", "园岭一街8号"}


@pytest.fixture
async def people(mongo, fields) -> MongoPeople:
    await mongo["subscribers"].create_indexes(list(MongoPeople.indexes))
    return MongoPeople(mongo, fields)


@pytest.fixture
def audit(mongo, clock: FakeClock) -> Audit:
    return Audit(MongoAudit(mongo, b"k" * 96), clock)


@pytest.fixture
def followers(mongo, redis, fields, people, audit) -> Followers:
    return Followers(
        MongoSubscriberLists(mongo),
        people,
        MongoConsents(mongo),
        History(MongoHistory(mongo), MongoDigests(mongo), load_catalogue()),
        fields,
        Sealer(b"s" * 96),
        Allowances(redis),
        audit,
    )


async def _add(people: MongoPeople, openid: str, *, account=CITY, **fields: Any) -> OpenId:
    def change(person: Person) -> Person:
        return replace(person, subscriber=replace(person.subscriber, **fields))

    await people.edit(account, OpenId(openid), change)
    return OpenId(openid)


async def _everybody(followers: Followers, sought: Sought, limit: int = 3) -> list[str]:
    found, after = [], None
    while True:
        page = await followers.page(CITY, sought, after=after, limit=limit)
        found += [person.openid for person in page.people]
        after = page.after
        if after is None:
            return found


@pytest.fixture
async def anna(people: MongoPeople, clock: FakeClock) -> OpenId:
    """Somebody who bound everything there is."""
    now = clock.now()
    bindings = Bindings(
        vehicles=(Vehicle(id="vh_1", plate=Plate("粤B12345"), plate_type="02", digits="889911",
                          bound_at=now),),
        places=(Place(id="pl_1", label="home", region=FUTIAN, street="园岭一街8号", bound_at=now),),
        real_name=RealName(name=PersonName("王小明"),
                           id_number=IdentityNumber("110101199003078515"),
                           notice_version="2026-1", consented_at=now),
        imported=(ImportedSubject(id="im_1", value=Plate("苏A54321"), plate_type="02"),),
    )  # fmt: skip
    openid = OpenId("oAnna" + "x" * 23)
    await people.edit(CITY, openid, lambda person: replace(person, bindings=bindings))
    return openid


async def test_people_are_found_by_openid_tag_region_and_topic_alone_and_together(
    followers, people, clock
):
    water = Subscription(topic=WATER, region=FUTIAN)
    for number in range(9):
        await _add(
            people,
            f"o{'ab'[number % 2]}{number}",
            tags=("elder",) if number % 3 == 0 else (),
            region=FUTIAN if number % 2 else RegionCode("440305"),
            subscriptions=(water,) if number < 6 else (),
        )
    await _add(people, "ob1", account=PLAIN, tags=("elder",))  # another account's
    await people.unfollowed(CITY, OpenId("ob3"), clock.now())

    async def found(**sought: Any) -> str:
        return " ".join(await _everybody(followers, Sought(**sought)))

    assert await found() == "oa0 oa2 oa4 oa6 oa8 ob1 ob3 ob5 ob7"
    assert await found(openid="oa4") == "oa4"
    assert await found(openid="ob") == "ob1 ob3 ob5 ob7"
    assert await found(tag="elder") == "oa0 oa6"  # ob3 does not follow any more
    assert await found(region=RegionCode("440300")) == "oa0 oa2 oa4 oa6 oa8 ob1 ob5 ob7"
    assert await found(topic=WATER, region=FUTIAN) == "oa0 oa2 oa4 ob1 ob5"
    assert await found(topic=WATER, tag="elder") == "oa0"
    assert await found(topic=POWER, tag="elder") == ""
    assert await found(openid="oa", region=RegionCode("440305"), tag="elder") == "oa0 oa6"
    for hostile in ("o.*", "$ne", "\uffff", "o{", "😀", "oa\x00"):
        assert await found(openid=hostile) == ""
        assert await found(tag=hostile, topic=WATER) == ""


async def test_no_openid_is_read_out_letter_by_letter(followers, people, anna):
    found = {
        size: await _everybody(followers, Sought(openid=anna[:size])) for size in (4, 8, 9, 27, 28)
    }

    assert found == {4: [anna], 8: [anna], 9: [], 27: [], 28: [anna]}


async def test_what_is_rare_is_found_at_once_whatever_else_is_asked(followers, people, monkeypatch):
    monkeypatch.setattr(subscriber_lists, "PART", 2)
    monkeypatch.setattr(subscriber_lists, "PARTS", 2)
    for number in range(14):
        rare = number in (9, 13)
        await _add(
            people,
            f"o{number:02}",
            tags=("rare",) if rare else (),
            subscriptions=(Subscription(topic=WATER),),
        )

    first = await followers.page(CITY, Sought(tag="rare", topic=WATER))

    assert [each.openid for each in first.people] == ["o09", "o13"]
    assert await _everybody(followers, Sought(tag="rare", topic=WATER)) == ["o09", "o13"]
    assert await _everybody(followers, Sought(tag="rare", topic=POWER)) == []


async def test_what_is_frequent_and_seldom_meets_is_found_over_pages_that_each_look_at_a_few(
    followers, people, monkeypatch
):
    monkeypatch.setattr(subscriber_lists, "PART", 2)
    monkeypatch.setattr(subscriber_lists, "PARTS", 2)
    for number in range(14):
        both = number == 11
        await _add(
            people,
            f"o{number:02}",
            tags=("elder",) if number % 2 == 0 or both else (),
            subscriptions=(Subscription(topic=WATER),) if number % 2 or both else (),
        )

    first = await followers.page(CITY, Sought(tag="elder", topic=WATER))

    assert first.people == []
    assert first.after is not None
    assert await _everybody(followers, Sought(tag="elder", topic=WATER)) == ["o11"]


async def test_searches_and_references_open_only_for_the_account_they_were_made_for(followers):
    token = followers.search(CITY, Sought(openid="oAnna", tag="elder"), OpenId("oB"))
    reference = followers.reference(CITY, OpenId("oAnna"))

    assert "oAnna" not in token + reference
    assert followers.search_of(CITY, token) == (Sought(openid="oAnna", tag="elder"), "oB")
    assert followers.openid_of(CITY, reference) == "oAnna"
    for account, made_up in ((PLAIN, reference), (CITY, token), (CITY, "x"), (CITY, "é" * 40)):
        with pytest.raises(NotFound):
            followers.openid_of(account, made_up)
    with pytest.raises(NotFound):
        followers.search_of(PLAIN, token)


async def test_a_card_is_masked_and_the_look_is_in_the_chain(followers, audit, anna, mongo, clock):
    await MongoConsents(mongo).accepted(CITY, anna, "tpl-1", event="e", at=clock.now())

    card = await followers.card(DESK, CITY, anna, remote="10.0.0.9")

    assert [(item.key, item.masked) for item in card.items] == [
        ("openid", "oAnn…"),
        ("name", "王**"),
        ("id_number", "1****************5"),
        ("vh_1", "粤B****5"),
        ("pl_1", "＊＊＊"),
        ("im_1", "苏A****1"),
    ]
    assert not [value for value in WHOLE if value in repr(card.items)]
    assert (card.notice_version, card.waiting) == ("2026-1", 0)
    assert [(one.template_id, one.left, one.lasts) for one in card.notice_consents] == [
        ("tpl-1", 1, True)
    ]
    (entry,), _ = await audit.search(Wanted(object=followers.audit_object(CITY, anna)))
    assert (entry.action, entry.actor_name, entry.remote) == (
        "subscriber.view", "坐席小陈", "10.0.0.9",
    )  # fmt: skip
    with pytest.raises(NotFound):
        await followers.card(DESK, PLAIN, anna)


@pytest.mark.parametrize(
    ("key", "value"),
    [("vh_1", "粤B12345"), ("pl_1", "园岭一街8号"), ("name", "王小明"), ("im_1", "苏A54321"),
     ("id_number", "110101199003078515")],
)  # fmt: skip
async def test_a_value_is_shown_whole_after_its_purpose_is_in_the_chain(
    followers, audit, anna, mongo, caplog, key, value
):
    caplog.set_level(logging.INFO)

    item, plain = await followers.reveal(
        DESK, CITY, anna, key, kind="enquiry", purpose="市民来电核对  信息", remote="10.0.0.9"
    )

    assert plain == value
    assert item.masked != value
    found, _ = await audit.search(Wanted(action="subscriber.unmask"))
    assert [entry.outcome for entry in found] == ["done", "intended"]
    assert ("purpose", "市民来电核对 信息", "市民来电核对 信息") not in found[1].changes
    assert ("purpose", "市民来电核对 信息", "") in found[1].changes
    kept = json.dumps([entry async for entry in mongo["audit"].find({}, {"at": 0})])
    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    for secret in (value, anna):
        assert secret not in kept
        assert secret not in logged


@pytest.mark.parametrize(
    ("kind", "purpose", "field"),
    [("enquiry", "核", "purpose"), ("enquiry", "核" * 101, "purpose"),
     ("enquiry", " \n", "purpose"),
     ("curiosity", "市民来电核对", "purpose_kind"), ("", "市民来电核对", "purpose_kind")],
)  # fmt: skip
async def test_without_a_purpose_nothing_is_shown(followers, audit, anna, kind, purpose, field):
    with pytest.raises(InvalidInput) as refused:
        await followers.reveal(DESK, CITY, anna, "vh_1", kind=kind, purpose=purpose)

    assert refused.value.field == field
    assert await audit.search(Wanted()) == ([], None)


async def test_without_an_audit_entry_nothing_is_shown(followers, audit, anna, monkeypatch):
    async def away(*_: Any) -> None:
        raise AuditUnavailable("away")

    async def read(*_: Any) -> None:
        raise AssertionError("the value was read")

    monkeypatch.setattr(audit._store, "append", away)
    monkeypatch.setattr(followers._people, "bindings", read)

    with pytest.raises(AuditUnavailable):
        await followers.reveal(DESK, CITY, anna, "vh_1", kind="enquiry", purpose="市民来电核对")
    with pytest.raises(AuditUnavailable):
        await followers.card(DESK, CITY, anna)


async def test_somebody_who_looks_too_often_is_stopped_and_the_attempt_is_kept(
    followers, audit, anna
):
    async def look(key: str = "vh_1", who: Actor = DESK) -> None:
        await followers.reveal(who, CITY, anna, key, kind="enquiry", purpose="市民来电核对")

    for _ in range(MOST_LOOKS - 1):
        await look()
    with pytest.raises(NotFound):
        await look("vh_gone")
    with pytest.raises(TooOften):
        await look()

    await look(who=Actor("op_2", "别人"))
    found, _ = await audit.search(Wanted(who="op_desk"), limit=3)
    assert [entry.outcome for entry in found] == ["refused", "refused", "intended"]
