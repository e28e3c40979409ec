"""Broadcasts of an account, the newest first, page by page (任务列表).

Looking for words reads titles in the same order, a bounded number at a time: a page may hold less
than it could and say where the search goes on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.broadcast import Broadcast, BroadcastState
from domain.ids import AccountId, BroadcastId
from storage.mongo.broadcast_papers import broadcast_from
from storage.mongo.broadcasts import MongoBroadcasts

Document = dict[str, Any]
NEWEST = [("created_at", DESCENDING), ("_id", DESCENDING)]
ZERO = datetime.fromtimestamp(0, UTC)
LOOKED_AT = 5_000  # titles that one page of a search reads: about twenty milliseconds


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
        cursor = self._broadcasts.find(_query(account, state, after)).sort(NEWEST).limit(limit)
        return [broadcast_from(found) async for found in cursor]

    async def search(
        self,
        account: AccountId,
        state: BroadcastState | None,
        text: str,
        *,
        after: Place | None,
        limit: int,
    ) -> tuple[list[Broadcast], Place | None]:
        """Return the next broadcasts whose title has the words, and where to go on, if anywhere.

        Upper and lower case are the same; a whole id finds its broadcast.
        """
        cursor = (
            self._broadcasts.find(_query(account, state, after), {"title": 1, "created_at": 1})
            .sort(NEWEST)
            .limit(LOOKED_AT + 1)
        )
        words = text.casefold()
        ids: list[str] = []
        looked_at, last = 0, None
        async for found in cursor:
            if looked_at == LOOKED_AT or len(ids) == limit:
                break
            looked_at += 1
            last = found
            if words in found["title"].casefold() or found["_id"] == text:
                ids.append(found["_id"])
        else:
            last = None  # everything was looked at
        by_id = {
            found["_id"]: broadcast_from(found)
            async for found in self._broadcasts.find({"_id": {"$in": ids}})
        }
        place = Place(created_at=last["created_at"], id=BroadcastId(last["_id"])) if last else None
        return [by_id[each] for each in ids if each in by_id], place

    async def children(
        self, plan: BroadcastId, *, before: datetime | None, limit: int
    ) -> list[Broadcast]:
        """Return a plan's occurrences, the latest planned first."""
        query: Document = {
            "parent": plan,
            "planned_at": {"$lt": before} if before else {"$gt": ZERO},
        }
        cursor = self._broadcasts.find(query).sort("planned_at", DESCENDING).limit(limit)
        return [broadcast_from(found) async for found in cursor]


def _query(account: AccountId, state: BroadcastState | None, after: Place | None) -> Document:
    query: Document = {"account": account, "kind": "broadcast"}
    if state is not None:
        query["state"] = state
    if after is not None:
        query["$or"] = [
            {"created_at": {"$lt": after.created_at}},
            {"created_at": after.created_at, "_id": {"$lt": after.id}},
        ]
        query["created_at"] = {"$lte": after.created_at}  # where the index begins
    return query
