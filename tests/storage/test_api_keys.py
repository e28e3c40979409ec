"""API keys and operators: nothing at rest lets anybody in."""

import pytest

from domain.access import EVERYWHERE
from domain.errors import InvalidInput
from domain.ids import AccountId
from storage.mongo.api_keys import MongoApiKeys
from storage.mongo.operators import MongoOperators

CITY = AccountId("city")
EDITOR = {EVERYWHERE: frozenset({"editor"})}


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


async def test_an_operator_signs_in_with_the_right_password_only(mongo, clock):
    operators = MongoOperators(mongo)
    await operators.create("王芳", EDITOR, "correct-horse-1", now=clock.now())

    right = await operators.find_by_password("王芳", "correct-horse-1")
    wrong = await operators.find_by_password("王芳", "correct-horse-2")
    nobody = await operators.find_by_password("李雷", "correct-horse-1")

    assert (right.name, right.grants) == ("王芳", EDITOR)
    assert (wrong, nobody) == (None, None)
    stored = await mongo["operators"].find_one({})
    assert stored["password"].startswith("$argon2id$")


@pytest.mark.parametrize(
    ("name", "role", "password", "field"),
    [
        ("", "editor", "correct-horse-1", "name"),
        ("王芳", "king", "correct-horse-1", "role"),
        ("王芳", "editor", "short", "password"),
        ("王芳", "editor", "aaaaaaaaaaaa", "password"),
    ],
)
async def test_an_operator_needs_a_name_a_known_role_and_a_real_password(
    mongo, clock, name: str, role, password: str, field: str
):
    grants = {EVERYWHERE: frozenset({role})}

    with pytest.raises(InvalidInput) as refused:
        await MongoOperators(mongo).create(name, grants, password, now=clock.now())

    assert refused.value.field == field


async def test_two_operators_cannot_have_one_name(mongo, clock):
    operators = MongoOperators(mongo)
    await mongo[operators.collection].create_indexes(list(operators.indexes))
    await operators.create("王芳", EDITOR, "correct-horse-1", now=clock.now())

    with pytest.raises(InvalidInput):
        await operators.create(" 王芳 ", EDITOR, "correct-horse-1", now=clock.now())


async def test_an_operator_from_before_there_were_grants_keeps_their_role(mongo, clock):
    operators = MongoOperators(mongo)
    name = await operators.create("王芳", EDITOR, "correct-horse-1", now=clock.now())
    await mongo["operators"].update_one({}, {"$unset": {"grants": 1}, "$set": {"role": "auditor"}})

    found = await operators.find(name)

    assert found is not None
    assert found.grants == {EVERYWHERE: frozenset({"auditor"})}
