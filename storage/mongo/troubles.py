"""Broadcasts that need somebody (要处理的任务): failed, paused by the engine, or waiting.

Personal notices and digests are told of together: there may be thousands, and none has a page.

Every question uses the index on account, kind, state and time of making, and is bounded.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.authors import person_of
from domain.broadcast import BroadcastState, Kind
from domain.ids import AccountId, BroadcastId
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.ledger import SWEPT, MongoLedger

MADE_WITHIN = timedelta(days=90)  # a broadcast may be planned that long before it fails
MOST = 100
MILLISECONDS = 3_000

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubled:
    """A broadcast as a list of what waits shows it."""

    id: BroadcastId
    title: str
    state: BroadcastState
    author: str
    created_at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithDead:
    """A broadcast, notice or digest that has dead batches, and how many."""

    id: BroadcastId
    kind: Kind
    title: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedPersonal:
    """How many notices and digests the engine paused, and why most of them."""

    number: int
    reason: str


class MongoTroubles:
    """Reads the broadcasts of an account by what is to be done about them."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._broadcasts = database[MongoBroadcasts.collection]
        self._batches = database[MongoLedger.collection]

    async def with_dead(self, account: AccountId) -> list[WithDead]:
        """Return those with dead batches, by their ids: found by the index of the sweep."""
        cursor = await self._batches.aggregate(
            [
                {"$match": {"state": "dead", "account": account}},
                {"$group": {"_id": "$broadcast", "number": {"$sum": 1}}},
                {"$sort": {"_id": ASCENDING}},
            ],
            hint=dict(SWEPT),
            maxTimeMS=MILLISECONDS,
        )
        numbers = {row["_id"]: row["number"] async for row in cursor}
        found = self._broadcasts.find({"_id": {"$in": list(numbers)}}, {"kind": 1, "title": 1})
        return [
            WithDead(
                id=BroadcastId(row["_id"]),
                kind=row["kind"],
                title=row["title"],
                number=numbers[row["_id"]],
            )
            async for row in found.sort("_id", ASCENDING).max_time_ms(MILLISECONDS)
        ]

    async def failed(self, account: AccountId, now: datetime, since: datetime) -> list[Troubled]:
        """Return those that failed since then."""
        return await self._find(
            account, "failed", {"finished_at": {"$gte": since}}, made_after=now - MADE_WITHIN
        )

    async def paused_by_itself(self, account: AccountId) -> list[Troubled]:
        """Return those that the engine stopped, and nobody has decided about since."""
        return await self._find(account, "paused", {"by_itself": True})

    async def paused_personal(self, account: AccountId) -> PausedPersonal | None:
        """Return what the engine stopped of notices and digests, None if nothing."""
        cursor = await self._broadcasts.aggregate(
            [
                {
                    "$match": {
                        "account": account,
                        "kind": {"$in": ["notice", "digest"]},
                        "state": "paused",
                        "by_itself": True,
                    }
                },
                {"$group": {"_id": "$reason", "number": {"$sum": 1}}},
                {"$sort": {"number": DESCENDING, "_id": ASCENDING}},
            ],
            maxTimeMS=MILLISECONDS,
        )
        rows = [row async for row in cursor]
        if not rows:
            return None
        return PausedPersonal(number=sum(row["number"] for row in rows), reason=rows[0]["_id"])

    async def with_unknown(self, account: AccountId, since: datetime) -> list[Troubled]:
        """Return those made since then that ended with people of whom nobody knows."""
        return await self._find(
            account, "finished", {"totals.unknown": {"$gt": 0}}, made_after=since
        )

    async def in_state(
        self, account: AccountId, state: BroadcastState, *, author: str | None = None
    ) -> list[Troubled]:
        """Return those in a state, the newest first, at most a hundred.

        With `author`, those that this person made or edited, under whatever name.
        """
        person = {"$regex": f"^{re.escape(person_of(author))}(:|$)"} if author else None
        mine = {"$or": [{"author": person}, {"edited_by": person}]} if person else {}
        return await self._find(account, state, mine)

    async def _find(
        self,
        account: AccountId,
        state: BroadcastState,
        more: Document,
        made_after: datetime | None = None,
    ) -> list[Troubled]:
        query = {"account": account, "kind": "broadcast", "state": state, **more}
        if made_after is not None:
            query["created_at"] = {"$gte": made_after}
        fields = ("title", "state", "author", "created_at", "reason")
        cursor = (
            self._broadcasts.find(query, dict.fromkeys(fields, 1))
            .sort([("created_at", DESCENDING), ("_id", DESCENDING)])
            .limit(MOST)
            .max_time_ms(MILLISECONDS)
        )
        return [
            Troubled(id=BroadcastId(found["_id"]), **{name: found[name] for name in fields})
            async for found in cursor
        ]
