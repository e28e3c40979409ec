"""A person's history: what was sent, when, delivered or why not; and how long that is kept."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain.broadcast import Audience, Counts
from domain.ids import AccountId, BroadcastId, OpenId
from push.history import HistoryRow
from push.outcomes import in_words
from storage.mongo.history import Record
from tests.push.test_digests import TO_MORNING, all_done
from tests.support.notices import FUND, ONE, announce, balance, reader, violation
from tests.support.platform import Fault, Platform
from tests.support.push import CITY, WATER, Engine, FlowingClock, until

MONTH, YEAR = timedelta(days=32), timedelta(days=400)


async def rows(engine: Engine, openid: OpenId = ONE) -> list[HistoryRow]:
    return [row async for row in engine.history.rows(CITY, openid)]


async def everything(engine: Engine) -> str:
    """Whatever stands in the database, as text."""
    names = await engine.database.list_collection_names()
    found = [
        str(document)
        for name in names
        if name != "__keyVault"
        async for document in engine.database[name].find({})
    ]
    return "\n".join(found)


# --- what it says -----------------------------------------------------------------------------


async def test_it_says_what_was_delivered_and_why_the_rest_was_not(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    delivered, blocked, gone = await engine.follow(3)
    platform.fault = lambda openid, _: Fault(code=43004) if openid == gone else None
    messages: dict[str, str] = {}
    platform.on_card = messages.__setitem__

    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)
    await engine.receipts.record(CITY, messages[delivered], "success")
    await engine.receipts.record(CITY, messages[blocked], "failed:user block")

    said = {openid: (await rows(engine, openid))[0] for openid in (delivered, blocked, gone)}
    assert [row.outcome for row in said.values()] == [
        "已送达",
        "未送达：接收人拒收",
        "未送达：没有关注本服务号",
    ]
    assert [row.state for row in said.values()] == ["delivered", "sent", "failed"]
    assert said[delivered].topics[0].title == "停水通知"
    assert said[delivered].channel == "template"


async def test_a_digest_tells_its_topics_and_what_it_left_out(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"), violation("b"), balance("c"))
    assert await engine.history.waiting(CITY, ONE) == 3
    await engine.subscriptions.unsubscribe(CITY, ONE, FUND)

    clock.advance(TO_MORNING)
    async with engine.working():
        await all_done(engine)

    (row,) = await rows(engine)
    assert [(topic.title, topic.count) for topic in row.topics] == [("交通违法提醒", 2)]
    assert [(topic.title, topic.count) for topic in row.left_out] == [("公积金变动", 1)]
    assert await engine.history.waiting(CITY, ONE) == 0


async def test_another_accounts_history_is_another_one(engine: Engine):
    (openid,) = await engine.follow(1)
    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    assert (await engine.history.page(AccountId("plain"), openid)).rows == ()
    assert len((await engine.history.page(CITY, openid)).rows) == 1


async def test_pages_lose_and_repeat_nothing_even_when_much_happened_at_once(engine: Engine):
    at = engine.clock.now()
    moments = [at - timedelta(minutes=number // 4) for number in range(14)]
    await engine.database["deliveries"].insert_many(
        {"_id": f"bc_{number}:o", "broadcast": f"bc_{number}", "account": CITY, "openid": "o"}
        | {"state": "sent", "at": moment}
        for number, moment in enumerate(moments)
    )

    seen: list[HistoryRow] = []
    page = await engine.history.page(CITY, OpenId("o"), limit=3)
    seen += page.rows
    while page.before is not None:
        page = await engine.history.page(CITY, OpenId("o"), before=page.before, limit=3)
        seen += page.rows

    assert len(seen) == len({row.broadcast for row in seen}) == 14
    assert [row.at for row in seen] == sorted((row.at for row in seen), reverse=True)


async def test_one_persons_history_is_read_from_its_index(engine: Engine):
    plan = await (
        engine.database["deliveries"].find({"account": CITY, "openid": "o"}).sort("at", -1)
    ).explain()

    assert "'indexName': 'history'" in str(plan["queryPlanner"]["winningPlan"])
    assert "SORT" not in str(plan["queryPlanner"]["winningPlan"])


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"state": "sent"}, "已发送，暂无送达回执"),
        ({"state": "sent", "receipt": "failed:systemfailed"}, "未送达：微信系统原因"),
        ({"state": "sent", "is_delivered": True, "receipt": "success"}, "已送达"),
        ({"state": "skipped", "reason": "expired"}, "未发送：已过有效期"),
        ({"state": "skipped", "reason": "something new"}, "未发送"),
        ({"state": "unknown"}, "微信没有答复，可能已送达"),
        ({"state": "unknown", "is_delivered": True}, "已送达"),
        ({"state": "failed", "errcode": 43101}, "未送达：已拒收这类通知"),
        ({"state": "failed", "errcode": 12345}, "未送达：微信拒绝（代码 12345）"),
        ({"state": "failed", "reason": "put off too often"}, "未送达：多次尝试未成功"),
    ],
)
def test_every_outcome_has_words(engine_free_record: Any, facts: dict[str, Any], words: str):
    assert in_words(engine_free_record(**facts)) == words


@pytest.fixture
def engine_free_record(clock: FlowingClock) -> Any:
    def build(**facts: Any) -> Record:
        plain = {"broadcast": BroadcastId("bc_1"), "at": clock.now(), "kind": "broadcast"}
        plain |= {"topic": WATER, "title": "x", "channel": "template", "is_delivered": False}
        return Record(**(plain | facts))

    return build


# --- the page behind a digest ---------------------------------------------------------------


async def test_the_page_of_a_digest_shows_no_account_number_and_nothing_unbound(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(
        engine,
        violation("a"),
        balance("b"),
        balance("c", data=balance("c").data | {"change": "补"}),
    )
    clock.advance(TO_MORNING)
    async with engine.working():
        await all_done(engine)
    token = platform.messages[0]["url"].rsplit("/", 1)[1]
    digest = engine.links.digest_of(CITY, token)
    assert digest is not None

    shown = await engine.digest_pages.show(CITY, digest)
    await engine.subscriptions.unsubscribe(CITY, ONE, FUND)
    later = await engine.digest_pages.show(CITY, digest)

    assert ("账号", "***2345") in shown.notices[1].fields
    assert ("车牌", "粤B****5") in shown.notices[0].fields
    assert [notice.title for notice in later.notices] == ["交通违法提醒"]


# --- erasure ----------------------------------------------------------------------------------


async def test_an_erased_person_has_no_history_and_the_counts_stay(
    engine: Engine, clock: FlowingClock
):
    erased, other = await engine.follow(2)
    listed = await engine.begin(Audience(openids=(erased, other)))
    async with engine.working():
        await engine.finished(listed)
    before = await engine.counts(listed)

    await engine.subscriptions.forget(CITY, erased, clock.now())
    await asyncio.gather(engine.retention.tick(), engine.new_retention().tick())
    await engine.database["batch_people"].delete_many({})  # as they expire after thirty days

    assert await rows(engine, erased) == []
    assert len(await rows(engine, other)) == 1
    assert await engine.counts(listed) == before == Counts(audience=2, sent=2)
    assert await engine.deliveries.count_by_state(listed) == {"sent": 2}
    assert erased not in await everything(engine)


async def test_what_is_being_sent_is_renamed_only_when_it_is_closed(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    erased, *_ = await engine.follow(8)
    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)
    await engine.database["broadcasts"].update_one(
        {"_id": broadcast}, {"$set": {"fanout.open": True, "state": "sending"}}
    )
    await engine.subscriptions.forget(CITY, erased, clock.now())
    await engine.retention.tick()
    assert len(await rows(engine, erased)) == 1

    await engine.closer.close_if_complete(broadcast)
    clock.advance(timedelta(minutes=11))
    await engine.retention.tick()

    assert await rows(engine, erased) == []
    assert await engine.counts(broadcast) == Counts(audience=8, sent=8)


async def test_an_erasure_takes_what_waits_and_a_digest_under_way_with_it(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"), balance("b"))
    clock.advance(TO_MORNING)
    await engine.digests.tick()
    await announce(engine, violation("c"))

    await engine.subscriptions.forget(CITY, ONE, clock.now())
    async with engine.working():
        await all_done(engine)

    assert platform.cards == []
    assert await engine.database["digest_items"].count_documents({}) == 0


async def test_somebody_who_comes_back_has_a_new_history(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    (openid,) = await engine.follow(1)
    first = await engine.begin()
    async with engine.working():
        await engine.finished(first)
        await engine.subscriptions.forget(CITY, openid, clock.now())
        clock.advance(60)
        await engine.add_people([openid])
        second = await engine.begin()
        await engine.finished(second)
    clock.advance(timedelta(hours=1))
    await engine.retention.tick()

    assert [row.broadcast for row in await rows(engine, openid)] == [second]


# --- how long it is kept ----------------------------------------------------------------------


async def test_after_a_month_what_a_notice_said_and_whom_it_found_is_gone(
    engine: Engine, clock: FlowingClock
):
    await reader(engine, clock, mode="immediate")
    await announce(engine, violation("a"))
    async with engine.working():
        await all_done(engine)

    clock.advance(MONTH)
    await engine.retention.tick()

    (kept,) = await engine.database["broadcasts"].find({"kind": "notice"}).to_list()
    assert set(kept["notice"]) == {"event_id", "matched"}
    assert await engine.notices.announce(violation("a"), author="test") == 1
    assert len(await rows(engine)) == 1


async def test_after_a_year_only_counts_are_left_and_they_are_right(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    people = await engine.follow(30)
    messages: dict[str, str] = {}
    platform.on_card = messages.__setitem__
    broadcast = await engine.begin(Audience(openids=tuple(people)))
    async with engine.working():
        await engine.finished(broadcast)
    for msgid in list(messages.values())[:12]:
        await engine.receipts.record(CITY, msgid, "success")
    expected = Counts(audience=30, sent=30, delivered=12)
    assert await engine.counts(broadcast) == expected

    clock.advance(MONTH)
    await engine.retention.tick()
    assert await engine.counts(broadcast) == expected
    clock.advance(YEAR)
    await asyncio.gather(*(engine.new_retention().tick() for _ in range(3)))

    assert await engine.database["deliveries"].count_documents({}) == 0
    assert await engine.counts(broadcast) == expected
    assert people[0] not in str(await engine.find(broadcast))


async def test_a_day_of_many_notices_is_let_go_in_one_look(engine: Engine, clock: FlowingClock):
    ended = clock.now() - timedelta(days=40)
    paper = {"account": CITY, "state": "finished", "finished_at": ended}
    await engine.database["broadcasts"].insert_many(
        [
            {"_id": f"nt_{number}", "kind": "notice", "notice": {"sealed": b"x"}, **paper}
            for number in range(250)
        ]
    )

    await engine.retention.tick()

    query = {"notice.sealed": {"$exists": True}}
    assert await engine.database["broadcasts"].count_documents(query) == 0


async def test_a_plans_counts_outlive_the_outcomes_of_its_occurrences(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await engine.follow(4)
    messages: list[str] = []
    platform.on_card = lambda _, msgid: messages.append(msgid)
    plan = await engine.order(cron="0 12 * * *")
    async with engine.working():
        clock.advance(timedelta(hours=2, seconds=1))
        await until(lambda: _has_cards(platform, 4))
        await until(lambda: _is_closed(engine, plan))
    for msgid in messages:
        await engine.receipts.record(CITY, msgid, "success")
    await engine.broadcasts.cancel(plan)

    for _ in range(2):
        clock.advance(YEAR)
        await engine.retention.tick()

    assert await engine.database["deliveries"].count_documents({}) == 0
    counts = await engine.counts(plan)
    assert (counts.sent, counts.delivered) == (4, 4)


async def test_of_a_digest_nothing_stays_after_a_year(
    engine: Engine, platform: Platform, clock: FlowingClock
):
    await reader(engine, clock)
    await announce(engine, violation("a"), violation("b"))
    clock.advance(TO_MORNING)
    async with engine.working():
        await all_done(engine)

    clock.advance(MONTH)
    await engine.retention.tick()
    (digest,) = await engine.database["broadcasts"].find({"kind": "digest"}).to_list()
    assert ONE not in str(digest)
    assert [topic.count for topic in (await rows(engine))[0].topics] == [2]
    clock.advance(YEAR)
    await engine.retention.tick()

    assert await engine.database["broadcasts"].count_documents({"kind": "digest"}) == 0
    assert await rows(engine) == []


async def _has_cards(platform: Platform, number: int) -> bool:
    return len(platform.cards) >= number


async def _is_closed(engine: Engine, plan: BroadcastId) -> bool:
    child = await engine.database["broadcasts"].find_one({"parent": plan})
    return child is not None and child["state"] == "finished"
