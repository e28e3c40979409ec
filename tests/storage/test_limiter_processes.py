"""The limiter over several processes that know nothing of each other."""

import asyncio
import sys
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

ROOT = Path(__file__).parents[2]
PROCESSES, LANES, WANTED = 3, 6, 50
WARM_UP, SECONDS = 0.5, 3.0  # an empty Redis makes the first ones wait; then it is counted

Sends = list[tuple[float, int]]


async def _run(redis: Redis, rate: int, *moods: str, forgetting: bool = False) -> Sends:
    await redis.flushdb()
    socket = redis.connection_pool.connection_kwargs["path"]
    moods = moods or ("brisk",) * PROCESSES
    arguments = [str(word) for word in (socket, rate, LANES, WANTED)]
    programs = [await _started(*arguments, mood) for mood in moods]
    for program in programs:
        assert program.stdout is not None
        assert await program.stdout.readline() == b"ready\n"
    until = time.monotonic() + SECONDS + WARM_UP
    outputs = asyncio.gather(*(each.communicate(f"{until}\n".encode()) for each in programs))
    if forgetting:
        await _forget_often(redis, until)
    lines = [line.split() for output, _ in await outputs for line in output.decode().splitlines()]
    assert [program.returncode for program in programs] == [0] * len(moods)
    return sorted((float(moment), int(number)) for moment, number in lines)


async def _started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.limited", *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def _forget_often(redis: Redis, until: float) -> None:
    while time.monotonic() < until:
        await asyncio.sleep(0.4)
        await redis.flushdb()
        await redis.script_flush()


def _most_in_a_second(sends: Sends) -> int:
    most = number = start = 0
    for moment, sent in sends:
        number += sent
        while moment - sends[start][0] >= 1.0:
            number -= sends[start][1]
            start += 1
        most = max(most, number)
    return most


def _share_reached(sends: Sends, rate: int) -> float:
    """Return the share of the rate in the last seconds, when all of them were running."""
    last = sends[-1][0]
    within = [number for moment, number in sends if last - SECONDS <= moment < last]
    return sum(within) / (rate * SECONDS)


@pytest.mark.faults
@pytest.mark.parametrize("rate", [50, 200, 2000])
async def test_never_above_the_rate_in_any_second(redis: Redis, rate: int):
    sends = await _run(redis, rate)

    assert _most_in_a_second(sends) <= rate
    assert _share_reached(sends, rate) > 0.3  # how close it comes is measured by `make bench`


@pytest.mark.faults
async def test_processes_that_are_late_again_and_again_never_exceed_the_rate(redis: Redis):
    sends = await _run(redis, 400, "sluggish", "sluggish", "brisk")

    assert _most_in_a_second(sends) <= 400
    assert _share_reached(sends, 400) > 0.3


@pytest.mark.faults
async def test_a_redis_that_forgets_everything_again_and_again_gives_no_burst(redis: Redis):
    sends = await _run(redis, 400, forgetting=True)

    assert _most_in_a_second(sends) <= 400
    assert _share_reached(sends, 400) > 0.2
