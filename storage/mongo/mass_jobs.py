"""Mass sends (群发) in MongoDB: one job per batch, whom it went to, and what the platform counted.

The list is written before the call. After a crash the call is repeated with the same list and the
same clientmsgid, and the platform answers with the job it has already. The result may come before
the answer to the call: it is kept under its message id until the job knows its own. Lists expire;
jobs, which name nobody, stay with their counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel
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
    lists_collection = "mass_lists"
    indexes = (
        IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),  # results nobody expects
        IndexModel([("broadcast", ASCENDING)]),
        IndexModel([("parent", ASCENDING)], sparse=True),
        IndexModel(
            [("account", ASCENDING), ("msg_id", ASCENDING)],
            name="msg_id",
            partialFilterExpression={"msg_id": {"$exists": True}},
        ),
    )

    list_indexes = (IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._jobs = database[self.collection]
        self._lists = database[self.lists_collection]

    async def create_list_indexes(self) -> None:
        """Create the index that lets lists go."""
        await self._lists.create_indexes(list(self.list_indexes))

    async def find(self, batch: str) -> PreparedMass | None:
        """Return the job of a batch, if it was begun."""
        job = await self._jobs.find_one({"_id": batch}, {"at": 1})
        people = await self._lists.find_one({"_id": batch}, {"people": 1})
        if job is None or people is None:
            return None
        listed = tuple(map(OpenId, people["people"].split(SEPARATOR)))
        return PreparedMass(people=listed, begun_at=job["at"])

    async def prepare(
        self,
        batch: str,
        account: AccountId,
        broadcast: BroadcastId,
        parent: BroadcastId | None,
        people: Sequence[OpenId],
        now: datetime,
    ) -> PreparedMass:
        """Write the list down, then the job; what stands there already is returned."""
        await self._lists.update_one(
            {"_id": batch},
            {"$setOnInsert": {"people": SEPARATOR.join(people), "expire_at": now + LISTS_KEPT}},
            upsert=True,
        )
        job = {"account": account, "broadcast": broadcast, "at": now}
        if parent is not None:
            job["parent"] = parent
        await self._jobs.update_one({"_id": batch}, {"$setOnInsert": job}, upsert=True)
        found = await self.find(batch)
        if found is None:
            raise LookupError(f"the mass send of batch {batch} was not kept")
        return found

    async def drop(self, batch: str) -> None:
        """Forget a job that the platform certainly did not take, and its list."""
        if await self._jobs.find_one({"_id": batch, "msg_id": {"$exists": True}}, {"_id": 1}):
            return
        await self._jobs.delete_one({"_id": batch})
        await self._lists.delete_one({"_id": batch})

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


def _early(account: AccountId, msg_id: str) -> str:
    return f"early:{account}:{msg_id}"
