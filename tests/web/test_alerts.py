"""CAP 1.2 documents over the departments' API."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

from storage.mongo.alerts import MongoAlertRefusals, MongoAlerts
from storage.mongo.api_keys import MongoApiKeys
from templates.environment import Renderer
from tests.push.conftest import make_engine, platform  # noqa: F401  # fixtures
from tests.push.test_trigger_alerts import make_desk
from tests.support.caps import cap, reference
from tests.support.push import CITY, Engine, FlowingClock
from tests.support.web import serving
from web.api.described_alerts import SAMPLE

CENTRE = (Path(__file__).parent.parent / "payloads" / "cap" / "centre.xml").read_bytes()
CAP = "application/cap+xml"


class Publisher:
    """A weather office's program."""

    def __init__(self, http: aiohttp.ClientSession, url: str, keys: dict[str, str]) -> None:
        self._http = http
        self.url = url
        self._keys = keys

    async def post(
        self, body: bytes | io.BytesIO, media: str = CAP, key: str = "weather"
    ) -> SimpleNamespace:
        headers = {"Authorization": f"Bearer {self._keys[key]}", "Content-Type": media}
        async with self._http.post(
            f"{self.url}/api/v1/alerts", data=body, headers=headers
        ) as answer:
            return SimpleNamespace(status=answer.status, json=await answer.json(content_type=None))

    async def get(self, path: str = "alerts", key: str = "weather") -> SimpleNamespace:
        headers = {"Authorization": f"Bearer {self._keys[key]}"}
        async with self._http.get(f"{self.url}/api/v1/{path}", headers=headers) as answer:
            return SimpleNamespace(status=answer.status, json=await answer.json(content_type=None))


@pytest.fixture
def clock() -> FlowingClock:
    return FlowingClock()


@pytest.fixture
async def engine(make_engine) -> Engine:  # noqa: F811
    return await make_engine()


@pytest.fixture
async def publisher(engine, settings, clock, http) -> AsyncIterator[Publisher]:
    for store in (MongoAlerts(engine.database), MongoAlertRefusals(engine.database)):
        await engine.database[store.collection].create_indexes(list(store.indexes))
    keys = MongoApiKeys(engine.database)
    ctx = SimpleNamespace(
        settings=settings,
        clock=clock,
        alerts=make_desk(engine),
        api_keys=keys,
        renderer=Renderer(),
    )
    made = {
        "weather": await keys.create(CITY, "气象台", ("alerts:write",), now=clock.now()),
        "water": await keys.create(CITY, "水务局", ("broadcasts:publish",), now=clock.now()),
        "other": await keys.create("both", "气象台", ("alerts:write",), now=clock.now()),
    }
    async with serving(ctx, settings.server.port) as url:
        yield Publisher(http, url, made)


# --- refused ----------------------------------------------------------------------------------


async def test_what_is_no_alert_is_a_problem_with_its_reason_and_place(publisher):
    wrong = CENTRE.replace(b"<severity>Severe", b"<severity>severe")
    answer = await publisher.post(wrong)

    assert answer.status == 422
    assert answer.json["code"] == "invalid_cap"
    [error] = answer.json["errors"]
    assert error["code"] == "bad_value"
    assert error["field"] == "alert/info/severity, line 21 column 5"
    assert "区分大小写" in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"{}", "not_xml"),
        (
            b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
            "doctype_not_allowed",
        ),
        (CENTRE[:300], "not_xml"),
        (CENTRE.replace(b"cap:1.2", b"cap:1.1"), "unsupported_version"),
    ],
)
async def test_hostile_and_broken_documents_are_refused_and_listed(publisher, body, reason):
    answer = await publisher.post(body)

    assert (answer.status, answer.json["errors"][0]["code"]) == (422, reason)
    listed = await publisher.get()
    assert [each["reason"] for each in listed.json["refusals"]] == [reason]
    assert listed.json["refusals"][0]["source"].endswith(":气象台")


async def test_a_document_that_is_too_large_is_refused(publisher):
    answer = await publisher.post(io.BytesIO(b"<a>" + b" " * 1024 * 1024 + b"</a>"))

    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert "1024 KiB" in answer.json["detail"]


@pytest.mark.parametrize("media", ["application/json", "text/plain", ""])
async def test_another_media_type_is_refused(publisher, media):
    answer = await publisher.post(CENTRE, media)

    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


async def test_a_key_without_the_scope_may_neither_post_nor_look(publisher):
    assert (await publisher.post(CENTRE, key="water")).status == 403
    assert (await publisher.get(key="water")).status == 403


# --- taken ------------------------------------------------------------------------------------


@pytest.mark.parametrize("media", [CAP, "application/xml", "text/xml; charset=utf-8"])
async def test_an_alert_becomes_a_broadcast(publisher, engine, media):
    answer = await publisher.post(CENTRE, media)

    assert answer.status == 202
    assert (answer.json["action"], answer.json["reason"]) == ("sent", "")
    broadcast = await engine.find(answer.json["broadcast"])
    assert (broadcast.priority, broadcast.state) == ("urgent", "scheduled")
    assert set(broadcast.audience.regions) == {"440304", "440303"}


async def test_the_same_document_again_is_a_duplicate_with_the_same_broadcast(publisher):
    first, again = await publisher.post(CENTRE), await publisher.post(CENTRE)

    assert (again.status, again.json["action"]) == (202, "duplicate")
    assert again.json["broadcast"] == first.json["broadcast"]
    assert again.json["id"] == first.json["id"]


async def test_the_charset_of_the_header_is_heeded(publisher):
    answer = await publisher.post(CENTRE.decode().encode("gbk"), f"{CAP}; charset=GBK")

    assert answer.json["action"] == "sent"


async def test_exercises_orphans_and_deviations_are_shown(publisher, clock):
    now = clock.now()
    exercise = await publisher.post(cap("e", now, status="Exercise", level="red"))
    orphan = await publisher.post(cap("o", now, kind="Cancel", references=reference("x", now)))
    zulu = await publisher.post(cap("z", now).replace(b"+08:00</sent>", b"Z</sent>"))

    assert (exercise.json["action"], exercise.json["reason"]) == ("ignored", "exercise")
    assert exercise.json["broadcast"] is None
    assert (orphan.json["action"], orphan.json["orphan"]) == ("orphan", True)
    assert zulu.json["warnings"] == ["time_form"]
    listed = {each["identifier"]: each for each in (await publisher.get()).json["alerts"]}
    assert (listed["e"]["mark"], listed["e"]["level"]) == ("演练", "red")
    assert listed["o"]["orphan"] is True


async def test_another_account_sees_nothing_of_it_and_has_a_desk_of_its_own(publisher):
    await publisher.post(CENTRE)

    assert (await publisher.get(key="other")).json == {"alerts": [], "refusals": []}
    assert (await publisher.post(CENTRE, key="other")).json["action"] == "sent"


async def test_the_sample_of_the_documentation_is_accepted(publisher):
    answer = await publisher.post(SAMPLE.encode())

    assert answer.status == 202
    described = (await publisher.get("openapi.json")).json["paths"]["/api/v1/alerts"]
    body = described["post"]["requestBody"]["content"]
    assert set(body) == {CAP, "application/xml", "text/xml"}
    assert body[CAP]["example"] == SAMPLE
    async with publisher._http.get(f"{publisher.url}/api/v1/docs") as page:
        text = await page.text()
    assert "relayAlert" in text
    assert "urn:oasis:names:tc:emergency:cap:1.2" in text
