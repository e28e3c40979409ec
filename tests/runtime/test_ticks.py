"""Ticks end with their block, quietly, however long one is under way."""

import asyncio
import logging
from datetime import timedelta

from runtime.ticks import ticking


async def test_a_tick_that_is_under_way_at_the_end_is_stopped_without_an_error(caplog):
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with ticking({"hang": (hang, timedelta(seconds=0.01))}):
        await began.wait()

    assert ended.is_set()
    await asyncio.sleep(0)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


async def test_a_tick_that_fails_is_told_of_and_called_again(caplog):
    calls = asyncio.Semaphore(0)

    async def fail() -> None:
        calls.release()
        raise ZeroDivisionError

    async with asyncio.timeout(10), ticking({"fail": (fail, timedelta(seconds=0.01))}):
        for _ in range(2):
            await calls.acquire()

    assert any(r.levelno == logging.ERROR for r in caplog.records)
