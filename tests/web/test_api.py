"""The departments' API over real HTTP (`contract.md` 4)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from config.settings import Settings
from domain.ids import AccountId, BroadcastId
from domain.people import Subscription
from storage.mongo.api_keys import MongoApiKeys
from subscriptions.bindings import BindingService
from templates.environment import Renderer
from tests.push.conftest import make_engine, platform  # noqa: F401  # fixtures
from tests.support.clock import FakeClock
from tests.support.push import CITY, DATA, Engine, FlowingClock
from tests.support.web import serving

ORDER = {
    "account": "city",
    "title": "停水通知",
    "topic": "outage.water",
    "audience": {"topics": ["outage.water"]},
    "template": "outage_notice",
    "data": DATA,
}
NOTICE = {
    "account": "city",
    "topic": "traffic.violation",
    "subject": {"kind": "vehicle", "value": "粤B12345", "plate_type": "02"},
    "template": "violation_notice",
    "data": {
        "time": "2026-11-24 08:12",
        "place": "深南大道香蜜湖路口",
        "act": "违反禁止标线指示",
        "fine": "200元",
    },
    "event_id": "e-1",
}


@dataclass
class Api:
    """A department's program."""

    http: aiohttp.ClientSession
    url: str
    key: str

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, raw: bytes = b""
    ) -> SimpleNamespace:
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        async with self.http.request(
            method,
            f"{self.url}/api/v1/{path}",
            json=body if not raw else None,
            data=raw or None,
            headers=headers,
        ) as answer:
            return SimpleNamespace(
                status=answer.status,
                json=await answer.json(content_type=None),
                headers=answer.headers,
            )

    async def order(self, **changes: Any) -> SimpleNamespace:
        return await self.call("POST", "broadcasts", ORDER | changes)


@pytest.fixture
def clock() -> FlowingClock:
    return FlowingClock()


@pytest.fixture
async def engine(make_engine) -> Engine:  # noqa: F811
    return await make_engine()


@pytest.fixture
async def keys(engine: Engine) -> MongoApiKeys:
    return MongoApiKeys(engine.database)


@pytest.fixture
async def api(
    engine: Engine,
    keys: MongoApiKeys,
    settings: Settings,
    clock: FakeClock,
    http: aiohttp.ClientSession,
) -> AsyncIterator[Api]:
    ctx = SimpleNamespace(
        settings=settings,
        broadcasts=engine.broadcasts,
        editing=engine.editing,
        audiences=engine.audiences,
        catalogue=engine.catalogue,
        resends=engine.resends,
        lists=engine.lists,
        dead=engine.dead,
        notices=engine.notices,
        previews=engine.previews,
        trials=engine.trials,
        api_keys=keys,
        clock=engine.clock,
        renderer=Renderer(),
    )
    scopes = ("broadcasts:write", "broadcasts:publish", "notices:write")
    key = await keys.create(CITY, "水务局", scopes, now=clock.now())
    async with serving(ctx, settings.server.port) as url:
        yield Api(http, url, key)


# --- orders -----------------------------------------------------------------------------------


async def test_a_key_that_may_publish_schedules_and_the_report_has_the_promised_shape(api: Api):
    created = await api.order()

    assert created.status == 201
    assert created.json == {"id": created.json["id"], "state": "scheduled"}
    report = await api.call("GET", f"broadcasts/{created.json['id']}")
    assert report.status == 200
    assert report.json["counts"] == {
        "audience": 0, "sent": 0, "delivered": 0, "failed": 0, "skipped": 0, "unknown": 0,
    }  # fmt: skip
    assert report.json["started_at"] is None


async def test_a_key_that_may_only_write_makes_a_draft_in_review(
    api: Api, keys: MongoApiKeys, clock: FlowingClock
):
    key = await keys.create(CITY, "街道办", ("broadcasts:write",), now=clock.now())

    created = await api.call("POST", "broadcasts", ORDER, key=key)
    paused = await api.call("POST", f"broadcasts/{created.json['id']}/pause", key=key)

    assert (created.status, created.json["state"]) == (201, "in_review")
    assert (paused.status, paused.json["code"]) == (403, "insufficient_scope")


async def test_a_mapped_field_without_data_is_named(api: Api):
    data = {name: value for name, value in DATA.items() if name != "reason"}

    answer = await api.order(data=data)

    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["errors"] == [
        {
            "field": "data.reason",
            "code": "missing_field",
            "message": "模板 outage_notice 需要 data.reason（thing4），请求中没有",
        }
    ]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"data": DATA | {"start": "明天上午"}}, "data.start", "invalid_field"),
        ({"data": DATA | {"area": "字" * 21}}, "data.area", "invalid_field"),
        ({"data": DATA | {"area": "a\nb"}}, "data.area", "invalid_field"),
        ({"data": DATA | {"area": 7}}, "data.area", "invalid"),
        ({"audience": {}}, "audience", "empty_audience"),
        ({"audience": {"topics": ["no.such"]}}, "audience.topics.0", "unknown_topic"),
        ({"audience": {"regions": ["深圳"]}}, "audience.regions.0", "unknown_region"),
        ({"audience": {"topic": ["outage.water"]}}, "audience.topic", "unknown_field"),
        ({"topic": "no.such"}, "topic", "unknown_topic"),
        ({"template": "no_such"}, "template", "unknown_template"),
        ({"at": "2026-12-01T09:00:00"}, "at", "invalid"),
        ({"at": 1764550800}, "at", "invalid"),
        ({"cron": "61 9 * * *"}, "cron", "invalid_cron"),
        ({"cron": "0 9 30 2 *"}, "cron", "invalid_cron"),
        ({"expires_at": "2020-01-01T00:00:00+08:00"}, "expires_at", "expired"),
        ({"url": "javascript:alert(1)"}, "url", "invalid_url"),
        ({"priority": "high"}, "priority", "invalid"),
        ({"title": ""}, "title", "invalid"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
async def test_what_is_wrong_is_refused_and_named(
    api: Api, changes: dict[str, Any], field: str, code: str
):
    answer = await api.order(**changes)

    assert answer.status == 422
    assert (field, code) in [(error["field"], error["code"]) for error in answer.json["errors"]]


async def test_data_the_template_does_not_map_is_ignored(api: Api):
    assert (await api.order(data=DATA | {"surplus": "x" * 100})).status == 201


async def test_a_time_that_is_past_runs_at_once(api: Api, engine: Engine):
    created = await api.order(at="2020-01-01T00:00:00+08:00")

    await engine.plan()

    assert await engine.state(BroadcastId(created.json["id"])) == "sending"


# --- repeats ----------------------------------------------------------------------------------


async def test_the_same_idempotency_key_and_order_give_the_same_answer(api: Api, engine: Engine):
    first = await api.order(idempotency_key="k-1")
    await engine.plan()  # it moves on in between
    again = await api.order(idempotency_key="k-1")

    assert (again.status, again.json) == (201, first.json)


async def test_the_key_of_a_triggers_push_cannot_be_taken(api: Api):
    answer = await api.order(idempotency_key="trigger:alert:0123:1:red")

    assert answer.status == 422
    [fault] = answer.json["errors"]
    assert (fault["field"], "trigger:" in fault["message"]) == ("idempotency_key", True)


async def test_the_same_idempotency_key_with_another_order_is_a_conflict(api: Api):
    await api.order(idempotency_key="k-1")

    answer = await api.order(idempotency_key="k-1", title="别的")

    assert (answer.status, answer.json["code"]) == (409, "idempotency_conflict")


# --- keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "wz_", "wz_000000000000_wrong", "wz_键_x", "other"])
async def test_no_valid_key_is_401_with_a_challenge(api: Api, key: str):
    headers = {"Authorization": f"Bearer {key}".encode().decode("latin-1")}
    async with api.http.post(f"{api.url}/api/v1/broadcasts", json=ORDER, headers=headers) as got:
        assert got.status == 401
        assert got.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await got.json(content_type=None))["code"] in ("missing_key", "invalid_key")


async def test_a_revoked_key_is_refused(api: Api, keys: MongoApiKeys, clock: FlowingClock):
    (key,) = await keys.list_(CITY, now=clock.now())
    await keys.revoke(key.id, now=clock.now())

    assert (await api.order()).status == 401


async def test_another_accounts_broadcasts_do_not_exist_for_a_key(
    api: Api, keys: MongoApiKeys, clock: FlowingClock
):
    created = await api.order()
    scopes = ("broadcasts:write", "broadcasts:publish")
    stranger = await keys.create(AccountId("plain"), "别处", scopes, now=clock.now())

    theirs = await api.call("GET", f"broadcasts/{created.json['id']}", key=stranger)
    nobodys = await api.call("GET", "broadcasts/bc_none", key=stranger)
    as_city = await api.call("POST", "broadcasts", ORDER, key=stranger)
    as_none = await api.call("POST", "broadcasts", ORDER | {"account": "none"}, key=stranger)

    assert (theirs.status, theirs.json) == (404, nobodys.json)
    assert (as_city.status, as_city.json) == (403, as_none.json)


# --- switches ---------------------------------------------------------------------------------


async def test_pause_resume_and_cancel_answer_the_new_state(api: Api):
    broadcast = (await api.order()).json["id"]

    states = []
    for verb in ("pause", "resume", "cancel"):
        answer = await api.call("POST", f"broadcasts/{broadcast}/{verb}")
        states.append((answer.status, answer.json["state"]))
    after = await api.call("POST", f"broadcasts/{broadcast}/resume")

    assert states == [(200, "paused"), (200, "scheduled"), (200, "cancelled")]
    assert (after.status, after.json["code"]) == (409, "wrong_state")


async def test_an_unknown_broadcast_is_404(api: Api):
    answer = await api.call("POST", "broadcasts/bc_nothing/pause")

    assert (answer.status, answer.json["code"]) == (404, "not_found")


# --- notices ----------------------------------------------------------------------------------


async def test_a_notice_finds_whoever_bound_the_plate_once_per_event(
    api: Api, engine: Engine, clock: FlowingClock
):
    bindings = BindingService(engine.people, clock)
    (openid,) = await engine.follow(1)
    await bindings.bind_vehicle(CITY, openid, "粤B12345", "02", "1234")
    await engine.subscriptions.subscribe(
        CITY, openid, Subscription(topic="traffic.violation", subject="vehicle")
    )
    spelt = {"kind": "vehicle", "value": "粤b 12345", "plate_type": "02"}

    first = await api.call("POST", "notices", NOTICE | {"subject": spelt})
    again = await api.call("POST", "notices", NOTICE)
    other = await api.call(
        "POST", "notices", NOTICE | {"event_id": "e-2", "subject": spelt | {"value": "粤B99999"}}
    )

    assert (first.status, first.json) == (202, {"matched": 1})
    assert (again.status, again.json) == (202, {"matched": 1})
    assert other.json == {"matched": 0}


async def test_a_subject_that_is_no_plate_is_named(api: Api):
    answer = await api.call(
        "POST", "notices", NOTICE | {"subject": {"kind": "vehicle", "value": "12345"}}
    )

    assert answer.status == 422
    assert answer.json["errors"][0]["field"] == "subject"


# --- limits and descriptions ------------------------------------------------------------------


async def test_a_body_over_256_kib_is_413_and_not_json_is_400(api: Api):
    large = await api.call("POST", "broadcasts", raw=b" " * (256 * 1024 + 1))
    broken = await api.call("POST", "broadcasts", raw=b'{"account": ')

    assert (large.status, large.json["code"]) == (413, "body_too_large")
    assert (broken.status, broken.json["code"]) == (400, "malformed_json")


async def test_other_methods_are_405_as_a_problem(api: Api):
    answer = await api.call("DELETE", "broadcasts")

    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")


async def test_openapi_describes_every_route_and_refers_to_nothing_missing(api: Api):
    described = (await api.call("GET", "openapi.json")).json

    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {
        "/api/v1/alerts",
        "/api/v1/audiences/preview",
        "/api/v1/broadcasts",
        "/api/v1/broadcasts/{id}",
        "/api/v1/broadcasts/{id}/pause",
        "/api/v1/broadcasts/{id}/resume",
        "/api/v1/broadcasts/{id}/cancel",
        "/api/v1/broadcasts/{id}/recipients",
        "/api/v1/broadcasts/{id}/resend",
        "/api/v1/broadcasts/{id}/dead",
        "/api/v1/broadcasts/{id}/replay",
        "/api/v1/broadcasts/{id}/test",
        "/api/v1/broadcasts/preview",
        "/api/v1/notices",
        "/api/v1/subscribers/{openid}/history",
    }
    for reference in _references(described):
        assert reference.rsplit("/", 1)[-1] in described["components"]["schemas"]


async def test_every_example_in_the_description_is_accepted(api: Api, clock: FlowingClock):
    described = (await api.call("GET", "openapi.json")).json
    statuses = []

    for path in ("/api/v1/broadcasts", "/api/v1/notices"):
        content = described["paths"][path]["post"]["requestBody"]["content"]
        example = content["application/json"]["example"]
        statuses.append((await api.call("POST", path.removeprefix("/api/v1/"), example)).status)

    assert statuses == [201, 202]


async def test_the_docs_page_names_every_field_and_runs_no_script(api: Api):
    async with api.http.get(f"{api.url}/api/v1/docs") as answer:
        page = await answer.text()

    assert answer.status == 200
    assert "<script" not in page
    for name in ("audience.regions", "idempotency_key", "subject.plate_type", "event_id"):
        assert f"<code>{name}</code>" in page


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for value in part.values() for found in _references(value)]
    if isinstance(part, list):
        return [found for value in part for found in _references(value)]
    return []
