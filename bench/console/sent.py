"""A broadcast that went to everybody: its batches, an outcome for each person, its report.

It is written as the ledger writes it, without the sending, which the section `push` measures. One
person in a hundred is still to come until `finish`.
"""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, get_args

from bench.push.city import ACCOUNT, City, openid_of
from domain.broadcast import Audience
from domain.delivery import Outcome
from domain.ids import BroadcastId, OpenId
from domain.ledger import NewBatch, Totals, batch_id, delivery_id

BATCH = 500
PART = 5_000  # outcomes written at once
AT_ONCE = 4
MINUTES = 60  # that it was sent for
Document = dict[str, Any]


async def begin(city: City) -> BroadcastId:
    """Write a broadcast to everybody of which 99 % is done; it is `sending`, and nobody sends."""
    ctx, now = city.ctx, city.ctx.clock.now()
    broadcast = await city.order(Audience(all=True), at=now + timedelta(days=1))
    people = city.plan.people
    sizes = [range(first, min(people, first + BATCH)) for first in range(0, people, BATCH)]
    for part in range(0, len(sizes), 40):
        await ctx.stores.ledger.add(
            [
                _batch(broadcast, seq, numbers, now)
                for seq, numbers in enumerate(sizes[part : part + 40], part)
            ]
        )
    left = max(1, len(sizes) // 100)
    done = [batch_id(broadcast, seq) for seq in range(len(sizes) - left)]
    database = ctx.stores.database
    for part in range(0, len(done), 500):
        await database["batches"].update_many(
            {"_id": {"$in": done[part : part + 500]}},
            {"$set": {"state": "done", "left": 0, "counts": _counts(range(BATCH))}},
        )
    await _outcomes(city, broadcast, range(sizes[-left].start), now - timedelta(minutes=MINUTES))
    await database["broadcasts"].update_one(
        {"_id": broadcast},
        {
            "$set": {
                "state": "sending",
                "started_at": now - timedelta(minutes=MINUTES),
                "fanout": {"open": True, "owner": "bench", "until": now, "done": people},
            }
        },
    )
    return broadcast


async def finish(city: City, broadcast: BroadcastId) -> None:
    """Send to those who were left, close it, and have its report made as the scheduler has it."""
    ctx, now = city.ctx, city.ctx.clock.now()
    people = city.plan.people
    batches = -(-people // BATCH)
    first = (batches - max(1, batches // 100)) * BATCH
    await _outcomes(city, broadcast, range(first, people), now - timedelta(minutes=1))
    await ctx.stores.database["batches"].update_many(
        {"broadcast": broadcast, "state": "ready"},
        {"$set": {"state": "done", "left": 0, "counts": _counts(range(BATCH))}},
    )
    totals = Totals(people=people, **_counts(range(people)))
    assert await ctx.stores.broadcasts.close(broadcast, totals, finished_at=now)
    for _ in range(3):  # what runs no more is asked for, then made
        await ctx.reports.tick()


def _batch(broadcast: BroadcastId, seq: int, numbers: range, now: datetime) -> NewBatch:
    return NewBatch(
        broadcast=broadcast,
        account=ACCOUNT,
        seq=seq,
        people=tuple(OpenId(openid_of(number)) for number in numbers),
        cursor=f"{ACCOUNT}:{openid_of(numbers[-1])}",
        queue=f"{ACCOUNT}:bulk",
        priority="normal",
        due_at=now + timedelta(days=1),
    )


async def _outcomes(city: City, broadcast: BroadcastId, people: range, since: datetime) -> None:
    """Write what became of these people, over an hour, and the receipts of those it reached."""
    deliveries = city.ctx.stores.database["deliveries"]
    documents = _documents(broadcast, people, since)

    async def write() -> None:
        while part := list(islice(documents, PART)):
            await deliveries.insert_many(part, ordered=False)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(write())


def _documents(broadcast: BroadcastId, people: range, since: datetime) -> Iterator[Document]:
    for number in people:
        openid = OpenId(openid_of(number))
        state = _state(number)
        at = since + timedelta(minutes=(number - people.start) * MINUTES / len(people))
        found: Document = {
            "_id": delivery_id(broadcast, openid),
            "account": ACCOUNT,
            "broadcast": broadcast,
            "openid": openid,
            "state": state,
            "at": at,
            "channel": "template",
        }
        if state == "sent":
            found |= {"msgid": f"8{number:018}", "receipt": "success", "delivered": True}
            found["receipt_at"] = at + timedelta(seconds=2)
        elif state == "failed":
            found |= {"errcode": (43004, 43101, 45047)[number % 3], "reason": "refused"}
        elif state == "skipped":
            found["reason"] = "left"
        yield found


def _state(number: int) -> Outcome:
    """Six of a hundred fail, three are skipped, of one nobody knows."""
    place = number * 37 % 100
    if place < 6:
        return "failed"
    if place < 9:
        return "skipped"
    return "unknown" if place == 9 else "sent"


def _counts(people: range) -> dict[str, int]:
    """Return the outcomes of these people: every hundred has the same."""
    whole, rest = divmod(len(people), 100)
    states = [_state(number) for number in range(100)]
    more = states[:rest]
    return {name: whole * states.count(name) + more.count(name) for name in get_args(Outcome)}
