"""Lock-out: guessing becomes slow, and nobody is kept out of their own account for ever."""

import asyncio
from datetime import timedelta

import pytest

from console.lockout import BY_ADDRESS, BY_NAME, Locked, Lockout
from storage.redis.attempts import PREFIX, Attempts

HERE, THERE = "198.51.100.7", "203.0.113.9"


async def waits(
    lockout: Lockout, name: str = "王芳", remote: str = HERE, device: str = ""
) -> float:
    """Try once and return the seconds to wait, 0 when the try was let through."""
    try:
        await lockout.knock("password", name, remote=remote, device=device)
    except Locked as error:
        return error.wait.total_seconds()
    return 0


async def exhaust(lockout: Lockout, **where: str) -> None:
    for _ in range(BY_NAME.free):
        assert await waits(lockout, **where) == 0


async def test_the_delay_doubles_up_to_a_ceiling_and_refused_tries_do_not_lengthen_it(
    lockout, clock
):
    await exhaust(lockout)

    delays = []
    for _ in range(8):
        delays.append(await waits(lockout))
        assert await waits(lockout) == delays[-1]
        clock.advance(timedelta(seconds=delays[-1]))
        assert await waits(lockout) == 0

    assert delays == [30, 60, 120, 240, 480, 900, 900, 900]


async def test_the_name_is_counted_wherever_the_tries_come_from(lockout):
    for number in range(BY_NAME.free):
        assert await waits(lockout, remote=f"203.0.113.{number}") == 0

    assert await waits(lockout, remote="192.0.2.1") == 30
    assert await waits(lockout, name="李雷", remote="192.0.2.1") == 0


async def test_the_same_name_spelt_otherwise_is_the_same_name(lockout):
    for name in ("Li Lei", " Li Lei ", "Ｌi Lei", "Li Lei\u3000", "Li Lei"):
        assert await waits(lockout, name=name) == 0

    assert await waits(lockout, name="Li Lei") == 30


async def test_an_address_that_tries_many_names_waits_too(lockout):
    for number in range(BY_ADDRESS.free):
        assert await waits(lockout, name=f"人{number}") == 0

    assert await waits(lockout, name="另一人") == 10
    assert await waits(lockout, name="另一人", remote=THERE) == 0


async def test_many_tries_at_the_same_moment_count_as_many(lockout):
    tries = await asyncio.gather(*(waits(lockout, remote=f"203.0.113.{n}") for n in range(50)))

    assert tries.count(0) == BY_NAME.free


async def test_a_stranger_cannot_keep_the_owner_out_of_a_browser_they_know(lockout):
    device = lockout.device_for("王芳")
    await exhaust(lockout, remote=THERE)
    assert await waits(lockout, remote=HERE) > 0

    assert await waits(lockout, remote=HERE, device=device) == 0
    assert await waits(lockout, remote=THERE, device=device) == 0


async def test_a_device_cookie_helps_with_its_own_name_only_and_wears_out(lockout):
    device = lockout.device_for("王芳")
    await exhaust(lockout, device=device)
    await exhaust(lockout, name="李雷", remote=THERE)

    assert await waits(lockout, device=device) == 30
    assert await waits(lockout, name="李雷", remote=HERE, device=device) == 30
    assert not lockout.knows("forged." + "0" * 64, "王芳")
    assert not lockout.knows("", "王芳")
    assert not lockout.knows("é" * 1000, "王芳")


async def test_coming_in_forgets_the_tries(lockout):
    for _ in range(BY_NAME.free - 1):
        await waits(lockout)

    await lockout.welcome("王芳", remote=HERE)

    await exhaust(lockout)


async def test_delays_outlive_the_process_and_name_nobody(lockout, redis, clock):
    await exhaust(lockout)

    another = Lockout(Attempts(redis), "for-tests-and-nothing-else", clock)
    keys = [key.decode() async for key in redis.scan_iter(f"{PREFIX}*")]
    lives = [await redis.pttl(key) for key in keys]

    assert await waits(another) == 30
    assert len(keys) == 2
    assert not any("王芳" in key or HERE in key for key in keys)
    assert all(life > 0 for life in lives)


async def test_the_wait_is_said_in_words():
    assert Locked(timedelta(milliseconds=1)).say == "尝试次数太多，请 1 秒后再试。"
    assert Locked(timedelta(minutes=15)).say == "尝试次数太多，请 15 分钟后再试。"
    with pytest.raises(Locked):
        raise Locked(timedelta(seconds=30))
