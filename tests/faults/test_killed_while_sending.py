"""Nobody is lost and nobody gets two, whatever is killed while the platform misbehaves.

`make test` runs a short form; `make faults` sends to 100,000 (FAULTS_PEOPLE) and prints the table.
FAULTS_SEED repeats the kills of an earlier run as far as time allows.
"""

import asyncio
import os
import random
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from sandbox.quotas import TEMPLATE_SEND
from tests.faults import proof
from tests.faults.fleet import GROUPS, TOPIC, Fleet, open_fleet, openids_of, tag_of
from tests.faults.killer import GIVE_UP, Killer

SHORT = 2_000
PEOPLE = int(os.environ.get("FAULTS_PEOPLE", SHORT))
IS_LONG = PEOPLE > 20_000
SEED = int(os.environ.get("FAULTS_SEED", secrets.randbelow(1_000_000)))
LEASE = 3.0 if IS_LONG else 2.0
PER_SECOND = 1_000 if IS_LONG else 400
# the bar is lease + 1 s; the short form shares its cores with other tests, where a process may take
# half a minute to start, and only asks that everything ends
RESUMED_WITHIN = LEASE + 1.0 if IS_LONG else GIVE_UP
SUB_CHUNK, CONCURRENCY = 25, 8
LONGEST = 14 * 60.0 if IS_LONG else 240.0  # seconds for the sending
RECEIPTS_LONGEST = 4 * 60.0 if IS_LONG else 60.0
# five answers of -1 within ten seconds halve the pace: few of them come again and again, and the
# long form has one storm, as it has one minute whose quota is used up
BUSY_EVERY = 15.0
STORM, MINUTE_OVER = ({"errcode": -1, "next": 8}, {"errcode": 45011, "next": 3})
TOKEN_DIES_EVERY = 75.0  # seconds: a second one within a minute would be a real trouble
# what the platform does on a bad day; shares of all sends
BAD_DAY = (
    {"kind": "cut_after", "probability": 0.004},
    {"kind": "cut_before", "probability": 0.002},
    {"kind": "html502", "probability": 0.004},
    {"kind": "slow", "delay": 0.8, "probability": 0.01},
    {"kind": "late", "delay": 0.5, "probability": 0.01},
)

pytestmark = pytest.mark.faults


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """Three workers, two schedulers, a web process, databases and a platform, all real."""
    folder = Path(tempfile.mkdtemp(prefix="wz-faults-"))
    push = {
        "per_second": str(PER_SECOND),
        "lease_seconds": str(LEASE),
        "sub_chunk": str(SUB_CHUNK),
        "concurrency": str(CONCURRENCY),
        "batch_size": "500" if IS_LONG else "100",
    }
    pushers = 3 if IS_LONG else 2
    async with open_fleet(folder, PEOPLE, pushers=pushers, schedulers=2, push=push) as opened:
        yield opened
    # what a failed run leaves are the logs
    shutil.rmtree(folder if opened.has_passed else folder / "data", ignore_errors=True)


async def test_nobody_is_lost_or_doubled_while_processes_are_killed(fleet: Fleet, capsys):
    console = Console(file=None if IS_LONG else StringIO())
    await misbehave(fleet)
    meant = await order_everything(fleet)
    killer = Killer(fleet, random.Random(SEED), (2.0, 8.0) if IS_LONG else (0.2, 0.8))
    stop = asyncio.Event()
    with capsys.disabled():
        async with asyncio.TaskGroup() as group:
            group.create_task(killer.run(stop))
            await sent(fleet, list(meant), killer, console)
            stop.set()
        await fleet.all_up()
        await proof.receipts_in(fleet, list(meant), within=RECEIPTS_LONGEST)

        found = await proof.prove(fleet, meant)
        tally = await fleet.read("tally")
        rows = proof.table(
            found,
            killer,
            tally,
            resumed_within=RESUMED_WITHIN,
            bound=SUB_CHUNK * CONCURRENCY,
            is_long=IS_LONG,
        )
        proof.show(rows, console, f"Killed while sending (FAULTS_SEED={SEED})")

    missed = [f"{name}: {value}, bar {bar}" for name, value, bar, reached in rows if not reached]
    fleet.has_passed = not missed
    assert not missed, f"FAULTS_SEED={SEED}: {'; '.join(missed)}; logs in {fleet.folder}"


async def misbehave(fleet: Fleet) -> None:
    """Let the platform have a bad day."""
    for fault in BAD_DAY:
        await fleet.control("fault", path=TEMPLATE_SEND, **fault)
    await fleet.control(
        "receipts", early=0.02, duplicate=0.05, delay_min=0.05, delay_max=2.0, concurrency=32
    )


async def order_everything(fleet: Fleet) -> dict[str, list[str]]:
    """Plan one broadcast for half of all and ten for the rest; return whom each means."""
    groups: dict[str, list[str]] = {}
    for number, openid in enumerate(openids_of(PEOPLE)):
        groups.setdefault(tag_of(number), []).append(openid)
    apart = PEOPLE / PER_SECOND / GROUPS  # so that some are planned while others are sent
    begin = datetime.now(UTC) + timedelta(seconds=2)
    meant = {}
    for number, (tag, openids) in enumerate(sorted(groups.items(), reverse=True)):
        at = begin + timedelta(seconds=number * apart * 0.7)
        urgent = number % 3 == 2
        broadcast = await fleet.order(
            audience={"topics": [TOPIC], "tags": [tag]},
            at=at.isoformat(),
            priority="urgent" if urgent else "normal",
            data={"area": f"片区{tag}", "start": "2026-12-01 09:00", "end": "2026-12-01 18:00"},
        )
        meant[broadcast] = openids
    return meant


async def sent(fleet: Fleet, broadcasts: list[str], killer: Killer, console: Console) -> None:
    """Wait until all are finished, as a person would who also resumes what paused itself."""
    begun = told = time.monotonic()
    token_dies = begun + (3.0 if IS_LONG else 1.0)
    busy = begun
    to_come = {PEOPLE // 4: STORM, PEOPLE // 2: MINUTE_OVER} if IS_LONG else {}
    left = set(broadcasts)
    while left:
        now = time.monotonic()
        assert now - begun < LONGEST, f"{len(left)} broadcasts do not end; FAULTS_SEED={SEED}"
        if now >= token_dies:
            token_dies = now + TOKEN_DIES_EVERY
            await fleet.control("tokens", kill=True)
        if now >= busy:
            busy = now + BUSY_EVERY
            await refuse(fleet, errcode=-1, next=3)
        for broadcast in sorted(left):
            state = (await fleet.report(broadcast))["state"]
            if state == "paused":
                await fleet.resume(broadcast)
            elif state == "finished":
                left.discard(broadcast)
        tally = await fleet.read("tally")
        for reached in [each for each in to_come if tally["total"] >= each]:
            await refuse(fleet, **to_come.pop(reached))
        if now - told > 5:
            told = now
            console.print(
                f"{now - begun:4.0f} s: {tally['total']:,} of {PEOPLE:,} cards, "
                f"{len(killer.kills)} kills, {len(left)} broadcasts open"
            )
        await asyncio.sleep(0.5)


async def refuse(fleet: Fleet, **fault: int) -> None:
    """Let the platform refuse the next few sends."""
    await fleet.control("fault", path=TEMPLATE_SEND, kind="errcode", **fault)
