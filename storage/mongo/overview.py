"""Questions about the whole ledger at once, answered from indexes (发送概况).

History does not make them slower: batches that are done are never looked at.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId, BroadcastId
from domain.overview import Running
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.ledger import SWEPT, MongoLedger

MILLISECONDS = 5_000
SHOWN = 50  # broadcasts, the latest first

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatches:
    """The batches of one broadcast in one state: how many, and the oldest due time."""

    account: AccountId
    broadcast: BroadcastId
    state: str
    number: int
    due: int  # of them, how many are due
    oldest: datetime | None


class MongoOverview:
    """Reads over all broadcasts and batches that are not finished."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._batches = database[MongoLedger.collection]
        self._broadcasts = database[MongoBroadcasts.collection]

    async def open_batches(self, now: datetime) -> list[OpenBatches]:
        """Group what is not done; the index that the sweep uses is enough."""
        cursor = await self._batches.aggregate(
            [
                {"$match": {"state": {"$in": ["ready", "leased", "dead"]}}},
                {
                    "$group": {
                        "_id": {"state": "$state", "queue": "$queue", "broadcast": "$broadcast"},
                        "number": {"$sum": 1},
                        "due": {"$sum": {"$cond": [{"$lte": ["$due_at", now]}, 1, 0]}},
                        "oldest": {"$min": "$due_at"},
                    }
                },
            ],
            hint=dict(SWEPT),
            maxTimeMS=MILLISECONDS,
        )
        return [_open(row) async for row in cursor]

    async def leases(self) -> dict[str, int]:
        """Return how many batches each worker holds."""
        cursor = await self._batches.aggregate(
            [
                {"$match": {"state": "leased"}},
                {"$group": {"_id": "$owner", "number": {"$sum": 1}}},
            ],
            maxTimeMS=MILLISECONDS,
        )
        return {row["_id"]: row["number"] async for row in cursor}

    async def count_broadcasts(self) -> dict[tuple[AccountId, BroadcastId], str]:
        """Return the state of every broadcast that is being sent or paused."""
        query = {"state": {"$in": ["sending", "paused"]}}
        cursor = self._broadcasts.find(query, {"account": 1, "state": 1})
        return {
            (AccountId(found["account"]), BroadcastId(found["_id"])): found["state"]
            async for found in cursor
        }

    async def running(self, *, limit: int = SHOWN) -> list[Running]:
        """Return broadcasts (not notices) being sent or paused, without their sums."""
        query = {"state": {"$in": ["sending", "paused"]}, "kind": "broadcast"}
        fields = ("account", "title", "kind", "priority", "state", "started_at", "reason")
        cursor = (
            self._broadcasts.find(query, {**dict.fromkeys(fields, 1), "fanout.done": 1})
            .sort("started_at", DESCENDING)
            .limit(limit)
        )
        return [
            Running(
                id=BroadcastId(found["_id"]),
                expected=found.get("fanout", {}).get("done"),
                **{name: found[name] for name in fields},
            )
            async for found in cursor
        ]


def _open(row: Document) -> OpenBatches:
    key = row["_id"]
    return OpenBatches(
        account=AccountId(key["queue"].partition(":")[0]),
        broadcast=BroadcastId(key["broadcast"]),
        state=key["state"],
        number=row["number"],
        due=row["due"],
        oldest=row["oldest"],
    )
