"""Every change of state has exactly one line in the log: MongoDB's change stream is the witness."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.change_stream import AsyncDatabaseChangeStream

from storage.mongo.changes import BATCH, BROADCAST
from storage.mongo.ledger import MAX_STALLS
from tests.push.conftest import MakeEngine
from tests.support.platform import Platform
from tests.support.push import Engine

Change = tuple[str, str]  # what, and the state it has now


async def test_each_change_of_state_has_one_line(
    make_engine: MakeEngine, platform: Platform, caplog: pytest.LogCaptureFixture
):
    engine = await make_engine(lease=0.5)
    await engine.follow(60)
    platform.latency = 0.01
    caplog.set_level(logging.INFO, logger="storage.mongo.changes")

    async with await engine.database.watch() as stream:
        await _a_lively_day(engine)
        changes = await _changes(stream)

    assert Counter(_lines(caplog.records)) == Counter(changes)
    states = {state for _, state in changes}
    assert states >= {"scheduled", "sending", "paused", "cancelled", "finished"}
    assert states >= {"ready", "leased", "done", "dead"}


async def _a_lively_day(engine: Engine) -> None:
    """Finish one, pause and resume one, cancel one; kill a worker; bury a batch and revive it."""
    plain = await engine.begin()
    async with engine.working(workers=2):
        await engine.finished(plain)

    paused = await engine.begin()
    async with engine.working():
        await engine.broadcasts.pause(paused)
        await engine.broadcasts.resume(paused)
        await engine.finished(paused)

    killed = await engine.begin()
    worker = asyncio.create_task(engine.new_worker().run(asyncio.Event()))
    await asyncio.sleep(0.05)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    async with engine.working():
        await engine.finished(killed)

    cancelled = await engine.begin()
    await engine.broadcasts.cancel(cancelled)
    await engine.recovery.tick()

    buried = await engine.begin()
    first = f"{buried}:0"
    for _ in range(MAX_STALLS):
        now = engine.clock.now()
        assert await engine.ledger.claim([first], owner="dying", now=now, until=now)
        await asyncio.sleep(0.002)
    await engine.recovery.tick(engine.clock.now() + timedelta(seconds=1))
    await engine.broadcasts.resume(buried)
    async with engine.working():
        await engine.finished(buried)


def _lines(records: Sequence[logging.LogRecord]) -> list[Change]:
    found = []
    for record in records:
        fields: Mapping[str, Any] = vars(record)
        if record.message == BROADCAST:
            found.append((fields["broadcast"], fields["to"]))
        elif record.message == BATCH:
            found.append((fields["batch"], fields["to"]))
    return found


async def _changes(stream: AsyncDatabaseChangeStream[dict[str, Any]]) -> list[Change]:
    """Read what MongoDB says happened to both collections."""
    found: list[Change] = []
    async with asyncio.timeout(20):
        while (change := await stream.try_next()) is not None:
            if change["ns"]["coll"] in ("broadcasts", "batches"):
                found += _change(change)
    return found


def _change(change: Mapping[str, Any]) -> list[Change]:
    what = change["documentKey"]["_id"]
    if change["operationType"] == "insert":
        return [(what, change["fullDocument"]["state"])]
    updated = change["updateDescription"]["updatedFields"]
    if "state" in updated:
        return [(what, updated["state"])]
    # a lease that ran out may be taken over at once: leased before and after, by another
    return [(what, "leased")] if "attempt" in updated else []
