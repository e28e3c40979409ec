"""Each reader gets their own values; what is not known of somebody is said in general words."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.broadcast import Audience
from domain.errors import TooSlow
from domain.ids import OpenId, RegionCode
from domain.masking import IdentityNumber, PersonName, Plate
from domain.people import Bindings, Person, RealName, Vehicle
from domain.personal import REGION, Known, general, unknown_in, widest
from push.orders import OrderRefused
from storage.mongo import readers
from storage.mongo.readers import MongoReaders
from tests.push.conftest import MakeEngine
from tests.support.platform import Platform
from tests.support.push import CITY, DATA, Engine

THEN = datetime(2026, 11, 1, tzinfo=UTC)
PERSONAL = DATA | {"area": "{姓名}，{区域}停水"}


async def _know(engine: Engine, openid: OpenId) -> None:
    def change(person: Person) -> Person:
        named = RealName(
            name=PersonName("王小明"),
            id_number=IdentityNumber("440305199001011234"),
            notice_version="1",
            consented_at=THEN,
        )
        vehicle = Vehicle(
            id="v1", plate=Plate("粤B12345"), plate_type="02", digits="1234", bound_at=THEN
        )
        return Person(
            subscriber=replace(person.subscriber, region=RegionCode("440305")),
            bindings=Bindings(vehicles=(vehicle,), real_name=named),
        )

    await engine.people.edit(CITY, openid, change)


async def test_two_readers_of_one_broadcast_read_their_own_values(
    engine: Engine, platform: Platform
):
    known, stranger = await engine.follow(2)
    await _know(engine, known)

    broadcast = await engine.begin(data=PERSONAL)
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert counts.sent == 2
    said = {each["touser"]: each["data"]["thing1"]["value"] for each in platform.messages}
    assert said == {known: "王*，南山区停水", stranger: "市民朋友，本市停水"}


async def test_the_frozen_content_holds_no_persons_values(engine: Engine):
    (known,) = await engine.follow(1)
    await _know(engine, known)

    broadcast = await engine.begin(data=PERSONAL)

    content = await engine.store.find_content(broadcast)
    assert content is not None
    assert content.fields["thing1"] == "{姓名}，{区域}停水"
    seen = await engine.personal.seen_by(CITY, known, content)
    assert seen.fields["thing1"] == "王*，南山区停水"


async def test_a_name_and_a_plate_are_only_ever_masked(engine: Engine):
    (known,) = await engine.follow(1)
    await _know(engine, known)

    values = await engine.personal.values(CITY, known, ["姓名", "车牌", "区域"])

    assert values == {"姓名": "王*", "车牌": "粤B****5", "区域": "南山区"}


async def test_a_text_that_fits_only_without_its_values_is_refused(engine: Engine):
    with pytest.raises(OrderRefused, match="最多 20 个字符"):
        await engine.order(data=DATA | {"area": "一二三四五六七八九十一二{车牌}{区域}"})


async def test_a_mass_send_is_one_text_and_takes_no_personal_values(engine: Engine):
    people = tuple(await engine.follow(2))

    with pytest.raises(OrderRefused, match="不能含个人内容"):
        await engine.order(Audience(openids=people), data=PERSONAL, channel="mass")


async def test_while_readers_cannot_be_looked_up_nothing_leaves_and_nobody_is_lost(
    engine: Engine, platform: Platform
):
    class Away:
        async def known(self, account, openids, asked):
            raise TimeoutError

    await engine.follow(3)
    found = engine.personal._readers
    engine.personal._readers = Away()
    broadcast = await engine.begin(data=PERSONAL)
    async with engine.working():
        while not (await engine.ledger.totals(broadcast)).people:
            await engine.plan()
        assert platform.cards == []
        engine.personal._readers = found
        counts = await engine.finished(broadcast)

    assert (counts.sent, counts.unknown, counts.failed) == (3, 0, 0)


async def test_a_text_without_placeholders_asks_for_nobody(engine: Engine, platform: Platform):
    await engine.follow(1)
    engine.personal.values = None  # type: ignore[assignment,method-assign]

    broadcast = await engine.begin(data=DATA | {"area": "{别的}停水"})
    async with engine.working():
        await engine.finished(broadcast)

    assert platform.messages[0]["data"]["thing1"]["value"] == "{别的}停水"


def test_words_in_braces_that_are_no_placeholders_are_named():
    assert unknown_in("{区域}{name} {}") == ("name",)
    assert general("{区域}居民") == "本市居民"
    assert len(widest("{区域}")) == 8


async def test_readers_of_a_sub_chunk_are_looked_up_together(
    make_engine: MakeEngine, platform: Platform
):
    asked: list[int] = []

    class Counted(MongoReaders):
        async def known(self, account, openids, asked_for):
            asked.append(len(openids))
            return await super().known(account, openids, asked_for)

    engine = await make_engine(chunk_size=25, batch_size=50)
    first, *_ = await engine.follow(50)
    await _know(engine, first)
    engine.reader_store.__class__ = Counted

    broadcast = await engine.begin(data=PERSONAL)
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.sent, asked) == (50, [25, 25])
    said = {each["touser"]: each["data"]["thing1"]["value"] for each in platform.messages}
    assert said[first] == "王*，南山区停水"
    assert sorted(set(said.values())) == ["市民朋友，本市停水", "王*，南山区停水"]


async def test_nothing_that_a_message_does_not_show_is_decrypted(engine: Engine):
    (known,) = await engine.follow(1)
    await _know(engine, known)

    region = await engine.reader_store.known(CITY, [known], {"区域"})
    plate = await engine.reader_store.known(CITY, [known], {"车牌"})

    assert region == {known: Known(region=RegionCode("440305"))}
    assert plate == {known: Known(plate=Plate("粤B12345"))}


async def test_a_lookup_that_nobody_waits_for_any_longer_says_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(readers, "MILLISECONDS", 1)
    many = [OpenId(f"o{number:027}") for number in range(50_000)]

    with pytest.raises(TooSlow, match="looking for readers"):
        await engine.reader_store.known(CITY, many, {REGION.name})
