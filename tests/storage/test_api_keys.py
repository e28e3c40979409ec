"""API keys and operators: nothing at rest lets anybody in."""

import pytest

from domain.ids import AccountId
from storage.mongo.api_keys import MongoApiKeys

CITY = AccountId("city")


async def test_a_key_is_found_by_itself_and_kept_only_as_a_digest(mongo, clock):
    keys = MongoApiKeys(mongo)

    key = await keys.create(CITY, "水务局", ("notices:write",), now=clock.now())
    found = await keys.find(key, now=clock.now())

    assert key.startswith("wz_")
    assert (found.account, found.name, found.scopes) == (CITY, "水务局", {"notices:write"})
    secret = key.split("_", 2)[2]
    assert len(secret) == 43
    assert secret not in str(await mongo["api_keys"].find_one({}))


@pytest.mark.parametrize("broken", ["", "wz", "wz__", "wz_{id}", "wz_{id}_", "wz_{id}_x", "{id}"])
async def test_anything_else_is_no_key(mongo, clock, broken: str):
    keys = MongoApiKeys(mongo)
    key = await keys.create(CITY, "a", (), now=clock.now())

    assert await keys.find(broken.format(id=key.split("_")[1]), now=clock.now()) is None


async def test_a_revoked_key_is_dead_and_not_listed(mongo, clock):
    keys = MongoApiKeys(mongo)
    key = await keys.create(CITY, "a", (), now=clock.now())
    (listed,) = await keys.list_(CITY, now=clock.now())

    assert await keys.revoke(listed.id, now=clock.now())

    assert await keys.find(key, now=clock.now()) is None
    assert await keys.list_(CITY, now=clock.now()) == []
    assert not await keys.revoke(listed.id, now=clock.now())
