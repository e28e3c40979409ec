"""How long sending is remembered (保存期限), in MongoDB: from outcomes to mere counts.

A closed broadcast is retired in two steps, noted in `retired`:

1. thirty days after it ended its personal content goes, and how many were delivered is frozen:
   receipts are not kept longer, so the number cannot change any more;
2. when its time is over its outcomes go, a slice at a time, and with them the people it named;
   its counts stay for good. Of a digest, which is one person's, nothing stays.

Each step can be repeated, and done by two processes at once.
"""

from datetime import datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import BroadcastId

Document = dict[str, Any]
SLICE = 5_000


class MongoRetention:
    """Retires broadcasts that are closed."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._broadcasts = database["broadcasts"]
        self._deliveries = database["deliveries"]
        self._batches = database["batches"]
        self._revisions = database["broadcast_revisions"]

    async def strip(self, *, ended_before: datetime, limit: int) -> int:
        """Step one, for the oldest; returns how many."""
        found = await self._ended(None, ended_before, limit)
        for broadcast_id in found:
            delivered = await self._deliveries.count_documents(
                {"broadcast": broadcast_id, "delivered": True}
            )
            await self._broadcasts.update_one(
                {"_id": broadcast_id, "retired": None},
                {
                    "$set": {"retired": 1, "delivered": delivered},
                    "$unset": {
                        "notice.sealed": "",
                        "notice.immediate": "",
                        "notice.daily": "",
                        "notice.weekly": "",
                        "notice.digest": "",
                        "notice.over": "",
                        "digest.key": "",
                        "digest.openid": "",
                    },
                },
            )
            await self._broadcasts.update_one(
                {"_id": broadcast_id, "kind": "digest"}, {"$set": {"audience.openids": []}}
            )
        return len(found)

    async def thin(self, *, ended_before: datetime, limit: int) -> tuple[int, int]:
        """Step two: delete outcomes, at most `limit` slices of a broadcast at a time.

        Returns how many broadcasts that ended, and how many outcomes went.
        """
        ended = deleted = 0
        for broadcast_id in await self._ended(1, ended_before, limit):
            for _ in range(limit):
                cursor = self._deliveries.find({"broadcast": broadcast_id}, {"_id": 1})
                ids = [row["_id"] async for row in cursor.limit(SLICE)]
                if not ids:
                    await self._end(broadcast_id)
                    ended += 1
                    break
                result = await self._deliveries.delete_many({"_id": {"$in": ids}})
                deleted += result.deleted_count
        return ended, deleted

    async def _end(self, broadcast_id: BroadcastId) -> None:
        query = {"_id": broadcast_id, "kind": "digest"}
        if await self._broadcasts.find_one(query, {"_id": 1}):
            await self._batches.delete_many({"broadcast": broadcast_id})
            await self._broadcasts.delete_one(query)
        else:
            await self._broadcasts.update_one(
                {"_id": broadcast_id}, {"$set": {"retired": 2, "audience.openids": []}}
            )
            await self._revisions.update_many(
                {"_id": {"$gt": f"{broadcast_id}:", "$lt": f"{broadcast_id};"}},
                {"$set": {"audience.openids": []}},
            )

    async def _ended(
        self, step: int | None, ended_before: datetime, limit: int
    ) -> list[BroadcastId]:
        cursor = self._broadcasts.find(
            {
                "retired": step,
                "finished_at": {"$lt": ended_before},
                "fanout.open": {"$ne": True},
            },
            {"_id": 1},
        )
        cursor = cursor.sort("finished_at", ASCENDING).limit(limit)
        return [BroadcastId(found["_id"]) async for found in cursor]
