"""The second factor: codes of a phone once each, recovery codes once each, nothing readable."""

import asyncio
import base64

import pytest

from tests.support.people import phone_code

ME = "op_me"


@pytest.fixture
async def enrolled(factors, clock):
    """Somebody with a phone; returns its secret and the recovery codes."""
    offered = await factors.offer(ME, "王芳", to="t")
    codes = await factors.confirm(ME, phone_code(offered.secret, clock), to="t")
    clock.advance(30)
    return offered.secret, codes


async def test_a_phone_is_set_up_by_a_picture_without_style_or_script(factors):
    offered = await factors.offer(ME, "王芳", to="t")
    again = await factors.offer(ME, "王芳", to="t")

    assert again == offered
    assert offered.uri.startswith("otpauth://totp/%E5%BE%AE%E6%94%BF:")
    kind, _, picture = offered.qr.partition(",")
    assert kind.startswith("data:image/svg+xml")
    text = picture if "base64" not in kind else base64.b64decode(picture).decode()
    assert "style" not in text
    assert "script" not in text


async def test_a_wrong_first_code_enrols_nobody(factors):
    await factors.offer(ME, "王芳", to="t")

    assert await factors.confirm(ME, "000000", to="t") is None
    assert await factors.confirm("op_other", "000000", to="t") is None
    assert await factors.state(ME) is None


async def test_a_code_is_good_once_even_for_two_at_the_same_moment(factors, clock, enrolled):
    code = phone_code(enrolled[0], clock)

    both = await asyncio.gather(factors.check(ME, code), factors.check(ME, code))
    later = await factors.check(ME, code)

    assert sorted(both, key=str) == [None, "totp"]
    assert later is None


async def test_the_code_that_enrolled_does_not_sign_in(factors, clock):
    offered = await factors.offer(ME, "王芳", to="t")
    code = phone_code(offered.secret, clock)
    await factors.confirm(ME, code, to="t")

    assert await factors.check(ME, code) is None


async def test_an_earlier_code_is_void_once_a_later_one_was_used(factors, clock, enrolled):
    now, next_ = phone_code(enrolled[0], clock), phone_code(enrolled[0], clock, steps=1)

    assert await factors.check(ME, f" {next_[:3]} {next_[3:]} ") == "totp"
    assert await factors.check(ME, now) is None


@pytest.mark.parametrize("steps", [-2, 2, 100])
async def test_a_code_of_another_time_is_wrong(factors, clock, enrolled, steps):
    clock.advance(300)

    assert await factors.check(ME, phone_code(enrolled[0], clock, steps=steps)) is None


@pytest.mark.parametrize("code", ["", "12345", "１２３４５６", "x" * 100_000, "\x00", "$ne"])
async def test_what_is_no_code_is_wrong(factors, enrolled, code):
    assert await factors.check(ME, code) is None


async def test_a_recovery_code_is_good_once_however_it_is_typed(factors, enrolled):
    first, second, *_ = enrolled[1]

    both = await asyncio.gather(
        factors.check(ME, first.upper().replace("-", " ")), factors.check(ME, first)
    )

    assert sorted(both, key=str) == [None, "recovery"]
    assert await factors.check("op_other", second) is None
    assert (await factors.state(ME)).recovery_left == 9


async def test_fresh_recovery_codes_void_those_from_before(factors, enrolled):
    fresh = await factors.renew_recovery(ME)

    assert len(set(fresh) | set(enrolled[1])) == 20
    assert await factors.check(ME, enrolled[1][0]) is None
    assert await factors.check(ME, fresh[0]) == "recovery"


async def test_neither_secret_nor_recovery_codes_lie_readable_in_the_database(mongo, enrolled):
    kept = str(await mongo["second_factors"].find_one({"_id": ME}))

    assert enrolled[0].replace(" ", "") not in kept
    assert not any(code.replace("-", "") in kept or code in kept for code in enrolled[1])


async def test_after_a_reset_there_is_no_second_factor_and_another_phone_enrols(
    factors, clock, enrolled
):
    assert await factors.holders() == {ME}
    assert await factors.reset(ME)
    assert not await factors.reset(ME)

    assert await factors.check(ME, phone_code(enrolled[0], clock)) is None
    assert (await factors.offer(ME, "王芳", to="t")).secret != enrolled[0]


async def test_who_looked_at_an_enrolment_does_not_know_what_somebody_else_enrols(factors, clock):
    seen = await factors.offer(ME, "王芳", to="an administrator's sign-in")
    own = await factors.offer(ME, "王芳", to="the owner's")

    assert own.secret != seen.secret
    assert await factors.confirm(ME, phone_code(seen.secret, clock), to="the owner's") is None
    assert await factors.confirm(ME, phone_code(own.secret, clock), to="the owner's")


async def test_an_enrolment_opened_before_does_not_replace_a_phone(factors, clock):
    own = await factors.offer(ME, "王芳", to="the owner's")
    await factors.confirm(ME, phone_code(own.secret, clock), to="the owner's")
    late = await factors.offer(ME, "王芳", to="somebody else's")

    assert await factors.confirm(ME, phone_code(late.secret, clock), to="somebody else's") is None
