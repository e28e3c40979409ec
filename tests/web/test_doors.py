"""Every operation that the API describes is shut to strangers, whatever is added to it."""

from domain.access import SCOPES
from domain.ids import AccountId
from tests.push.conftest import make_engine, platform  # noqa: F401  # fixtures
from tests.support.push import CITY, Engine, FlowingClock
from tests.web.test_api import Api, api, clock, engine, keys  # noqa: F401
from web.api.openapi import OPERATIONS

OTHER = AccountId("district")
NOBODYS = "bc_000000000000000000000000"


def _path(path: str, broadcast: str) -> str:
    return path.removeprefix("/api/v1/").format(id=broadcast, openid="oCit0001")


async def test_without_a_key_or_its_scope_nothing_is_done(api: Api, keys, clock: FlowingClock):  # noqa: F811
    for operation in OPERATIONS:
        others = tuple(scope for scope in SCOPES if scope not in operation.scopes)
        weak = await keys.create(CITY, "另一系统", others, now=clock.now())
        path = _path(operation.path, NOBODYS)

        stranger = await api.call(operation.method, path, operation.example, key="wz_none")
        refused = await api.call(operation.method, path, operation.example, key=weak)

        assert (stranger.status, stranger.json["code"]) == (401, "invalid_key"), operation.id
        assert (refused.status, refused.json["code"]) == (403, "insufficient_scope"), operation.id


async def test_another_accounts_broadcast_is_as_unknown_as_none(
    api: Api,  # noqa: F811
    engine: Engine,  # noqa: F811
    keys,  # noqa: F811
    clock: FlowingClock,  # noqa: F811
):
    theirs = (await api.order(at="2026-12-01T09:00:00+08:00")).json["id"]
    key = await keys.create(OTHER, "邻区", SCOPES, now=clock.now())
    before = await engine.find(theirs)
    asked = [each for each in OPERATIONS if "{id}" in each.path and each.method != "put"]

    for operation in asked:
        answers = [
            await api.call(
                operation.method, _path(operation.path, broadcast), operation.example, key=key
            )
            for broadcast in (theirs, NOBODYS)
        ]

        assert [answer.status for answer in answers] == [404, 404], operation.id
        assert answers[0].json == answers[1].json
    assert len(asked) >= 8
    assert await engine.find(theirs) == before
