"""Operators: nothing at rest lets anybody in, and the rules about grants hold in storage too."""

import asyncio

import pytest
from argon2 import PasswordHasher

from domain.errors import InvalidInput, NotAllowed
from storage.mongo.hashing import PasswordHashes
from storage.mongo.operators import ONE_TIME, MongoOperators

EDITOR = {"city": frozenset({"editor"})}
SECURITY = {"*": frozenset({"security_admin"})}
PASSWORD = "correct-horse-1"


@pytest.fixture
async def operators(mongo) -> MongoOperators:
    await mongo[MongoOperators.collection].create_indexes(list(MongoOperators.indexes))
    return MongoOperators(mongo, PasswordHashes(PasswordHasher(1, 64, 1)))


async def test_an_operator_signs_in_with_the_right_password_only(operators, mongo, clock):
    await operators.create("王芳", EDITOR, PASSWORD, now=clock.now())

    right = await operators.find_by_password("王芳", PASSWORD)
    wrong = await operators.find_by_password("王芳", "correct-horse-2")
    nobody = await operators.find_by_password("李雷", PASSWORD)
    large = await operators.find_by_password("王芳", "x" * 1_000_000)

    assert (right.name, right.grants) == ("王芳", EDITOR)
    assert (wrong, nobody, large) == (None, None, None)
    stored = await mongo["operators"].find_one({})
    assert stored["password"].startswith("$argon2id$")


async def test_a_password_hashed_weakly_is_hashed_anew_when_it_is_next_used(mongo, clock):
    old = MongoOperators(mongo, PasswordHashes(PasswordHasher(1, 64, 1)))
    await old.create("王芳", EDITOR, PASSWORD, now=clock.now())
    stronger = MongoOperators(mongo, PasswordHashes(PasswordHasher(2, 128, 1)))

    assert await stronger.find_by_password("王芳", PASSWORD)

    stored = await mongo["operators"].find_one({})
    assert "m=128,t=2" in stored["password"]
    assert await stronger.find_by_password("王芳", PASSWORD)


@pytest.mark.parametrize(
    ("name", "grants", "password", "field"),
    [
        ("", EDITOR, PASSWORD, "name"),
        ("王" * 41, EDITOR, PASSWORD, "name"),
        ("王\u202e芳", EDITOR, PASSWORD, "name"),
        ("王芳", {"city": frozenset({"king"})}, PASSWORD, "role"),
        ("王芳", EDITOR, "short", "password"),
        ("王芳", EDITOR, "aaaaaaaaaaaa", "password"),
        ("王芳", EDITOR, "0123456789:;", "password"),
        ("王芳", EDITOR, "王芳-2026-abc", "password"),
        ("王芳", EDITOR, "x1y2" * 40, "password"),
        ("王芳", EDITOR, "correct\x00horse", "password"),
        ("王芳", {"*": frozenset({"auditor", "editor"})}, PASSWORD, "role"),
        ("王芳", {"*": frozenset({"auditor"}), **EDITOR}, PASSWORD, "role"),
        ("王芳", {"city": frozenset({"system_admin"})}, PASSWORD, "account"),
        ("王芳", {"*": frozenset({"system_admin", "security_admin"})}, PASSWORD, "role"),
    ],
)
async def test_an_operator_needs_a_name_roles_that_go_together_and_a_real_password(
    operators, clock, name, grants, password, field
):
    with pytest.raises(InvalidInput) as refused:
        await operators.create(name, grants, password, now=clock.now())

    assert refused.value.field == field


async def test_two_operators_cannot_have_one_name_or_one_identity(operators, clock):
    first = await operators.create("王芳", EDITOR, PASSWORD, now=clock.now())
    second = await operators.create("李雷", EDITOR, PASSWORD, now=clock.now())
    await operators.set_single_sign_on_id(first, "wf@city")

    with pytest.raises(InvalidInput):
        await operators.create(" 王芳 ", EDITOR, PASSWORD, now=clock.now())
    with pytest.raises(InvalidInput):
        await operators.set_single_sign_on_id(second, "wf@city")
    assert (await operators.find_by_single_sign_on("wf@city")).id == first


async def test_a_one_time_password_ages_and_asks_to_be_changed(operators, clock):
    operator = await operators.create("王芳", EDITOR, PASSWORD, now=clock.now(), one_time=True)

    first = await operators.find_by_password("王芳", PASSWORD)
    await operators.set_password(operator, "another-horse-2", now=clock.now())
    own = await operators.find_by_password("王芳", "another-horse-2")

    assert first.password_until == clock.now() + ONE_TIME
    assert own.password_until is None


async def test_nobody_changes_their_own_grants_or_disables_themselves(operators, clock):
    one = await operators.create("钱安全", SECURITY, PASSWORD, now=clock.now())

    with pytest.raises(NotAllowed):
        await operators.set_grants(one, EDITOR, by=one)
    with pytest.raises(NotAllowed):
        await operators.disable(one, by=one, now=clock.now())


async def test_the_last_security_admin_stays_even_when_two_remove_each_other(operators, clock):
    one = await operators.create("钱安全", SECURITY, PASSWORD, now=clock.now())
    two = await operators.create("周安全", SECURITY, PASSWORD, now=clock.now())

    done = await asyncio.gather(
        operators.set_grants(one, EDITOR, by=two),
        operators.set_grants(two, EDITOR, by=one),
        operators.disable(one, by=two, now=clock.now()),
        operators.disable(two, by=one, now=clock.now()),
        return_exceptions=True,
    )

    refused = [each for each in done if isinstance(each, BaseException)]
    assert all(isinstance(each, NotAllowed) for each in refused)
    left = [each for each in await operators.list_() if each.grants == SECURITY]
    assert len(left) == 1


async def test_who_is_disabled_cannot_sign_in_until_enabled(operators, clock):
    one = await operators.create("王芳", EDITOR, PASSWORD, now=clock.now())

    await operators.disable(one, by="op_other", now=clock.now())
    away = await operators.find_by_password("王芳", PASSWORD)
    listed = [each.name for each in await operators.list_(disabled=True)]
    await operators.enable(one)

    assert away is None
    assert listed == ["王芳"]
    assert await operators.find_by_password("王芳", PASSWORD)


async def test_the_one_role_of_an_older_version_still_counts_everywhere(operators, mongo, clock):
    await mongo["operators"].insert_one(
        {
            "_id": "op_old",
            "name": "旧",
            "role": "auditor",
            "password": "",
            "created_at": clock.now(),
        }
    )

    assert (await operators.find("op_old")).grants == {"*": {"auditor"}}
