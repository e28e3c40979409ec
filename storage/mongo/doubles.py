"""Broadcasts that say the same (重复内容), for whoever is about to send it again."""

from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.broadcast import Broadcast
from domain.ids import AccountId
from storage.mongo.broadcast_papers import broadcast_from
from storage.mongo.broadcasts import MongoBroadcasts

Document = dict[str, Any]


class MongoDoubles:
    """Looks for the same content, by the index on its digest and by what is in review."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._broadcasts = database[MongoBroadcasts.collection]

    async def list_alike(
        self, account: AccountId, digest: str, since: datetime, *, limit: int = 50
    ) -> list[Broadcast]:
        """Return broadcasts and plans with the same content that are not called off.

        They were made or sent since then, or are still to be sent.
        """
        cursor = self._broadcasts.find(
            {
                "account": account,
                "content.digest": digest,
                "$or": [{name: {"$gte": since}} for name in ("created_at", "due_at", "started_at")],
                "state": {"$in": ["scheduled", "sending", "paused", "finished"]},
                "test_of": None,
            }
        ).limit(limit)
        return [broadcast_from(found) for found in await cursor.to_list()]

    async def list_in_review(self, account: AccountId, *, limit: int = 50) -> list[Broadcast]:
        """Return what waits for its review, the newest first."""
        cursor = (
            self._broadcasts.find({"account": account, "kind": "broadcast", "state": "in_review"})
            .sort([("created_at", DESCENDING), ("_id", DESCENDING)])
            .limit(limit)
        )
        return [broadcast_from(found) for found in await cursor.to_list()]
