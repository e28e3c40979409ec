"""Deliveries of one broadcast, listed page by page in a fixed order (投递明细).

Every question is answered in the order of the index on (broadcast, state, _id), or of `_id`
itself, so a page costs what it holds.
"""

from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.delivery import Outcome
from domain.ids import BroadcastId, OpenId
from domain.ledger import Delivery
from storage.mongo.deliveries import MongoDeliveries, delivery_from

Document = dict[str, Any]


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

    async def last(self, broadcast: BroadcastId, state: Outcome) -> OpenId | None:
        """Return the last person of a state in that order."""
        found = await self._deliveries.find_one(
            _query(broadcast, state), {"openid": 1}, sort=[("_id", DESCENDING)]
        )
        return OpenId(found["openid"]) if found else None

    async def count(self, broadcast: BroadcastId, state: Outcome) -> int:
        """Return how many people ended in a state."""
        return await self._deliveries.count_documents({"broadcast": broadcast, "state": state})


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
