"""Coming in: each way to a session, and the many that lead nowhere."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from console.entry import WRONG_CODES, Entrance, EntryOver
from console.lockout import Locked
from domain.audit import Wanted
from domain.errors import InvalidInput
from storage.mongo.operators import ONE_TIME
from tests.support.people import EDITOR, HERE, PASSWORD, phone_code


@pytest.fixture
async def wang(operators, clock) -> str:
    """Somebody with a password of their own and no second factor."""
    return await operators.create("王芳", EDITOR, PASSWORD, now=clock.now())


@pytest.fixture
async def phone(wang, factors, clock) -> str:
    """The secret of the phone they enrolled."""
    offered = await factors.offer(wang, "王芳", to="t")
    await factors.confirm(wang, phone_code(offered.secret, clock), to="t")
    clock.advance(60)
    return offered.secret


async def actions(trail) -> list[tuple[str, str]]:
    return [(entry.action, entry.outcome) async for entry in trail.chain() if entry.seq]


async def test_with_password_and_code_one_is_in(entrance, trail, phone, clock, wang):
    step = await entrance.by_password("王芳", PASSWORD, HERE)
    assert (step.stage, step.operator.id) == ("code", wang)

    step = await entrance.by_code(step.token, phone_code(phone, clock), HERE)

    assert (step.stage, step.token) == ("in", "")
    assert await actions(trail) == [
        ("sign_in.password", "done"),
        ("sign_in.second_factor", "done"),
        ("sign_in", "done"),
    ]


async def test_a_wrong_password_an_unknown_name_and_a_disabled_person_look_the_same(
    entrance, operators, trail, wang, clock
):
    said = []
    for name, password in (("王芳", "wrong-horse-1"), ("没有人", PASSWORD), ("王芳", "")):
        with pytest.raises(InvalidInput) as refused:
            await entrance.by_password(name, password, HERE)
        said.append((refused.value.say, refused.value.field))
    await operators.disable(wang, by="op_other", now=clock.now())
    with pytest.raises(InvalidInput) as refused:
        await entrance.by_password("王芳", PASSWORD, HERE)
    said.append((refused.value.say, refused.value.field))

    assert set(said) == {("姓名或密码不对。", "password")}
    entries, _ = await trail.search(Wanted(action="sign_in.password"))
    assert all(entry.outcome == "refused" and entry.remote == HERE.remote for entry in entries)
    assert "没有人" not in str(entries)


async def test_an_unknown_name_is_locked_like_a_known_one(entrance, wang):
    waits = []
    for name in ("王芳", "没有人"):
        for _ in range(5):
            with pytest.raises(InvalidInput):
                await entrance.by_password(name, "wrong-horse-1", HERE)
        with pytest.raises(Locked) as locked:
            await entrance.by_password(name, PASSWORD, HERE)
        waits.append(locked.value.say)

    assert waits[0] == waits[1]


async def test_whoever_has_no_second_factor_enrols_first_and_sees_recovery_codes_once(
    entrance, factors, wang, clock
):
    step = await entrance.by_password("王芳", PASSWORD, HERE)
    assert step.stage == "enrol"
    shown, offered = await entrance.enrolment(step.token)

    with pytest.raises(InvalidInput) as refused:
        await entrance.enrol(shown.token, "000000", HERE)
    step = await entrance.enrol(shown.token, phone_code(offered.secret, clock), HERE)

    assert refused.value.field == "code"
    assert step.stage == "in"
    assert len(step.codes) == 10
    clock.advance(60)
    again = await entrance.by_password("王芳", PASSWORD, HERE)
    assert (await entrance.by_code(again.token, step.codes[3], HERE)).stage == "in"
    assert (await factors.state(wang)).recovery_left == 9


async def test_where_it_is_optional_one_is_in_without_a_second_factor(
    operators, factors, lockout, entries, trail, clock, wang
):
    optional = Entrance(
        operators, factors, lockout, entries, trail, clock, second_factor_required=False
    )

    assert (await optional.by_password("王芳", PASSWORD, HERE)).stage == "in"


async def test_a_token_is_good_for_one_step_only(entrance, phone, clock):
    first = await entrance.by_password("王芳", PASSWORD, HERE)
    code = phone_code(phone, clock)

    done = await asyncio.gather(
        entrance.by_code(first.token, code, HERE),
        entrance.by_code(first.token, code, HERE),
        return_exceptions=True,
    )

    assert sum(not isinstance(each, Exception) for each in done) == 1
    with pytest.raises(EntryOver):
        await entrance.by_code(first.token, phone_code(phone, clock, steps=1), HERE)


@pytest.mark.parametrize("token", ["", "x", "王" * 200, "a" * 100_000])
async def test_without_a_password_first_no_step_is_open(entrance, token):
    with pytest.raises(EntryOver):
        await entrance.stage(token)
    with pytest.raises(EntryOver):
        await entrance.by_code(token, "000000", HERE)
    with pytest.raises(EntryOver):
        await entrance.new_password(token, "another-horse-2", HERE)


async def test_a_step_cannot_be_left_out(entrance, operators, phone, clock, wang):
    await operators.set_password(wang, PASSWORD, now=clock.now(), one_time=True)
    step = await entrance.by_password("王芳", PASSWORD, HERE)

    with pytest.raises(EntryOver):
        await entrance.new_password(step.token, "another-horse-2", HERE)
    with pytest.raises(EntryOver):
        await entrance.enrolment(step.token)


async def test_after_wrong_codes_the_password_is_asked_for_again(entrance, phone, clock):
    step = await entrance.by_password("王芳", PASSWORD, HERE)
    for _ in range(WRONG_CODES - 1):
        with pytest.raises(InvalidInput):
            await entrance.by_code(step.token, "000000", HERE)

    with pytest.raises(EntryOver):
        await entrance.by_code(step.token, "000000", HERE)
    with pytest.raises(EntryOver):
        await entrance.by_code(step.token, phone_code(phone, clock), HERE)
    again = await entrance.by_password("王芳", PASSWORD, HERE)
    with pytest.raises(Locked):  # codes are counted over all entries
        await entrance.by_code(again.token, phone_code(phone, clock), HERE)


async def test_who_is_disabled_between_two_steps_stays_out(entrance, operators, phone, clock, wang):
    step = await entrance.by_password("王芳", PASSWORD, HERE)
    await operators.disable(wang, by="op_other", now=clock.now())

    with pytest.raises(EntryOver):
        await entrance.by_code(step.token, phone_code(phone, clock), HERE)


async def test_a_one_time_password_leads_to_one_of_ones_own(
    entrance, operators, phone, clock, wang
):
    await operators.set_password(wang, "given-horse-9", now=clock.now(), one_time=True)
    step = await entrance.by_password("王芳", "given-horse-9", HERE)
    step = await entrance.by_code(step.token, phone_code(phone, clock), HERE)
    assert step.stage == "password"

    for poor in ("given-horse-9", "short", "王芳王芳-2026-11"):
        with pytest.raises(InvalidInput) as refused:
            await entrance.new_password(step.token, poor, HERE)
        assert refused.value.field == "password"
    step = await entrance.new_password(step.token, "another-horse-2", HERE)

    assert step.stage == "in"
    assert await operators.find_by_password("王芳", "another-horse-2")
    assert not await operators.find_by_password("王芳", "given-horse-9")


async def test_a_one_time_password_that_is_too_old_lets_nobody_in(entrance, operators, clock, wang):
    await operators.set_password(wang, "given-horse-9", now=clock.now(), one_time=True)
    clock.advance(ONE_TIME + timedelta(seconds=1))

    with pytest.raises(InvalidInput):
        await entrance.by_password("王芳", "given-horse-9", HERE)


async def test_nothing_of_an_entry_is_readable_in_redis(entrance, redis, phone, wang):
    step = await entrance.by_password("王芳", PASSWORD, HERE)

    keys = [key async for key in redis.scan_iter("wz:console:entry:*")]
    kept = b"".join([*keys, *[await redis.get(key) for key in keys]])
    assert len(keys) == 1
    assert wang.encode() not in kept
    assert step.token.encode() not in kept
    assert 0 < await redis.pttl(keys[0]) <= 600_000


async def test_the_provider_may_stand_for_both_factors_or_for_the_first(
    entrance, operators, phone, wang
):
    await operators.set_single_sign_on_id(wang, "wf")
    await operators.prove_identity(wang, "wf")
    operator = await operators.get(wang)

    one = await entrance.by_provider(operator, HERE, has_two_factors=False)
    both = await entrance.by_provider(operator, HERE, has_two_factors=True)

    assert (one.stage, both.stage) == ("code", "in")


async def test_somebody_else_trying_does_not_keep_the_owner_out(entrance, lockout, phone, clock):
    stranger = replace(HERE, remote="203.0.113.9")
    for _ in range(5):
        with pytest.raises(InvalidInput):
            await entrance.by_password("王芳", "wrong-horse-1", stranger)
    owner = replace(HERE, device=lockout.device_for("王芳"))

    step = await entrance.by_password("王芳", PASSWORD, owner)

    assert (await entrance.by_code(step.token, phone_code(phone, clock), owner)).stage == "in"
