"""Requests of a hostile or a broken program: each is a problem with a code, never a 500."""

import base64
import json
import logging
from typing import Any

import pytest

from domain.ids import AccountId, BroadcastId, OpenId
from storage.mongo import headcount
from tests.push.conftest import make_engine, platform  # noqa: F401  # fixtures
from tests.support.push import CITY, DATA, Engine
from tests.web.test_api import NOTICE, ORDER, Api, api, clock, engine, keys  # noqa: F401
from web.api.costly import PREVIEWS, Few
from web.api.openapi import OPERATIONS
from web.base import Problem

TAKES_JSON = ("broadcasts", "broadcasts/preview", "notices", "audiences/preview")


# --- bodies -------------------------------------------------------------------------------------


async def test_what_is_not_the_json_that_is_asked_for_is_400_or_422(api: Api):  # noqa: F811
    bodies = (
        b"\xff\xfe{}", b'{"account": "\xff"}', b'{"title": "\\ud800"}', b"NaN", b"[]", b"null",
        b'{"account": NaN}', b'{"account": "city", "account": "other"}', b"1" * 5000,
        b"[" * 100_000, b" ", b"account=city&title=x",
    )  # fmt: skip
    for path in TAKES_JSON:
        for body in bodies:
            answer = await api.call("POST", path, raw=body)

            assert answer.status in (400, 422), (path, body[:40])
            assert answer.json["code"] in ("malformed_json", "invalid_request")


async def test_a_rule_is_refused_however_deep_it_is(api: Api):  # noqa: F811
    found = []
    for depth in (7, 90, 10_000):
        rule = b'{"not":' * depth + b'{"all":true}' + b"}" * depth
        body = b'{"account": "city", "audience": {"rule": ' + rule + b"}}"
        found.append((await api.call("POST", "audiences/preview", raw=body)).json["code"])

    assert found == ["invalid_order", "invalid_order", "malformed_json"]


async def test_a_rule_is_measured_before_the_broadcasts_it_names_are_looked_up(
    api: Api,  # noqa: F811
    engine: Engine,  # noqa: F811
):
    rule = {"and": [{"or": [{"got": f"b{n}x{m}"} for n in range(100)]} for m in range(40)]}
    draft = await api.order(at="2026-12-01T09:00:00+08:00")
    order = ORDER | {"audience": {"rule": rule}}
    codes = []

    for method, path in (
        ("POST", "broadcasts"),
        ("POST", "broadcasts/preview"),
        ("PUT", f"broadcasts/{draft.json['id']}"),
    ):
        answer = await api.call(method, path, order)
        codes.append([fault["code"] for fault in answer.json["errors"]])

    assert codes == [["too_large"]] * 3


async def test_thousands_of_mistakes_are_answered_with_the_first_of_them(api: Api):  # noqa: F811
    body = b"{" + b",".join(b'"k%d":1' % number for number in range(20_000)) + b"}"

    answer = await api.call("POST", "broadcasts", raw=body)

    assert answer.status == 422
    assert len(answer.json["errors"]) == 200


async def test_five_thousand_people_can_be_named_and_not_one_more(api: Api):  # noqa: F811
    people = [f"oCit{number:024}" for number in range(5_001)]

    fits = await api.order(audience={"openids": people[:-1]})
    exceeds = await api.order(audience={"openids": people})

    assert (fits.status, exceeds.status) == (201, 422)


async def test_odd_characters_are_kept_or_refused(api: Api):  # noqa: F811
    changes: tuple[dict[str, Any], ...] = (
        {"data": DATA | {"$a.b": "x"}}, {"title": "a\0b"}, {"idempotency_key": "a\0b"},
        {"audience": {"tags": ["$where", "a\0b"]}}, {"audience": {"openids": ["a\0b", "$x", ":"]}},
        {"data": DATA | {"a\0b": "x"}}, {"data": DATA | {"reason": "x\0y"}},
        {"template": "a\0b"}, {"topic": "a\0b"}, {"url": "https://[::1"},
        {"audience": {"rule": {"tag": "a\0b"}}}, {"audience": {"rule": {"got": "a\0b"}}},
        {"audience": {"rule": {"subject": {"kind": "person", "value": "²"}}}},
        {"audience": {"regions": ["４４０３０４"]}}, {"window": "09:00-18:00\n"},
        {"cron": "@tax D-999999999999999999999 09:00"}, {"cron": "@workdays 09:00\0"},
        {"late_by_minutes": 1e400}, {"late_by_minutes": True},
    )  # fmt: skip
    statuses = [(await api.order(**change)).status for change in changes]

    assert statuses == [201] * 5 + [422] * 14


# --- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "when", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"]
)
async def test_a_time_that_no_zone_can_show_is_refused_and_spoils_no_list(
    api: Api,  # noqa: F811
    when: str,
):
    answers = [
        await api.order(at=when),
        await api.order(expires_at=when),
        await api.call("POST", "broadcasts/preview", ORDER | {"at": when}),
        await api.call("POST", "notices", NOTICE | {"expires_at": when}),
    ]
    listed = await api.call("GET", "broadcasts")

    assert [answer.json["errors"][0]["code"] for answer in answers] == ["invalid"] * 4
    assert (listed.status, listed.json["broadcasts"]) == (200, [])


# --- cursors ------------------------------------------------------------------------------------


async def test_a_forged_cursor_is_422(api: Api):  # noqa: F811
    created = (await api.order()).json["id"]
    forged = [_packed(text) for text in ("²:x", "1²:x", ":", "123:", "-5:x")]
    for cursor in (*forged, "a", "====", "ä", "A" * 20):
        for path in ("broadcasts", f"broadcasts/{created}/recipients"):
            answer = await api.call("GET", f"{path}?cursor={cursor}")

            assert (answer.status, answer.json["code"]) == (422, "invalid_input"), cursor


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# --- costly questions ---------------------------------------------------------------------------


async def test_a_count_that_takes_too_long_is_503_and_not_an_alarm(
    api: Api,  # noqa: F811
    engine: Engine,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    await engine.follow(5_000)
    monkeypatch.setattr(headcount, "COUNT_MILLISECONDS", 1)
    rule = {"and": [{"not": {"tag": f"t{number}"}} for number in range(60)]}

    previewed = await api.call(
        "POST", "audiences/preview", {"account": "city", "audience": {"rule": rule}}
    )
    ordered = await api.call("POST", "broadcasts", ORDER | {"audience": {"rule": rule}})

    assert (previewed.status, previewed.json["code"]) == (503, "too_slow")
    assert (ordered.status, ordered.json["code"]) == (503, "too_slow")
    assert await engine.database["broadcasts"].count_documents({}) == 0
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_account_looks_ahead_a_few_times_at_once(api: Api):  # noqa: F811
    question = {"account": "city", "audience": {"all": True}}

    with PREVIEWS.one_of(CITY), PREVIEWS.one_of(CITY):
        refused = [
            await api.call("POST", "audiences/preview", question),
            await api.call("POST", "broadcasts/preview", ORDER),
        ]
    after = await api.call("POST", "audiences/preview", question)

    assert [answer.status for answer in refused] == [429, 429]
    assert refused[0].headers["Retry-After"] == "1"
    assert after.status == 200


def test_one_accounts_previews_do_not_keep_another_from_its_own():
    few = Few(1)

    with few.one_of(CITY), few.one_of(AccountId("other")), pytest.raises(Problem):
        few.one_of(CITY).__enter__()


# --- what is told, and noted --------------------------------------------------------------------


async def test_one_paused_before_it_began_still_says_how_many_are_meant(
    api: Api,  # noqa: F811
    engine: Engine,  # noqa: F811
):
    await engine.follow(3)
    created = await api.order(at="2026-12-01T09:00:00+08:00")

    await api.call("POST", f"broadcasts/{created.json['id']}/pause")
    report = await api.call("GET", f"broadcasts/{created.json['id']}")

    assert report.json["state"] == "paused"
    assert report.json["counts"]["audience"] == 3


async def test_who_reads_recipients_is_noted_and_so_is_who_replays_and_resumes(
    api: Api,  # noqa: F811
    engine: Engine,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    people: list[OpenId] = await engine.follow(2)
    created = (await api.order()).json["id"]
    async with engine.working():
        await engine.finished(BroadcastId(created))
    later = (await api.order(at="2026-12-01T09:00:00+08:00")).json["id"]

    await api.call("GET", f"broadcasts/{created}/recipients")
    await api.call("POST", f"broadcasts/{later}/pause")
    await api.call("POST", f"broadcasts/{later}/replay")
    await api.call("POST", f"broadcasts/{later}/resume")

    (read,) = [record for record in caplog.records if record.msg == "audit.read"]
    assert (read.object, read.unmasked) == (f"recipients of {created}", True)
    assert read.actor.endswith(":水务局")
    acts = [
        (record.msg, record.author)
        for record in caplog.records
        if record.msg in ("broadcast.switched", "batch.replayed")
    ]
    assert [act for act, _ in acts] == [
        "broadcast.switched",
        "batch.replayed",
        "broadcast.switched",
    ]
    assert {author for _, author in acts} == {read.actor}
    assert not [record for record in caplog.records if people[0] in str(vars(record))]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_example_of_the_description_is_what_its_model_says(operation):
    operation.response.model_validate(operation.answer)
    if operation.request is not None:
        operation.request.model_validate_json(json.dumps(operation.example))
