"""Records of review (审核记录): comments, approvals, rejections, publications; never changed."""

from collections.abc import Collection
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId, BroadcastId
from domain.review import Review

Document = dict[str, Any]
SHOWN = 500  # records of one broadcast, the latest


class MongoReviews:
    """The records of all broadcasts."""

    collection = "broadcast_reviews"
    indexes = (IndexModel([("broadcast", ASCENDING), ("at", ASCENDING), ("_id", ASCENDING)]),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._reviews = database[self.collection]

    async def add(self, review: Review) -> None:
        """Write a record; one that is there stays as it is, so a repeated request is harmless."""
        document = {
            "broadcast": review.broadcast,
            "account": review.account,
            "revision": review.revision,
            "kind": review.kind,
            "by": review.by,
            "at": review.at,
            "text": review.text,
            "digest": review.digest,
        }
        await self._reviews.update_one({"_id": review.id}, {"$setOnInsert": document}, upsert=True)

    async def list_(self, broadcast: BroadcastId) -> list[Review]:
        """Return a broadcast's latest records in the order of time."""
        cursor = (
            self._reviews.find({"broadcast": broadcast})
            .sort([("at", DESCENDING), ("_id", DESCENDING)])
            .limit(SHOWN)
        )
        return [_review(found) for found in reversed(await cursor.to_list())]

    async def list_all(
        self, broadcasts: Collection[BroadcastId]
    ) -> dict[BroadcastId, list[Review]]:
        """Return the records of several broadcasts, each in the order of time."""
        records: dict[BroadcastId, list[Review]] = {}
        if broadcasts:
            cursor = self._reviews.find({"broadcast": {"$in": list(broadcasts)}})
            async for found in cursor.sort([("at", ASCENDING), ("_id", ASCENDING)]):
                review = _review(found)
                records.setdefault(review.broadcast, []).append(review)
        return records


def _review(document: Document) -> Review:
    return Review(
        id=document["_id"],
        broadcast=BroadcastId(document["broadcast"]),
        account=AccountId(document["account"]),
        revision=document["revision"],
        kind=document["kind"],
        by=document["by"],
        at=document["at"],
        text=document["text"],
        digest=document["digest"],
    )
