"""Broadcasts for the tests of the console: in review, or sent with every kind of outcome."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from domain.authors import operator_author
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Delivery, NewBatch, Totals
from tests.support.console import Console
from tests.support.push import order

AUTHOR = operator_author("0123456789abcdef", "拟稿人")


async def in_review(console: Console, author: str = AUTHOR, **changes: Any) -> BroadcastId:
    """Submit a broadcast to everybody of `city`."""
    accepted = await console.ctx.broadcasts.create(order(**changes), author=author, publish=False)
    return accepted.id


async def sent(console: Console, *, people: int = 30, **changes: Any) -> BroadcastId:
    """Write down a broadcast that was sent: one in ten failed, one in ten left, most delivered."""
    ctx, now = console.ctx, console.ctx.clock.now()
    accepted = await ctx.broadcasts.create(order(**changes), author=AUTHOR, publish=True)
    stores = ctx.stores
    openids = tuple(OpenId(f"oSent{number:022}") for number in range(people))
    batch = NewBatch(
        broadcast=accepted.id,
        account=AccountId("city"),
        seq=0,
        people=openids,
        cursor="end",
        queue="city:q",
        priority="normal",
        due_at=now,
    )
    await stores.ledger.add([batch])
    deliveries = [_delivery(number, openid, now) for number, openid in enumerate(openids)]
    await stores.deliveries.record(AccountId("city"), accepted.id, None, deliveries)
    await stores.database["deliveries"].update_many(
        {"broadcast": accepted.id, "state": "sent"},
        {"$set": {"delivered": True, "receipt": "success", "receipt_at": now}},
    )
    states = [delivery.state for delivery in deliveries]
    totals = Totals(
        people=people,
        sent=states.count("sent"),
        failed=states.count("failed"),
        skipped=states.count("skipped"),
    )
    begun = {"state": "sending", "started_at": now - timedelta(minutes=3)}
    fanout = {"open": True, "owner": "t", "until": now, "done": people}
    await stores.database["broadcasts"].update_one(
        {"_id": accepted.id}, {"$set": {**begun, "fanout": fanout}}
    )
    assert await stores.broadcasts.close(accepted.id, totals, finished_at=now)
    return accepted.id


def _delivery(number: int, openid: OpenId, now: datetime) -> Delivery:
    at = now - timedelta(seconds=number % 180)
    if number % 10 == 0:
        return Delivery(openid=openid, state="failed", at=at, errcode=43101, reason="refused")
    if number % 10 == 1:
        return Delivery(openid=openid, state="skipped", at=at, reason="expired")
    return Delivery(openid=openid, state="sent", at=at)


async def _one(console: Console) -> tuple[str, ...]:
    return (await in_review(console),)


async def _sent(console: Console) -> tuple[str, ...]:
    return (await sent(console),)


async def _publish(console: Console) -> tuple[str, ...]:
    return (await in_review(console), "publish")


async def _export(console: Console) -> tuple[str, ...]:
    return (await sent(console), "csv")


async def _revision(console: Console) -> tuple[str, ...]:
    return (await in_review(console), "1")


SAMPLES: dict[str, Callable[[Console], Awaitable[tuple[str, ...]]]] = {
    "broadcast": _one,
    "broadcast-audience": _one,
    "broadcast-live": _sent,
    "broadcast-progress": _sent,
    "broadcast-review": _one,
    "broadcast-revision": _revision,
    "broadcast-approve": _one,
    "broadcast-reject": _one,
    "broadcast-comment": _one,
    "broadcast-switch": _publish,
    "broadcast-discard": _one,
    "broadcast-report": _sent,
    "broadcast-report-time": _sent,
    "broadcast-report-reasons": _sent,
    "broadcast-report-failures": _sent,
    "broadcast-recipients": _sent,
    "broadcast-export": _export,
}
