"""Mass sends (群发) in MongoDB: one job per batch, whom it went to, and what the platform counted.

The list is written before the call. After a crash the call is repeated with the same list and the
same clientmsgid, and the platform answers with the job it has already. The result may come before
the answer to the call: it is kept under its message id until the job knows its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId, BroadcastId, OpenId

Document = dict[str, Any]
SEPARATOR = "\n"
LISTS_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class MassResult:
    """What MASSSENDJOBFINISH tells: counts, never names."""

    status: str
    total: int
    filtered: int
    sent: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedMass:
    """A job as it was written before its first call."""

    people: tuple[OpenId, ...]
    begun_at: datetime


class MongoMassJobs:
    """The mass sends of all accounts."""

    collection = "mass_jobs"
    indexes = (
        IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),
        IndexModel([("broadcast", ASCENDING)]),
        IndexModel([("parent", ASCENDING)], sparse=True),
        IndexModel(
            [("account", ASCENDING), ("msg_id", ASCENDING)],
            name="msg_id",
            partialFilterExpression={"msg_id": {"$exists": True}},
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._jobs = database[self.collection]

    async def find(self, batch: str) -> PreparedMass | None:
        """Return the job of a batch, if it was begun."""
        found = await self._jobs.find_one({"_id": batch})
        return _prepared(found) if found else None

    async def prepare(
        self,
        batch: str,
        account: AccountId,
        broadcast: BroadcastId,
        parent: BroadcastId | None,
        people: Sequence[OpenId],
        now: datetime,
    ) -> PreparedMass:
        """Write the list down before the call; a list that stands there already is returned."""
        found = await self._jobs.find_one_and_update(
            {"_id": batch},
            {
                "$setOnInsert": {
                    "account": account,
                    "broadcast": broadcast,
                    **({"parent": parent} if parent else {}),
                    "people": SEPARATOR.join(people),
                    "at": now,
                    "expire_at": now + LISTS_KEPT,
                }
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            raise LookupError(f"the mass send of batch {batch} was not kept")
        return _prepared(found)

    async def drop(self, batch: str) -> None:
        """Forget a job that the platform certainly did not take."""
        await self._jobs.delete_one({"_id": batch, "msg_id": {"$exists": False}})

    async def accepted(self, batch: str, account: AccountId, msg_id: str) -> None:
        """Note the platform's id, and the result if it came first."""
        await self._jobs.update_one({"_id": batch}, {"$set": {"msg_id": msg_id}})
        early = await self._jobs.find_one({"_id": _early(account, msg_id)})
        if early is not None:
            await self._jobs.update_one({"_id": batch}, {"$set": {"result": early["result"]}})

    async def finish(
        self, account: AccountId, msg_id: str, result: MassResult, now: datetime
    ) -> BroadcastId | None:
        """Note a result and return whose it is; one that nobody expects yet is kept."""
        document = {
            "status": result.status,
            "total": result.total,
            "filtered": result.filtered,
            "sent": result.sent,
            "failed": result.failed,
        }
        broadcast = await self._finish(account, msg_id, document)
        if broadcast is not None:
            return broadcast
        await self._jobs.update_one(
            {"_id": _early(account, msg_id)},
            {"$set": {"result": document, "expire_at": now + timedelta(days=1)}},
            upsert=True,
        )
        return await self._finish(account, msg_id, document)  # the answer may have come meanwhile

    async def delivered(self, broadcast: BroadcastId) -> int:
        """Return how many people the platform says it reached."""
        return await self._sum({"broadcast": broadcast})

    async def delivered_of_plan(self, plan: BroadcastId) -> int:
        """The same over all occurrences of a plan."""
        return await self._sum({"parent": plan})

    async def results(self, broadcast: BroadcastId) -> list[MassResult]:
        """Return the results that have come for a broadcast."""
        cursor = self._jobs.find({"broadcast": broadcast, "result": {"$exists": True}})
        return [MassResult(**found["result"]) async for found in cursor]

    async def _finish(
        self, account: AccountId, msg_id: str, result: Document
    ) -> BroadcastId | None:
        found = await self._jobs.find_one_and_update(
            {"account": account, "msg_id": msg_id}, {"$set": {"result": result}}
        )
        return BroadcastId(found["broadcast"]) if found else None

    async def _sum(self, query: Document) -> int:
        cursor = await self._jobs.aggregate(
            [{"$match": query}, {"$group": {"_id": None, "sent": {"$sum": "$result.sent"}}}]
        )
        async for row in cursor:
            return int(row["sent"])
        return 0


def _prepared(document: Document) -> PreparedMass:
    people = document["people"].split(SEPARATOR)
    return PreparedMass(people=tuple(map(OpenId, people)), begun_at=document["at"])


def _early(account: AccountId, msg_id: str) -> str:
    return f"early:{account}:{msg_id}"
