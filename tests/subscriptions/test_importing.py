"""Import and export: bad lines, restart after a kill, nothing undone, nothing lost."""

import gzip
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from config.catalogue import load_catalogue
from domain.audience import Active, AllOf, Followed, OnTopic
from domain.broadcast import Audience
from domain.errors import ConfigError
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.people import Subject
from storage.mongo.audiences import MongoAudiences
from storage.mongo.imports import MongoImports
from storage.mongo.people import MongoPeople
from subscriptions.audience import Audiences
from subscriptions.bindings import BindingService
from subscriptions.importing import Importer, export_lines
from subscriptions.service import Subscriptions

CITY = AccountId("city")
WATER, FINES = TopicId("outage.water"), TopicId("traffic.violation")
FUTIAN, NANSHAN = RegionCode("440304"), RegionCode("440305")


@pytest.fixture
async def people(mongo, fields):
    await mongo[MongoPeople.collection].create_indexes(list(MongoPeople.indexes))
    return MongoPeople(mongo, fields)


@pytest.fixture
def store(mongo, fields, people):
    return MongoImports(mongo, fields)


@pytest.fixture
def importer(store):
    return Importer(store, load_catalogue())


@pytest.fixture
def audiences(mongo, fields):
    return Audiences(MongoAudiences(mongo, fields))


def person(openid, **content):
    line = {"openid": openid, "topics": ["outage.water"], "region": NANSHAN}
    return json.dumps(line | content, ensure_ascii=False)


def written(tmp_path, *lines, name="people.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


async def lines_out(store):
    return [json.loads(line) async for line in export_lines(store, CITY)]


CAR = {"kind": "vehicle", "value": "粤b 12345", "plate_type": "02"}


async def test_people_of_a_file_are_meant_and_found(importer, audiences, tmp_path):
    path = written(
        tmp_path,
        person("oA"),
        person("oB", topics=["traffic.violation"], tags=["elder"], subjects=[CAR]),
    )

    report = await importer.run(path, CITY)

    assert (report.lines, report.imported, report.skipped) == (2, 2, 0)
    assert await audiences.count(CITY, Audience(topics=(WATER,), regions=(NANSHAN,))) == 1
    assert await audiences.count(CITY, Audience(tags=("elder",), regions=(NANSHAN,))) == 1
    plate = Subject(kind="vehicle", value="粤B12345")
    assert await audiences.holders(CITY, FINES, plate) == [("oB", "immediate")]


async def test_a_topic_without_region_counts_for_the_persons_region(importer, audiences, tmp_path):
    await importer.run(written(tmp_path, person("oA", topics=["fuel.price"])), CITY)

    fuel = Audience(topics=(TopicId("fuel.price"),), regions=(NANSHAN,))
    assert await audiences.count(CITY, fuel) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ('{"topics": []}', "openid"),
        (person("o A"), "openid"),
        (person("oA", topics=["no.such"]), "topic"),
        (person("oA", topics="outage.water"), "topics"),
        (person("oA", region="110101"), "region"),
        (person("oA", region="4403051"), "region"),
        (person("oA", tags=[1]), "tags"),
        (person("oA", tags=[""]), "tag"),
        (person("oA", followed_at="yesterday"), "followed_at"),
        (person("oA", followed_at="2026-11-01T08:00:00"), "followed_at"),
        (person("oA", active_at=1764547200), "active_at"),
        (person("oA", active_at="1999-01-01T00:00:00Z"), "active_at"),
        (person("oA", subjects=[{"kind": "boat", "value": "1"}]), "kind"),
        (person("oA", subjects=[{"kind": "vehicle", "value": "粤I12345"}]), "plate"),
        (person("oA", subjects=[{"kind": "person", "value": "123"}]), "id_number"),
    ],
)
async def test_a_bad_line_is_named_by_number_and_reason_and_skipped(
    importer, audiences, tmp_path, line, reason
):
    seen = []

    report = await importer.run(
        written(tmp_path, person("oX"), line, person("oY")), CITY, on_bad=seen.append
    )

    assert (report.imported, report.skipped) == (2, 1)
    assert [bad.number for bad in report.bad] == [2]
    assert reason in report.bad[0].reason
    assert "粤I12345" not in report.bad[0].reason
    assert tuple(seen) == report.bad
    assert await audiences.count(CITY, Audience(all=True)) == 2


async def test_dates_are_taken_where_no_event_has_told_us(importer, people, audiences, tmp_path):
    when = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
    await people.appeared(CITY, OpenId("oB"), when, followed=True)
    dates = {"followed_at": "2024-05-01T08:00:00+08:00", "active_at": "2026-10-31T23:59:00+08:00"}
    path = written(tmp_path, person("oA", **dates), person("oB", **dates))

    await importer.run(path, CITY)
    await importer.run(path, CITY)

    async def count(rule):
        return await audiences.count(CITY, Audience(rule=rule))

    assert await count(Followed(date(2024, 5, 1), date(2024, 5, 2))) == 1
    assert await count(Active(date(2026, 10, 31), date(2026, 11, 1))) == 1
    assert await count(AllOf((Followed(date(2026, 11, 20)), Active(date(2026, 11, 20))))) == 1
    assert await count(OnTopic(WATER, NANSHAN)) == 2


async def test_blank_lines_and_a_byte_order_mark_are_nothing_bad(importer, tmp_path):
    path = written(tmp_path, "\ufeff" + person("oA"), "", person("oB"))

    report = await importer.run(path, CITY)

    assert (report.lines, report.imported, report.skipped) == (3, 2, 0)


async def test_importing_again_changes_nothing(importer, mongo, tmp_path):
    path = written(tmp_path, person("oA", subjects=[CAR]), person("oB"))
    await importer.run(path, CITY)
    before = [await mongo[name].find({}).to_list() for name in ("subscribers", "bindings")]

    report = await importer.run(path, CITY)

    assert report.imported == 2
    assert before == [await mongo[name].find({}).to_list() for name in ("subscribers", "bindings")]


class Killed(Exception):
    pass


class DyingStore:
    """The real store, whose process dies in its n-th batch, before or after writing it."""

    def __init__(self, store, batch, *, after_writing):
        self._store = store
        self._left = batch
        self._after_writing = after_writing

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def add(self, people):
        self._left -= 1
        if self._left == 0 and not self._after_writing:
            raise Killed
        await self._store.add(people)
        if self._left == 0:
            raise Killed


@pytest.mark.parametrize("after_writing", [False, True])
async def test_a_killed_import_goes_on_where_it_was(store, audiences, tmp_path, after_writing):
    path = written(tmp_path, *(person(f"o{number}") for number in range(10)), "bad")
    dying = DyingStore(store, 3, after_writing=after_writing)
    with pytest.raises(Killed):
        await Importer(dying, load_catalogue(), batch_lines=3).run(path, CITY)

    seen = []
    importer = Importer(store, load_catalogue(), batch_lines=3)
    report = await importer.run(path, CITY, on_progress=seen.append)

    assert report.resumed_after == 6
    assert seen[-1].lines == 11
    assert (report.lines, report.imported, report.skipped) == (11, 10, 1)
    assert [bad.number for bad in report.bad] == [11]
    assert await audiences.count(CITY, Audience(all=True)) == 10


async def test_a_file_of_several_windows_goes_on_in_the_right_one(store, audiences, tmp_path):
    """Within a window people are written in the order of their openids, not of the file."""
    names = ["o7", "o1", "o5", "o0", "o6", "o2", "o9", "o4", "o3", "o8"]
    path = written(tmp_path, *(person(name) for name in names[:5]), "", "bad")
    path = written(tmp_path, path.read_text().strip(), *(person(name) for name in names[5:]))
    catalogue = load_catalogue()
    for batch in (1, 3, 2, 3):
        dying = DyingStore(store, batch, after_writing=False)
        with pytest.raises(Killed):
            await Importer(dying, catalogue, batch_lines=2, window_lines=4).run(path, CITY)

    report = await Importer(store, catalogue, batch_lines=2, window_lines=4).run(path, CITY)

    assert (report.lines, report.imported, report.skipped) == (12, 10, 1)
    assert await audiences.count(CITY, Audience(all=True)) == 10


async def test_another_file_or_account_starts_at_its_beginning(store, tmp_path):
    path = written(tmp_path, person("oA"), person("oB"))
    dying = DyingStore(store, 2, after_writing=True)
    with pytest.raises(Killed):
        await Importer(dying, load_catalogue(), batch_lines=1).run(path, CITY)

    other = written(tmp_path, person("oC"), name="other.jsonl")
    importer = Importer(store, load_catalogue())

    assert (await importer.run(other, CITY)).resumed_after == 0
    assert (await importer.run(path, AccountId("plain"))).resumed_after == 0
    assert (await importer.run(path, CITY)).resumed_after == 1


async def test_an_import_does_not_bring_back_what_a_citizen_ended(
    importer, people, audiences, clock, tmp_path
):
    path = written(tmp_path, person("oA"), person("oB"))
    await importer.run(path, CITY)
    subscriptions = Subscriptions(people)
    await subscriptions.unsubscribe(CITY, OpenId("oA"), WATER)
    await subscriptions.unfollow(CITY, OpenId("oB"), clock.now())

    await importer.run(path, CITY)

    assert await audiences.count(CITY, Audience(topics=(WATER,))) == 0


async def test_an_import_adds_to_what_a_citizen_chose(importer, people, tmp_path):
    from domain.people import Subscription

    subscriptions = Subscriptions(people)
    await subscriptions.subscribe(
        CITY, OpenId("oA"), Subscription(topic=WATER, region=NANSHAN, mode="daily")
    )

    await importer.run(written(tmp_path, person("oA", topics=["outage.water", "fuel.price"])), CITY)

    found = await subscriptions.find(CITY, OpenId("oA"))
    assert [(item.topic, item.mode) for item in found.subscriptions] == [
        ("outage.water", "daily"),
        ("fuel.price", "immediate"),
    ]


async def test_lines_of_one_person_are_joined(importer, people, tmp_path):
    path = written(
        tmp_path,
        person("oA", subjects=[CAR]),
        person("oA", topics=["outage.power"], region=FUTIAN, subjects=[CAR]),
    )

    await importer.run(path, CITY)

    found = await people.find(CITY, OpenId("oA"))
    assert {(item.topic, item.region) for item in found.subscriptions} == {
        ("outage.water", NANSHAN),
        ("outage.power", FUTIAN),
    }
    assert len((await people.bindings(CITY, OpenId("oA"))).imported) == 1


async def test_an_imported_plate_is_seen_unbound_and_taken_over(
    importer, people, audiences, clock, tmp_path
):
    content = {"topics": ["traffic.violation"], "subjects": [CAR]}
    await importer.run(written(tmp_path, person("oA", **content), person("oB", **content)), CITY)
    bindings = BindingService(people, clock)
    plate = Subject(kind="vehicle", value="粤B12345")

    await bindings.bind_vehicle(CITY, OpenId("oA"), "粤B12345", "02", "1234")
    [imported] = (await bindings.list_(CITY, OpenId("oB"))).imported
    await bindings.unbind(CITY, OpenId("oB"), imported.id)

    assert (await bindings.list_(CITY, OpenId("oA"))).imported == ()
    assert await audiences.holders(CITY, FINES, plate) == [("oA", "immediate")]


async def test_imported_plates_are_not_readable_in_the_database(importer, mongo, tmp_path):
    await importer.run(written(tmp_path, person("oA", subjects=[CAR])), CITY)

    dump = b""
    for name in await mongo.list_collection_names():
        async for raw in mongo[name].find_raw_batches({}):
            dump += raw

    assert "粤B12345".encode() not in dump
    assert b"12345" not in dump


async def test_what_is_exported_comes_back_the_same(importer, store, mongo, tmp_path):
    path = written(
        tmp_path,
        person("oA", tags=["elder"], subjects=[CAR], topics=["outage.water", "fuel.price"]),
        person("oA", topics=["outage.power"], region=FUTIAN),
        person("oB", topics=[], region=None),
    )
    await importer.run(path, CITY)
    before = await lines_out(store)
    keys = [doc["keys"] async for doc in mongo["subscribers"].find({}, sort=[("_id", 1)])]
    for name in ("subscribers", "bindings"):
        await mongo[name].delete_many({})

    out = tmp_path / "out.jsonl"
    out.write_text("".join(json.dumps(line) + "\n" for line in before), encoding="utf-8")
    await importer.run(out, CITY)

    assert await lines_out(store) == before
    assert keys == [doc["keys"] async for doc in mongo["subscribers"].find({}, sort=[("_id", 1)])]
    assert before[0]["subjects"] == [CAR | {"value": "粤B12345"}]


async def test_only_followers_are_exported(importer, store, people, clock, tmp_path):
    await importer.run(written(tmp_path, person("oA"), person("oB")), CITY)
    await people.unfollowed(CITY, OpenId("oA"), clock.now())
    await people.edit(
        AccountId("plain"), OpenId("oC"), lambda p: replace(p, subscriber=p.subscriber)
    )

    assert [line["openid"] for line in await lines_out(store)] == ["oB"]


async def test_a_file_that_is_not_there_is_named(importer, tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.jsonl"):
        await importer.run(tmp_path / "gone.jsonl", CITY)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(person("oA").encode(), mtime=0), "gunzip"),
        (b"PK\x03\x04....", "spreadsheet"),
        (person("oA").encode("utf-16"), "UTF-8"),
    ],
    ids=["gzip", "zip", "utf-16"],
)
async def test_a_file_that_holds_no_lines_is_refused_as_a_whole(importer, tmp_path, content, what):
    path = tmp_path / "people.jsonl"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=what):
        await importer.run(path, CITY)


async def test_a_pipe_is_refused_since_nothing_could_go_on_with_it(importer, tmp_path):
    reading, writing = os.pipe()
    os.write(writing, person("oA").encode() + b"\n")
    os.close(writing)
    try:
        with pytest.raises(ConfigError, match="pipe"):
            await importer.run(Path(f"/dev/fd/{reading}"), CITY)
    finally:
        os.close(reading)


async def test_a_line_that_does_not_end_is_skipped_without_being_kept(store, audiences, tmp_path):
    endless = "x" * (3 * 256 * 1024 + 5)
    path = written(tmp_path, person("oA"), endless, person("oB"), person("oC"))

    report = await Importer(store, load_catalogue(), batch_lines=1, window_lines=2).run(path, CITY)

    assert (report.lines, report.imported, report.skipped) == (4, 3, 1)
    assert [(bad.number, bad.reason) for bad in report.bad] == [(2, "longer than 256 KB")]
    assert await audiences.count(CITY, Audience(all=True)) == 3
