"""Dead batches (死信): set aside by the ledger because they kept killing their worker.

A view on the ledger's collection. Nobody's people are lost here: a batch stays in the list until
it is replayed or its broadcast is cancelled.
"""

from typing import Any

from pymongo import ASCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.dead import DeadBatch
from domain.ids import AccountId, BroadcastId
from storage.mongo.ledger import MongoLedger

Document = dict[str, Any]


class MongoDead:
    """The dead batches of all accounts."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._batches = database[MongoLedger.collection]

    async def list_(
        self,
        *,
        account: AccountId | None = None,
        broadcast: BroadcastId | None = None,
        limit: int = 200,
    ) -> list[DeadBatch]:
        """Return dead batches, those of one account or broadcast if said so, in order."""
        query = _query(account=account, broadcast=broadcast)
        cursor = self._batches.find(query).sort("_id", ASCENDING).limit(limit)
        return [_dead(found) async for found in cursor]


def _query(*, account: AccountId | None = None, broadcast: BroadcastId | None = None) -> Document:
    query: Document = {"state": "dead"}
    if account is not None:
        query["account"] = account
    if broadcast is not None:
        query["broadcast"] = broadcast
    return query


def _dead(document: Document) -> DeadBatch:
    return DeadBatch(
        id=document["_id"],
        broadcast=BroadcastId(document["broadcast"]),
        account=AccountId(document["account"]),
        seq=document["seq"],
        size=document["size"],
        concluded=sum(document["counts"].values()),
        attempts=document["attempt"],
        died_at=document.get("died_at"),
    )
