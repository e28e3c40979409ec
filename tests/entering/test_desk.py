"""The operators' desk: two people are needed to make a third, and nobody serves themselves."""

import pytest

from console.desk import Doer
from domain.errors import InvalidInput, NotAllowed, NotFound
from tests.support.people import EDITOR, PASSWORD, SECURITY, SYSTEM, phone_code


@pytest.fixture
async def system(operators, clock) -> Doer:
    operator_id = await operators.create("赵系统", SYSTEM, PASSWORD, now=clock.now())
    return Doer(await operators.get(operator_id), "198.51.100.7")


@pytest.fixture
async def security(operators, clock) -> Doer:
    operator_id = await operators.create("钱安全", SECURITY, PASSWORD, now=clock.now())
    return Doer(await operators.get(operator_id), "198.51.100.8")


async def test_a_new_operator_may_do_nothing_until_somebody_else_grants(
    desk, operators, system, security, trail
):
    wang, password = await desk.create("王芳", system)
    assert wang.grants == {}
    assert (await operators.find_by_password("王芳", password)).password_until

    await desk.grant(wang.id, EDITOR, security)

    assert (await desk.get(wang.id)).grants == EDITOR
    said = [(entry.action, entry.outcome, entry.actor_name) async for entry in trail.chain()]
    assert said == [
        ("operator.create", "intended", "赵系统"),
        ("operator.create", "done", "赵系统"),
        ("operator.grant", "intended", "钱安全"),
        ("operator.grant", "done", "钱安全"),
    ]
    assert password not in str([entry async for entry in trail.chain()])


async def test_what_is_refused_stands_in_the_audit_chain_too(desk, security, trail):
    with pytest.raises(NotAllowed):
        await desk.grant(security.who.id, SYSTEM, security)

    said = [(entry.action, entry.outcome) async for entry in trail.chain()]
    assert said == [("operator.grant", "intended"), ("operator.grant", "refused")]


async def test_nobody_helps_themselves(desk, system, security):
    for act in (
        desk.give_password(system.who.id, system),
        desk.disable(system.who.id, system),
        desk.enable(system.who.id, system),
        desk.reset_second_factor(security.who.id, security),
        desk.grant(security.who.id, EDITOR, security),
    ):
        with pytest.raises(NotAllowed):
            await act


async def test_roles_in_an_account_that_is_not_there_are_refused(desk, security, operators, clock):
    wang = await operators.create("王芳", {}, PASSWORD, now=clock.now())

    with pytest.raises(InvalidInput) as refused:
        await desk.grant(wang, {"town": frozenset({"editor"})}, security)

    assert refused.value.field == "account"


async def test_what_takes_something_away_signs_the_person_out(
    desk, sessions, operators, factors, system, security, clock
):
    wang, _ = await desk.create("王芳", system)

    async def is_signed_in_after(act) -> bool:
        token, _ = await sessions.open(await desk.get(wang.id), remote="", agent="")
        assert await sessions.find(token)
        await act
        return await sessions.find(token) is not None

    offered = await factors.offer(wang.id, wang.name, to="t")
    await factors.confirm(wang.id, phone_code(offered.secret, clock), to="t")
    assert not await is_signed_in_after(desk.reset_second_factor(wang.id, security))
    assert await factors.state(wang.id) is None
    assert not await is_signed_in_after(desk.give_password(wang.id, system))
    assert not await is_signed_in_after(desk.disable(wang.id, system))
    await desk.enable(wang.id, system)
    assert (await desk.get(wang.id)).disabled_at is None


async def test_an_identity_of_the_provider_belongs_to_one_person(desk, system, operators):
    wang, _ = await desk.create("王芳", system)
    lei, _ = await desk.create("李雷", system)
    await desk.set_identity(wang.id, " wf@city ", system)

    with pytest.raises(InvalidInput):
        await desk.set_identity(lei.id, "wf@city", system)
    with pytest.raises(InvalidInput):
        await desk.set_identity(lei.id, "x" * 201, system)
    await desk.set_identity(wang.id, "", system)

    assert await operators.find_by_single_sign_on("wf@city") is None


async def test_somebody_who_is_not_there_is_not_found(desk, security, system):
    for act in (
        desk.disable("op_none", system),
        desk.grant("op_none", EDITOR, security),
        desk.give_password("op_none", system),
        desk.reset_second_factor("op_none", security),
    ):
        with pytest.raises(NotFound):
            await act
