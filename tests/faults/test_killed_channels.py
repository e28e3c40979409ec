"""What must not be repeated is not, whatever is killed: subscription notices and mass sends.

The platform's own book tells: it takes every notice it is asked to send, twice if asked twice.
"""

import asyncio
import os
import random
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.fleet import ACCOUNT, TOPIC, Fleet, open_fleet, openids_of
from tests.faults.killer import Killer

PEOPLE = 300
SEED = int(os.environ.get("FAULTS_SEED", secrets.randbelow(1_000_000)))
SUB_CHUNK, CONCURRENCY = 10, 2
LONGEST = 180.0
BIZSEND = "/cgi-bin/message/subscribe/bizsend"
CONSENTING_AT_ONCE = 20

pytestmark = pytest.mark.faults


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """Two workers, two schedulers, a web process, databases and a platform, all real."""
    folder = Path(tempfile.mkdtemp(prefix="wz-faults-"))
    push = {
        "per_second": "60",
        "lease_seconds": "2",
        "sub_chunk": str(SUB_CHUNK),
        "concurrency": str(CONCURRENCY),
        "batch_size": "50",
    }
    async with open_fleet(folder, PEOPLE, pushers=2, schedulers=2, push=push) as opened:
        yield opened
    shutil.rmtree(folder if opened.has_passed else folder / "data", ignore_errors=True)


async def test_no_notice_and_no_mass_send_is_doubled_while_processes_are_killed(fleet: Fleet):
    await everybody_consents(fleet)
    for fault in ({"kind": "cut_after"}, {"kind": "cut_before"}, {"kind": "html502"}):
        await fleet.control("fault", path=BIZSEND, probability=0.01, **fault)
    notices = await order_over(fleet, "subscription")
    mass = await fleet.order(audience={"all": True}, channel="mass", priority="urgent")

    killer = Killer(fleet, random.Random(SEED), (0.2, 0.8))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(killer.run(stop))
        await over(fleet, notices)
        stop.set()
    await fleet.all_up()
    await over(fleet, mass)  # killed in its call, that is made again after a minute

    told = f"FAULTS_SEED={SEED}; logs in {fleet.folder}"
    await prove_notices(fleet, notices, killer, told)
    await prove_mass(fleet, mass, told)
    fleet.has_passed = True


async def prove_notices(fleet: Fleet, broadcast: str, killer: Killer, told: str) -> None:
    book = Counter(record["openid"] for record in (await fleet.read("notices"))["records"])
    found = fleet.database["deliveries"].find({"broadcast": broadcast})
    outcomes = {row["openid"]: row["state"] async for row in found}
    counts = (await fleet.report(broadcast))["counts"]
    kills = sum(kill.victim == "push" for kill in killer.kills)

    assert max(book.values()) == 1, f"doubled; {told}"
    assert outcomes.keys() == set(openids_of(PEOPLE)), f"lost; {told}"
    claimed = [o for o, state in outcomes.items() if state == "sent" and o not in book]
    assert not claimed, f"recorded as sent, and the platform knows nothing of it; {told}"
    unlisted = [o for o in book if outcomes[o] not in ("sent", "unknown")]
    assert not unlisted, f"sent, and recorded as not sent; {told}"
    assert sum(counts[n] for n in ("sent", "failed", "skipped", "unknown")) == PEOPLE, told
    silent = PEOPLE * 0.09  # three times the share of lost answers
    assert counts["unknown"] <= kills * SUB_CHUNK * CONCURRENCY + silent, told
    assert kills >= 2, f"nothing was killed; {told}"


async def prove_mass(fleet: Fleet, broadcast: str, told: str) -> None:
    (job,) = (await fleet.read("mass"))["jobs"]
    assert len(job["people"]) == len(set(job["people"])) == PEOPLE, told
    assert (await fleet.report(broadcast))["counts"]["sent"] == PEOPLE, told


async def everybody_consents(fleet: Fleet) -> None:
    """Let everybody answer the consent window; the events come by the callback."""
    form = fleet.settings.account(ACCOUNT).subscription_templates["outage_notice"]
    assert form.kind == "long_term"  # else the platform itself would stop a second notice
    lane = asyncio.Semaphore(CONSENTING_AT_ONCE)

    async def one(openid: str) -> None:
        async with lane:
            await fleet.control("consent", openid=openid, template_id=form.id, answer="accept")

    await asyncio.gather(*(one(openid) for openid in openids_of(PEOPLE)))
    assert await fleet.database["consents"].count_documents({}) == PEOPLE


async def order_over(fleet: Fleet, channel: str) -> str:
    """Plan a broadcast and freeze it over this channel, as its topic would say."""
    at = datetime.now(UTC) + timedelta(seconds=3)
    broadcast = await fleet.order(audience={"topics": [TOPIC]}, at=at.isoformat())
    form = fleet.settings.account(ACCOUNT).subscription_templates["outage_notice"]
    kept = await fleet.database["broadcasts"].find_one({"_id": broadcast})
    assert kept is not None
    notice = {"template_id": form.id, "kind": form.kind, "fields": kept["content"]["fields"]}
    await fleet.database["broadcasts"].update_one(
        {"_id": broadcast},
        {"$set": {"content.channels": [channel], "content.notice": notice, "content.text": ""}},
    )
    return broadcast


async def over(fleet: Fleet, broadcast: str) -> None:
    """Wait until it is finished, resuming what paused itself as a person would."""
    async with asyncio.timeout(LONGEST):
        while (state := (await fleet.report(broadcast))["state"]) != "finished":
            if state == "paused":
                await fleet.resume(broadcast)
            await asyncio.sleep(0.3)
