"""Deliveries of one broadcast, listed page by page in a fixed order (投递明细).

Every question is answered in the order of the index on (broadcast, state, _id), or of `_id`
itself, so a page costs what it holds.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.delivery import Outcome
from domain.ids import BroadcastId, OpenId
from domain.ledger import Delivery
from storage.mongo.deliveries import MongoDeliveries, delivery_from
from storage.mongo.history import CHANNEL

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What became of one person, as it is told to people (`push.outcomes.in_words`)."""

    openid: OpenId
    state: Outcome
    at: datetime
    channel: str
    is_delivered: bool = False
    receipt: str | None = None
    errcode: int | None = None
    reason: str = ""


class MongoDeliveryLists:
    """What became of whom, for people who look and for a broadcast that repeats failures."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._deliveries = database[MongoDeliveries.collection]

    async def page(
        self,
        broadcast: BroadcastId,
        state: Outcome | None,
        *,
        after: OpenId | None = None,
        up_to: OpenId | None = None,
        limit: int,
    ) -> list[Delivery]:
        """Return the next deliveries behind a person, in the order of openids."""
        cursor = (
            self._deliveries.find(_query(broadcast, state, after=after, up_to=up_to))
            .sort("_id", ASCENDING)
            .limit(limit)
        )
        return [delivery_from(found) async for found in cursor]

    async def rows(
        self,
        broadcast: BroadcastId,
        state: Outcome | None,
        *,
        after: OpenId | None = None,
        limit: int,
    ) -> list[Recipient]:
        """Return the same people with what is known of their receipts."""
        cursor = (
            self._deliveries.find(_query(broadcast, state, after=after))
            .sort("_id", ASCENDING)
            .limit(limit)
        )
        return [_recipient(found) for found in await cursor.to_list()]

    async def last(self, broadcast: BroadcastId, state: Outcome) -> OpenId | None:
        """Return the last person of a state in that order."""
        found = await self._deliveries.find_one(
            _query(broadcast, state), {"openid": 1}, sort=[("_id", DESCENDING)]
        )
        return OpenId(found["openid"]) if found else None


def _recipient(document: Document) -> Recipient:
    return Recipient(
        openid=OpenId(document["openid"]),
        state=document["state"],
        at=document["at"],
        channel=document.get("channel", CHANNEL),
        is_delivered=bool(document.get("delivered")),
        receipt=document.get("receipt"),
        errcode=document.get("errcode"),
        reason=document.get("reason", ""),
    )


def _query(
    broadcast: BroadcastId,
    state: Outcome | None,
    *,
    after: OpenId | None = None,
    up_to: OpenId | None = None,
) -> Document:
    bounds: Document = {"$gt": f"{broadcast}:{after or ''}"}
    # all ids of a broadcast begin with its own and a colon; a semicolon comes right behind
    bounds |= {"$lte": f"{broadcast}:{up_to}"} if up_to else {"$lt": f"{broadcast};"}
    query: Document = {"_id": bounds}
    if state is not None:
        query |= {"broadcast": broadcast, "state": state}
    return query
