"""Begun batches (已开始的批次): given back after work on them began, and held by nobody.

A view on the ledger's collection. They wait in no queue: their time says when somebody may go on
with them. Those of a broadcast that stands still are set aside for a while, again and again, so
that any number of them hides nobody else's; when it goes on they are taken up at once.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection

from domain.broadcast import Rank
from domain.ids import AccountId, BroadcastId

Document = dict[str, Any]
Begun = tuple[str, BroadcastId, tuple[AccountId, Rank]]  # a batch, whose it is, and its lane
BEGUN: Document = {"begun": True}
BEGUN_FIELDS = {"broadcast": 1, "account": 1, "rank": 1}
ASIDE = timedelta(seconds=10)


class MongoBegun:
    """The begun batches of all broadcasts (`MongoLedger.begun`)."""

    def __init__(self, batches: AsyncCollection[Document]) -> None:
        self._batches = batches

    async def list_(
        self, now: datetime, *, lanes: Collection[tuple[AccountId, Rank]], limit: int
    ) -> list[Begun]:
        """Return those that are due, the longest due first, without these accounts' ranks."""
        query: Document = {**BEGUN, "due_at": {"$lte": now}}
        if lanes:
            query["$nor"] = [{"account": account, "rank": rank} for account, rank in lanes]
        cursor = self._batches.find(query, BEGUN_FIELDS).sort("due_at", ASCENDING).limit(limit)
        return [begun_from(found) for found in await cursor.to_list()]

    async def set_aside(self, broadcasts: Collection[BroadcastId], now: datetime) -> None:
        """Put off what is due of broadcasts that stand still."""
        if broadcasts:
            await self._batches.update_many(
                {
                    "broadcast": {"$in": list(broadcasts)},
                    "state": "ready",
                    "due_at": {"$lte": now},
                    **BEGUN,
                },
                {"$set": {"due_at": now + ASIDE}},
            )

    async def take_up(self, broadcast: BroadcastId, now: datetime) -> None:
        """Make due at once what was set aside: the broadcast goes on.

        What waits for so short a time for another reason will be given back again.
        """
        await self._batches.update_many(
            {
                "broadcast": broadcast,
                "state": "ready",
                "due_at": {"$gt": now, "$lte": now + ASIDE},
                **BEGUN,
            },
            {"$set": {"due_at": now}},
        )


def begun_from(document: Document) -> Begun:
    """Read the fields of `BEGUN_FIELDS`."""
    lane = (AccountId(document["account"]), document.get("rank", "bulk"))
    return document["_id"], BroadcastId(document["broadcast"]), lane
