"""Broadcasts of an account, the newest first, page by page (任务列表)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.broadcast import Broadcast, BroadcastState
from domain.ids import AccountId, BroadcastId
from storage.mongo.broadcast_papers import broadcast_from
from storage.mongo.broadcasts import MongoBroadcasts

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ended: the list goes on behind this broadcast."""

    created_at: datetime
    id: BroadcastId


class MongoBroadcastLists:
    """Lists of broadcasts; personal notices and digests are not among them."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._broadcasts = database[MongoBroadcasts.collection]

    async def page(
        self,
        account: AccountId,
        state: BroadcastState | None,
        *,
        after: Place | None,
        limit: int,
    ) -> list[Broadcast]:
        """Return the next broadcasts behind a place."""
        query: Document = {"account": account, "kind": "broadcast"}
        if state is not None:
            query["state"] = state
        if after is not None:
            query["$or"] = [
                {"created_at": {"$lt": after.created_at}},
                {"created_at": after.created_at, "_id": {"$lt": after.id}},
            ]
            query["created_at"] = {"$lte": after.created_at}  # where the index begins
        cursor = (
            self._broadcasts.find(query)
            .sort([("created_at", DESCENDING), ("_id", DESCENDING)])
            .limit(limit)
        )
        return [broadcast_from(found) async for found in cursor]
