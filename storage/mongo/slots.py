"""Slots (名额) in MongoDB: so many per key, each taken once by one holder.

The platform lets a follower get four mass sends a month and an account make a hundred a day. Each
is a key with a number of slots. A holder takes a slot in one update; taking it again finds it
taken by itself, so that a crash in between costs nothing. Slots may be given back.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

Document = dict[str, Any]
DUPLICATE = 11000


class MongoSlots:
    """Slots by key."""

    collection = "slots"
    indexes = (IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._slots = database[self.collection]

    async def take(
        self, keys: Collection[str], holder: str, *, number: int, expire_at: datetime
    ) -> set[str]:
        """Take a slot of each key that has one left, and return the keys the holder holds."""
        if not keys:
            return set()
        free = {"by": {"$ne": holder}, f"by.{number - 1}": {"$exists": False}}
        change = {"$push": {"by": holder}, "$setOnInsert": {"expire_at": expire_at}}
        try:
            await self._slots.bulk_write(
                [UpdateOne({"_id": key, **free}, change, upsert=True) for key in keys],
                ordered=False,
            )
        except BulkWriteError as error:  # a duplicate: none is left, or it is held already
            problems = (error.details or {}).get("writeErrors", [])
            concerns = (error.details or {}).get("writeConcernErrors", [])
            if concerns or any(problem["code"] != DUPLICATE for problem in problems):
                raise
        cursor = self._slots.find({"_id": {"$in": list(keys)}, "by": holder}, {"_id": 1})
        return {found["_id"] async for found in cursor}

    async def give_back(self, keys: Collection[str], holder: str) -> None:
        """Give the holder's slots back; repeating it is harmless."""
        await self._slots.update_many({"_id": {"$in": list(keys)}}, {"$pull": {"by": holder}})
