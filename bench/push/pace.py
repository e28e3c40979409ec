"""Time kept: the planned moment, the pace over two processes, two beside one, after a kill."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from datetime import timedelta

from bench.processes import Program
from bench.push.city import City, openid_of, somebody, tag, until
from bench.report import Property, at_least, at_most, told
from domain.clock import SystemClock
from domain.ids import BroadcastId, OpenId
from domain.ledger import client_msg_id

PLANS = 5
PLAN_SECONDS = 2.0  # bars
PACE_SHARE = 0.97
SCALE = 1.7
LATENCY = 0.1  # seconds that the platform takes, so that one process is never busy
PER_SECOND = 1_000
# what the pair of processes runs with: at this latency 250 sends a second each
PAIR = {"per_second": PER_SECOND, "concurrency": 1, "sub_chunk": 25}
LEASE, TRIAL_LEASE = 5, 2  # seconds
SMALL_BATCHES = {"batch_size": 100}


async def schedule(city: City) -> list[Property]:
    """Plan a few broadcasts at odd moments and look when their first sends come."""
    begin = SystemClock().now() + timedelta(seconds=0.5 if city.is_small else 2)
    planned = {}
    await city.reset()
    times = 1 if city.is_small else PLANS
    for number in range(times):
        at = begin + timedelta(seconds=1.37 * number)
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        planned[await city.order(somebody(range(50)), at=at)] = at.timestamp()
    for broadcast in planned:
        await _ends(city, broadcast)
    first: dict[str, float] = {}
    for key, moment in await city.sends():
        first.setdefault(key, moment)
    keys = {broadcast: [_key(broadcast, number) for number in range(50)] for broadcast in planned}
    late = [
        min(first[key] for key in keys[broadcast]) - moment for broadcast, moment in planned.items()
    ]
    early = sum(each < 0 for each in late)
    return [
        at_most(f"first send after the planned time, worst of {times}", max(late), PLAN_SECONDS,
                unit="s", note=f"median {statistics.median(late):.2f} s; {early} too early"),
    ]  # fmt: skip


async def pair(city: City) -> list[Property]:
    """Everything that two paced processes are for."""
    plan = city.plan
    people = city.paced
    pair = PAIR | {"lease_seconds": _lease(city)}
    found: list[Property] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            city.scheduler("scheduler-paced", core=plan.client_core, **SMALL_BATCHES)
        )
        one = await stack.enter_async_context(city.worker("paced-1", core=plan.server_core, **pair))
        two = await stack.enter_async_context(city.worker("paced-2", core=plan.server_core, **pair))
        found += await _pace(city, people)
        found += await _two_beside_one(city, two, people)
        found += await _after_a_kill(city, one, people)
    return found


async def _pace(city: City, people: int) -> list[Property]:
    await city.reset()
    broadcast = await city.order(tag("paced"))
    found = await city.finished(broadcast, people)
    rate = (found["total"] - 1) / (found["last"] - found["first"])
    owners = await city.ctx.stores.database["batches"].distinct("owner", {"broadcast": broadcast})
    return [
        at_least(
            f"pace over {len(owners)} processes, allowed {PER_SECOND:,}/s",
            rate / PER_SECOND * 100,
            PACE_SHARE * 100,
            unit="%",
        ),
        at_most("the fullest second at the platform", found["fullest_second"], PER_SECOND),
    ]


async def _two_beside_one(city: City, second: Program, people: int) -> list[Property]:
    second.rest()
    one = await _rate(city, people)
    second.go_on()
    two = await _rate(city, people)
    return [
        at_least(
            f"two processes beside one, cores free ({LATENCY * 1000:.0f} ms per call)",
            two / one,
            SCALE,
            unit="×",
            note=f"{one:,.0f}/s and {two:,.0f}/s",
        )
    ]


async def _rate(city: City, people: int) -> float:
    await city.reset(latency=LATENCY)
    broadcast = await city.order(tag("paced"))
    found = await city.finished(broadcast, people)
    return float((found["total"] - 1) / (found["last"] - found["first"]))


async def _after_a_kill(city: City, victim: Program, people: int) -> list[Property]:
    """Kill one of the two while it sends; nothing new is ordered."""
    await city.reset(latency=LATENCY)
    broadcast = await city.order(tag("paced"))

    async def is_half_way() -> bool:
        return await city.sent() >= people // 3 and bool(await _held(city, victim.pid))

    await until(is_half_way, 60.0)
    await victim.kill()
    killed = time.time()
    held = await _held(city, victim.pid)
    await _ends(city, broadcast)
    sends = await city.sends()
    again = [
        min((at for key, at in sends if key in keys and at > killed), default=float("inf"))
        for keys in held.values()
    ]
    distinct = len({key for key, _ in sends})
    city.recipients += people
    city.lost += people - distinct
    lease = _lease(city)
    longest = max((moment - killed for moment in again), default=0.0)
    return [
        at_most(f"sent on after SIGKILL, last of {len(held)} batches", longest, lease + 1.0,
                unit="s", note=f"lease {lease} s, no new traffic"),
        told("repeats of that kill, recognised by the platform", len(sends) - distinct),
    ]  # fmt: skip


async def _held(city: City, pid: int) -> dict[str, set[str]]:
    """Return the batches that a process holds, with the client_msg_ids of their people."""
    database = city.ctx.stores.database
    held: dict[str, set[str]] = {}
    query = {"state": "leased", "owner": {"$regex": f":{pid}:"}}
    for batch in await database["batches"].find(query).to_list():
        people = await database["batch_people"].find_one({"_id": batch["people"]})
        assert people is not None
        held[batch["_id"]] = {
            client_msg_id(BroadcastId(batch["broadcast"]), OpenId(openid))
            for openid in people["openids"].split("\n")
        }
    return held


def _lease(city: City) -> int:
    return TRIAL_LEASE if city.is_small else LEASE


async def _ends(city: City, broadcast: BroadcastId) -> None:
    async def has_ended() -> bool:
        await asyncio.sleep(0.05)
        return await city.state(broadcast) == "finished"

    await until(has_ended, 90.0)


def _key(broadcast: BroadcastId, number: int) -> str:
    return client_msg_id(broadcast, OpenId(openid_of(number)))
