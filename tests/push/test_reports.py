"""Reports are made beside the sending, agree with its counts, and come again after receipts."""

from datetime import timedelta

import pytest

from domain.broadcast import Broadcast
from domain.errors import NotFound, TooOften
from domain.ids import AccountId, BroadcastId
from domain.ledger import Totals
from domain.sending_report import FATES, Minute, at_minute, gathered, spread, steps
from push import live as live_module
from push import reports as reports_module
from push.live import Live
from push.reports import Reports
from storage.mongo import reports as report_store
from storage.mongo.overview import MongoOverview
from storage.mongo.reports import MongoReports
from tests.support.push import CITY, Engine, order


async def reports_of(engine: Engine) -> Reports:
    store = MongoReports(engine.database)
    await engine.database[store.collection].create_indexes(list(store.indexes))
    return Reports(
        engine.store,
        engine.ledger,
        MongoOverview(engine.database),
        engine.deliveries,
        store,
        engine.clock,
    )


def live_of(engine: Engine) -> Live:
    return Live(
        engine.store,
        engine.ledger,
        engine.deliveries,
        MongoReports(engine.database),
        engine.clock,
    )


async def finished(engine: Engine) -> Broadcast:
    """Thirty people; afterwards five have refused, two had left, and twenty have receipts."""
    openids = await engine.follow(30)
    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)
    deliveries = engine.database[engine.deliveries.collection]
    now = engine.clock.now()
    changes = (
        (openids[:5], {"state": "failed", "errcode": 43101, "reason": "refused"}),
        (openids[5:7], {"state": "skipped", "reason": "expired"}),
        (openids[7:27], {"delivered": True, "receipt": "success", "receipt_at": now}),
    )
    await deliveries.update_many({"broadcast": broadcast}, {"$unset": {"delivered": ""}})
    for some, change in changes:
        await deliveries.update_many(
            {"broadcast": broadcast, "openid": {"$in": some}}, {"$set": change}
        )
    return await engine.find(broadcast)


async def test_a_report_tells_everybodys_fate_by_minute_and_by_reason(engine: Engine):
    broadcast = await finished(engine)

    report = await (await reports_of(engine)).read(broadcast)

    assert report is not None
    assert report.is_final
    sums = {fate: sum(minute.counts.get(fate, 0) for minute in report.minutes) for fate in FATES}
    assert sums == {"sent": 23, "delivered": 20, "failed": 5, "skipped": 2, "unknown": 0}
    assert report.delivered == 20
    assert dict(report.reasons) == {
        ("failed", 43101, "refused"): 5,
        ("skipped", None, "expired"): 2,
    }
    kept = await (await reports_of(engine)).read(broadcast)
    assert kept is not None
    _, failures = spread(kept.when)
    assert {why: sum(numbers) for why, numbers in failures.items()} == dict(report.reasons)


async def test_while_it_is_sent_a_page_reads_a_glance_of_the_reasons(engine: Engine, monkeypatch):
    broadcast = await finished(engine)
    whole = await MongoReports(engine.database).reasons(broadcast.id)
    monkeypatch.setattr(report_store, "GLANCE", 3)

    glance = await MongoReports(engine.database).reasons(broadcast.id)

    assert sorted(whole.values()) == [2, 5]
    assert sorted(glance.values()) == [2, 3]


async def test_a_report_in_slices_is_the_same_report(engine: Engine):
    broadcast = await finished(engine)
    store = MongoReports(engine.database)
    whole, parts = reports_module.Tally(), reports_module.Tally()

    assert await store.slice(broadcast.id, None, whole) is None
    place = await store.slice(broadcast.id, None, parts, size=7)
    slices = 1
    while place is not None:
        place = await store.slice(broadcast.id, place, parts, size=7)
        slices += 1

    assert slices == 5
    assert whole == parts


async def test_a_large_broadcast_is_reported_by_the_tick_and_no_page_waits(
    engine: Engine, monkeypatch
):
    monkeypatch.setattr(reports_module, "COUNTED_AT_ONCE", 10)
    broadcast = await finished(engine)
    reports = await reports_of(engine)

    before = await reports.read(broadcast)
    await reports.tick()
    after = await reports.read(broadcast)

    assert before is None
    assert after is not None
    assert after.is_final
    assert after.delivered == 20


async def test_receipts_that_come_after_the_end_are_counted_later(engine: Engine):
    broadcast = await finished(engine)
    reports = await reports_of(engine)
    await reports.read(broadcast)
    await engine.database[engine.deliveries.collection].update_many(
        {"broadcast": broadcast.id, "state": "sent"},
        {"$set": {"delivered": True, "receipt_at": engine.clock.now()}},
    )

    engine.clock.advance(timedelta(minutes=3))
    await reports.tick()

    report = await reports.read(broadcast)
    assert report is not None
    assert report.delivered == 23
    engine.clock.advance(timedelta(days=2))
    await reports.tick()
    kept = await engine.database["broadcast_reports"].find_one({"_id": broadcast.id})
    assert "next_at" not in kept  # nobody looks again


async def test_sums_are_noted_while_it_is_sent_and_the_report_follows_the_end(engine: Engine):
    await engine.follow(30)
    broadcast = await engine.begin()
    reports = await reports_of(engine)

    await reports.tick()
    early = await reports.read(await engine.find(broadcast))
    async with engine.working():
        await engine.finished(broadcast)
    await reports.tick()

    assert early is not None
    assert not early.is_final
    report = await reports.read(await engine.find(broadcast))
    assert report is not None
    assert report.is_final
    assert sum(minute.counts.get("sent", 0) for minute in report.minutes) == 30


def test_sums_become_steps_and_steps_become_places_without_gaps():
    points = {100: [5, 0, 0, 0, 0], 101: [9, 4, 1, 0, 0], 220: [9, 9, 1, 0, 0]}

    made = steps(points, FATES)
    places = gathered(made, most=61)

    assert [minute.counts["sent"] for minute in made] == [5, 4, 0]
    assert len(places) == 61
    assert sum(place.counts["delivered"] for place in places) == 9
    assert places[0] == Minute(
        at=at_minute(100), counts=dict(zip(FATES, (9, 4, 1, 0, 0), strict=True))
    )
    assert gathered([]) == []


async def test_progress_reaches_the_end_and_says_so(engine: Engine):
    await engine.follow(30)
    broadcast = await engine.begin()
    live = live_of(engine)

    waiting = await live.read(broadcast, CITY)
    async with engine.working():
        await engine.finished(broadcast)
    over = await live.read(broadcast, CITY)

    assert (waiting.people, waiting.totals.concluded, waiting.is_over) == (30, 0, False)
    assert (over.people, over.totals, over.percent) == (30, Totals(people=30, sent=30), 100)
    assert over.is_over
    with pytest.raises(NotFound):
        await live.read(broadcast, AccountId("plain"))


async def test_a_cancelled_broadcast_is_over_when_its_people_are_written_off(engine: Engine):
    await engine.follow(30)
    broadcast = await engine.begin()
    await engine.broadcasts.cancel(broadcast)
    live = live_of(engine)
    before = await live.read(broadcast, CITY)

    async with engine.working():
        for _ in range(200):
            after = await live.read(broadcast, CITY)
            if after.is_over:
                break
            live._watched.clear()

    assert not before.is_over
    assert after.totals.skipped == 30


async def test_streams_are_bounded_for_one_person_and_for_all(engine: Engine, monkeypatch):
    live = live_of(engine)
    monkeypatch.setattr(live_module, "MOST_STREAMS", 5)

    with live.stream("anna"), live.stream("anna"), live.stream("anna"), live.stream("anna"):
        with pytest.raises(TooOften), live.stream("anna"):
            pass
        with live.stream("boris"), pytest.raises(TooOften), live.stream("clara"):
            pass
        assert live.streams == 4
    assert live.streams == 0


async def test_titles_are_searched_a_bounded_number_at_a_time(engine: Engine, monkeypatch):
    from storage.mongo import broadcast_lists

    monkeypatch.setattr(broadcast_lists, "LOOKED_AT", 4)
    wanted: list[BroadcastId] = []
    for number in range(10):
        title = "Water $where (福田)" if number in {0, 9} else "停电"
        accepted = await engine.broadcasts.create(order(title=title), author="a", publish=False)
        wanted += [accepted.id] if number in {0, 9} else []

    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = await engine.lists.broadcasts(CITY, text="water $WHERE (福", cursor=cursor)
        found += [each.id for each in page.items]
        cursor, pages = page.cursor, pages + 1

    assert found == wanted[::-1]
    assert pages == 3
    by_id = await engine.lists.broadcasts(CITY, text=wanted[1])
    assert [each.id for each in by_id.items] == [wanted[1]]


async def test_everybodys_outcome_is_read_part_by_part(engine: Engine, monkeypatch):
    from push import lists

    monkeypatch.setattr(lists, "PART", 7)
    broadcast = await finished(engine)

    parts = [part async for part in engine.lists.everybody(broadcast.id, CITY)]
    failed = [part async for part in engine.lists.everybody(broadcast.id, CITY, state="failed")]
    page = await engine.lists.people(broadcast.id, CITY, limit=20)
    rest = await engine.lists.people(broadcast.id, CITY, limit=20, cursor=page.cursor)

    assert [len(part) for part in parts] == [7, 7, 7, 7, 2]
    assert [len(part) for part in failed] == [5]
    assert (len(page.items), len(rest.items), rest.cursor) == (20, 10, None)
    assert sum(each.is_delivered for part in parts for each in part) == 20
