"""Rules and their preview over real HTTP."""

# ruff: noqa: F811 - fixtures are imported by name

import pytest

from domain.audience import AllOf, Bound, Not, OnTopic, Tagged
from domain.ids import AccountId, BroadcastId, OpenId
from domain.people import Subject
from tests.push.conftest import make_engine, platform  # noqa: F401  # fixtures
from tests.support.push import CITY, WATER, Engine
from tests.web.test_api import ORDER, Api, api, clock, engine, keys  # noqa: F401  # fixtures
from web.api.openapi import fields_of

FOLLOWERS_BUT_STAFF = {"and": [{"topic": "outage.water"}, {"not": {"tag": "staff"}}]}


def preview(rule: object, **more: object) -> dict[str, object]:
    return {"account": "city", "audience": {"rule": rule, **more}}


async def test_a_preview_counts_masks_and_names_the_index(api: Api, engine: Engine):
    await engine.follow(3)
    await engine.add_people([OpenId("oSomebodyElse")], topic="fuel.price")

    answer = await api.call("POST", "audiences/preview", preview(FOLLOWERS_BUT_STAFF))

    assert answer.status == 200
    assert answer.json["count"] == 3
    assert answer.json["sample"] == ["o000…"] * 3
    assert answer.json["index"] == "faces"
    assert answer.json["examined"] == 4
    assert answer.json["milliseconds"] >= 0


async def test_a_preview_of_nobody_has_no_sample(api: Api):
    answer = await api.call("POST", "audiences/preview", preview({"tag": "nobody"}))

    assert (answer.status, answer.json["count"], answer.json["sample"]) == (200, 0, [])


async def test_a_preview_needs_the_scope_and_the_account(api: Api, keys, clock):
    reader = await keys.create(CITY, "查询", ("notices:write",), now=clock.now())
    stranger = await keys.create(AccountId("plain"), "外人", ("broadcasts:write",), now=clock.now())

    body = preview(FOLLOWERS_BUT_STAFF)
    for key in (reader, stranger):
        assert (await api.call("POST", "audiences/preview", body, key=key)).status == 403


@pytest.mark.parametrize(
    ("rule", "field", "code"),
    [
        ({}, "audience.rule", "invalid"),
        ({"tag": "a", "topic": "outage.water"}, "audience.rule", "invalid"),
        ({"tag": None}, "audience.rule", "invalid"),
        ({"tags": ["a"]}, "audience.rule.tags", "unknown_field"),
        ({"and": []}, "audience.rule.and", "invalid"),
        ({"and": [{"tag": "a"}, {"not": {"tag": 1}}]}, "audience.rule.and.1.not.tag", "invalid"),
        ({"tag": "a b"}, "audience.rule.tag", "invalid_tag"),
        ({"or": [{"topic": "lottery"}]}, "audience.rule.or.0.topic", "unknown_topic"),
        ({"topic": "outage.water", "region": "x"}, "audience.rule.region", "unknown_region"),
        ({"region": "44"}, "audience.rule.region", "unknown_region"),
        ({"followed": {}}, "audience.rule.followed", "empty_span"),
        ({"followed": {"since": "soon"}}, "audience.rule.followed.since", "invalid"),
        ({"active": {"since": "2026-11-01T08:00:00"}}, "audience.rule.active.since", "invalid"),
        ({"active": {"since": "1999-01-01"}}, "audience.rule.active.since", "invalid_day"),
        (
            {"active": {"since": "2026-11-02", "until": "2026-11-02"}},
            "audience.rule.active.until",
            "empty_span",
        ),
        (
            {"not": {"subject": {"kind": "vehicle", "value": "not a plate"}}},
            "audience.rule.not.subject.value",
            "invalid_subject",
        ),
        ({"not": {"got": "bc_none"}}, "audience.rule.not.got", "unknown_broadcast"),
        ({"got": "$where"}, "audience.rule.got", "unknown_broadcast"),
        (
            {"not": {"not": {"not": {"not": {"not": {"not": {"tag": "a"}}}}}}},
            "audience.rule",
            "too_deep",
        ),
        ({"or": [{"tag": "a"}] * 200}, "audience.rule", "too_large"),
    ],
)
async def test_a_wrong_rule_is_told_with_its_place(api: Api, rule: object, field: str, code: str):
    tried = await api.call("POST", "audiences/preview", preview(rule))
    ordered = await api.order(audience={"rule": rule})

    for answer in (tried, ordered):
        assert answer.status == 422, answer.json
        assert (field, code) in {(e["field"], e["code"]) for e in answer.json["errors"]}


async def test_a_broadcast_of_another_account_cannot_be_asked_about(
    api: Api, engine: Engine, keys, clock
):
    theirs = BroadcastId((await api.order()).json["id"])
    stranger = await keys.create(AccountId("plain"), "外人", ("broadcasts:write",), now=clock.now())
    body = preview({"got": theirs}) | {"account": "plain"}

    answer = await api.call("POST", "audiences/preview", body, key=stranger)

    assert answer.status == 422
    assert answer.json["errors"][0]["code"] == "unknown_broadcast"


async def test_a_rule_is_kept_with_its_broadcast_and_a_plate_as_its_hash(api: Api, engine: Engine):
    rule = {
        "and": [
            FOLLOWERS_BUT_STAFF,
            {"subject": {"kind": "vehicle", "value": "粤b 12345", "plate_type": "02"}},
        ]
    }

    created = await api.order(audience={"rule": rule}, idempotency_key="k")
    again = await api.order(audience={"rule": rule}, idempotency_key="k")
    other = await api.order(audience={"rule": {"tag": "elder"}}, idempotency_key="k")

    car = Subject(kind="vehicle", value="粤B12345", plate_type="02")
    digest = engine.audiences._store.digest_of(car)
    found = await engine.find(BroadcastId(created.json["id"]))
    assert found.audience.rule == AllOf(
        (
            AllOf((OnTopic(WATER), Not(Tagged("staff")))),
            Bound("vehicle", digest=digest),
        )
    )
    assert again.json == created.json
    assert other.status == 409
    raw = await engine.database["broadcasts"].find_one({"_id": created.json["id"]})
    assert "12345" not in str(raw["audience"])


async def test_the_preview_of_an_order_takes_a_rule_with_a_plate(api: Api, engine: Engine):
    await engine.follow(2)
    car = {"subject": {"kind": "vehicle", "value": "粤B12345", "plate_type": "02"}}
    rule = {"and": [{"topic": "outage.water"}, {"not": car}]}

    answer = await api.call("POST", "broadcasts/preview", ORDER | {"audience": {"rule": rule}})

    assert (answer.status, answer.json["audience"]) == (200, 2)


async def test_an_edit_may_bring_a_rule(api: Api, engine: Engine, keys, clock):
    writer = await keys.create(CITY, "办公室", ("broadcasts:write",), now=clock.now())
    draft = await api.call("POST", "broadcasts", ORDER, key=writer)
    changed = ORDER | {"audience": {"rule": {"subject": {"kind": "person"}}}}

    edited = await api.call("PUT", f"broadcasts/{draft.json['id']}", changed, key=writer)
    wrong = ORDER | {"audience": {"rule": {"got": "bc_none"}}}
    refused = await api.call("PUT", f"broadcasts/{draft.json['id']}", wrong, key=writer)

    assert (edited.status, edited.json["revision"]) == (200, 2)
    assert (await engine.find(draft.json["id"])).audience.rule == Bound("person")
    assert refused.json["errors"][0]["field"] == "audience.rule.got"


async def test_the_rule_is_described(api: Api):
    described = (await api.call("GET", "openapi.json")).json

    schemas = described["components"]["schemas"]
    assert set(schemas["RuleModel"]["properties"]) >= {"and", "or", "not", "topic", "got"}
    assert "/api/v1/audiences/preview" in described["paths"]
    rows = {row["name"] for row in fields_of("AudiencePreviewRequest")}
    assert rows >= {"audience.rule.and", "audience.rule.not", "audience.rule.followed.since"}
