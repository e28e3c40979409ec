"""The operations on broadcasts over real HTTP: edit, lists, resend, dead list and replay."""

# ruff: noqa: F811 - fixtures are imported by name

import base64
from typing import Any

import pytest

from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Delivery
from tests.push.conftest import make_engine, platform  # noqa: F401  # fixtures
from tests.push.test_dead import _die
from tests.support.push import CITY, Engine, FlowingClock
from tests.web.test_api import ORDER, Api, api, clock, engine, keys  # noqa: F401  # fixtures

WRITER = ("broadcasts:write",)


@pytest.fixture
async def writer(keys, clock) -> str:
    """A key that may draft and not publish."""
    return await keys.create(CITY, "办公室", WRITER, now=clock.now())


@pytest.fixture
async def stranger(keys, clock) -> str:
    """A key of another account with every scope."""
    scopes = ("broadcasts:write", "broadcasts:publish", "notices:write")
    return await keys.create(AccountId("plain"), "外人", scopes, now=clock.now())


async def _record(engine: Engine, clock: FlowingClock, broadcast: str) -> list[OpenId]:
    people = [OpenId(f"oPerson{number:04}") for number in range(7)]
    states = ["failed"] * 5 + ["unknown", "sent"]
    await engine.deliveries.record(
        CITY,
        BroadcastId(broadcast),
        None,
        [
            Delivery(openid=openid, state=state, at=clock.now(), errcode=43004, reason="why")
            for openid, state in zip(people, states, strict=True)
        ],
    )
    return people


# --- schedules ----------------------------------------------------------------------------------


async def test_recurring_times_windows_and_late_policies_are_taken(api: Api, engine: Engine):
    answer = await api.order(
        cron="@tax D-5,D-2,D-0 09:00", window="09:00-18:00", late_by_minutes=120
    )

    found = await engine.find(answer.json["id"])
    assert answer.status == 201
    assert found.due_at.isoformat() == "2026-12-10T01:00:00+00:00"
    assert found.late_by.total_seconds() == 7200
    assert [end.hour for end in found.window] == [9, 18]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("cron", "@workdays 25:00", "invalid_cron"),
        ("cron", "@tax D-5 09:00 lottery", "invalid_cron"),
        ("window", "9-18", "invalid"),
        ("window", "09:00-09:00", "invalid_window"),
        ("late_by_minutes", 0, "invalid"),
        ("late_by_minutes", "60", "invalid"),
    ],
)
async def test_what_is_wrong_with_a_schedule_is_named(api: Api, field: str, value: Any, code: str):
    answer = await api.order(**{field: value})

    assert answer.status == 422
    assert [(error["field"], error["code"]) for error in answer.json["errors"]] == [(field, code)]


# --- edits --------------------------------------------------------------------------------------


async def test_a_draft_is_edited_by_who_may_write(api: Api, writer: str):
    broadcast = (await api.call("POST", "broadcasts", ORDER, key=writer)).json["id"]

    edited = await api.call("PUT", f"broadcasts/{broadcast}", ORDER | {"title": "改"}, key=writer)

    assert (edited.status, edited.json) == (
        200,
        {"id": broadcast, "state": "in_review", "revision": 2},
    )


async def test_an_approved_one_is_409_with_a_sentence(api: Api):
    broadcast = (await api.order()).json["id"]

    refused = await api.call("PUT", f"broadcasts/{broadcast}", ORDER | {"title": "改"})

    assert (refused.status, refused.json["code"]) == (409, "wrong_state")
    assert "不能再修改" in refused.json["detail"]


async def test_editing_needs_the_scope_and_the_account(
    api: Api,
    keys,
    clock,
    writer: str,
    stranger: str,
):
    broadcast = (await api.call("POST", "broadcasts", ORDER, key=writer)).json["id"]
    publisher = await keys.create(CITY, "发布", ("broadcasts:publish",), now=clock.now())
    path = f"broadcasts/{broadcast}"

    without = await api.call("PUT", path, ORDER, key=publisher)
    foreign = await api.call("PUT", path, ORDER | {"account": "plain"}, key=stranger)
    wrong = await api.call("PUT", path, ORDER | {"account": "plain"}, key=writer)

    assert (without.status, without.json["code"]) == (403, "insufficient_scope")
    assert foreign.status in (404, 422)
    assert (wrong.status, wrong.json["code"]) == (403, "wrong_account")


# --- lists --------------------------------------------------------------------------------------


async def test_broadcasts_are_listed_page_by_page_the_newest_first(
    api: Api,
    stranger: str,
):
    ids = [(await api.order(title=f"第 {number} 个")).json["id"] for number in range(5)]
    await api.call("POST", f"broadcasts/{ids[0]}/cancel")

    seen: list[str] = []
    query = "account=city&limit=2"
    while True:
        page = (await api.call("GET", f"broadcasts?{query}")).json
        seen += [item["id"] for item in page["broadcasts"]]
        if page["next"] is None:
            break
        query = f"account=city&limit=2&cursor={page['next']}"
    cancelled = (await api.call("GET", "broadcasts?state=cancelled")).json["broadcasts"]
    foreign = (await api.call("GET", "broadcasts", key=stranger)).json["broadcasts"]

    assert seen == ids[::-1]
    assert [item["id"] for item in cancelled] == [ids[0]]
    assert foreign == []


@pytest.mark.parametrize(
    "query", ["state=flying", "limit=0", "limit=x", "cursor=!!!", "cursor=abcd", "page=2"]
)
async def test_a_wrong_question_is_422(api: Api, query: str):
    answer = await api.call("GET", f"broadcasts?{query}")

    assert answer.status == 422


async def test_asking_for_another_account_is_403(api: Api):
    answer = await api.call("GET", "broadcasts?account=plain")

    assert (answer.status, answer.json["code"]) == (403, "wrong_account")


async def test_people_are_listed_by_outcome_and_cut_for_who_may_not_publish(
    api: Api,
    engine: Engine,
    clock: FlowingClock,
    writer: str,
    stranger: str,
):
    broadcast = (await api.order()).json["id"]
    people = await _record(engine, clock, broadcast)
    path = f"broadcasts/{broadcast}/recipients"

    whole = (await api.call("GET", f"{path}?state=failed&limit=3")).json
    rest = (await api.call("GET", f"{path}?state=failed&limit=3&cursor={whole['next']}")).json
    cut = (await api.call("GET", f"{path}?state=unknown", key=writer)).json
    everybody = (await api.call("GET", path)).json
    foreign = await api.call("GET", path, key=stranger)

    assert [item["openid"] for item in whole["recipients"] + rest["recipients"]] == people[:5]
    assert rest["next"] is None
    assert [(item["openid"], item["errcode"]) for item in cut["recipients"]] == [("oPer…", 43004)]
    assert len(everybody["recipients"]) == 7
    assert foreign.status == 404


async def test_a_cursor_of_people_tells_nothing_and_opens_no_other_list(
    api: Api,
    engine: Engine,
    clock: FlowingClock,
):
    broadcast = (await api.order()).json["id"]
    other = (await api.order(title="另一个")).json["id"]
    await _record(engine, clock, broadcast)

    page = (await api.call("GET", f"broadcasts/{broadcast}/recipients?limit=1")).json
    elsewhere = await api.call("GET", f"broadcasts/{other}/recipients?cursor={page['next']}")

    cursor = page["next"]
    assert b"oPer" not in base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert (elsewhere.status, elsewhere.json["code"]) == (422, "invalid_input")


# --- resend, dead list, replay ------------------------------------------------------------------


async def test_a_resend_is_made_once_by_who_may_publish(
    api: Api,
    engine: Engine,
    clock: FlowingClock,
    writer: str,
):
    broadcast = (await api.order()).json["id"]
    await _record(engine, clock, broadcast)
    documents = engine.database[engine.store.collection]
    early = await api.call("POST", f"broadcasts/{broadcast}/resend")
    await documents.update_one({"_id": broadcast}, {"$set": {"state": "finished"}})

    refused = await api.call("POST", f"broadcasts/{broadcast}/resend", key=writer)
    first = await api.call("POST", f"broadcasts/{broadcast}/resend")
    again = await api.call("POST", f"broadcasts/{broadcast}/resend")

    assert (early.status, refused.status) == (409, 403)
    assert (first.status, first.json["state"]) == (201, "scheduled")
    assert again.json == first.json
    report = (await api.call("GET", f"broadcasts/{first.json['id']}")).json
    assert report["counts"]["audience"] == 5


async def test_dead_batches_are_listed_and_replayed(
    api: Api,
    engine: Engine,
    clock: FlowingClock,
    writer: str,
):
    await engine.follow(5)
    broadcast = (await api.order()).json["id"]
    await engine.plan()
    name = await _die(engine, clock, BroadcastId(broadcast))

    listed = await api.call("GET", f"broadcasts/{broadcast}/dead", key=writer)
    refused = await api.call("POST", f"broadcasts/{broadcast}/replay", key=writer)
    done = await api.call("POST", f"broadcasts/{broadcast}/replay", {"batch": name})
    again = await api.call("POST", f"broadcasts/{broadcast}/replay")

    (batch,) = listed.json["batches"]
    assert (batch["id"], batch["people"], batch["concluded"]) == (name, 5, 0)
    assert refused.status == 403
    assert (done.status, done.json) == (200, {"batches": 1, "state": "sending"})
    assert again.json == {"batches": 0, "state": "sending"}


async def test_the_report_names_the_revision_and_the_next_time(api: Api):
    plan = (await api.order(cron="@workdays 09:00")).json["id"]

    report = (await api.call("GET", f"broadcasts/{plan}")).json

    assert report["revision"] == 1
    assert report["next_at"] == "2026-11-25T09:00:00+08:00"
