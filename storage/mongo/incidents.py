"""Incidents (值班提醒) in MongoDB: one record of each event, and whether it has been told.

At most one open record has the same `what`: a unique index sees to it, so several schedulers may
look at once. A record that is to be told has `tell_at`; whoever claims it moves that time on, so
a sender that dies is followed by another, and what was told twice is the same record twice.
Records go 90 days after they are over.
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.ids import AccountId
from domain.incident import Condition, Incident, IncidentKind

KEPT = timedelta(days=90)
SHOWN = 50
PACE = "pace"  # the one document that says when the webhook may be called next

Document = dict[str, Any]


class MongoIncidents:
    """The incidents of all accounts."""

    collection = "incidents"
    indexes = (
        IndexModel(
            [("what", ASCENDING)],
            name="open",
            unique=True,
            partialFilterExpression={"is_open": True},
        ),
        IndexModel([("account", ASCENDING), ("is_open", DESCENDING), ("noticed_at", DESCENDING)]),
        IndexModel(
            [("tell_at", ASCENDING)],
            name="to_be_told",
            partialFilterExpression={"tell_at": {"$type": "date"}},
        ),
        IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._incidents = database[self.collection]

    # --- what is seen -------------------------------------------------------------------------

    async def see(self, condition: Condition, now: datetime, *, tell: bool) -> bool:
        """Note that a condition holds; True for the one look that made the record."""
        try:
            result = await self._incidents.update_one(
                {"what": condition.what, "is_open": True},
                {
                    "$set": {"seen_at": now, "detail": condition.detail},
                    "$setOnInsert": {
                        "_id": f"in_{secrets.token_hex(12)}",
                        "kind": condition.kind,
                        "account": condition.account,
                        "subject": condition.subject,
                        "link": condition.link,
                        "noticed_at": now,
                        "tries": 0,
                        **({"tell_at": now} if tell else {}),
                    },
                },
                upsert=True,
            )
        except DuplicateKeyError:
            return False  # another process was first
        return result.upserted_id is not None

    async def end(
        self, kinds: Collection[IncidentKind], *, unseen_since: datetime, now: datetime
    ) -> int:
        """Close what has not been seen since then; returns how many."""
        result = await self._incidents.update_many(
            {"is_open": True, "kind": {"$in": list(kinds)}, "seen_at": {"$lt": unseen_since}},
            {"$set": {"is_open": False, "over_at": now, "expire_at": now + KEPT}},
        )
        return result.modified_count

    # --- for people ---------------------------------------------------------------------------

    async def list_(self, account: AccountId, *, limit: int = SHOWN) -> list[Incident]:
        """Return those of an account and of all accounts: open ones first, then the latest."""
        found: list[Document] = []
        for is_open in (True, False):
            cursor = self._incidents.find({"account": {"$in": [account, None]}, "is_open": is_open})
            found += await cursor.sort("noticed_at", DESCENDING).limit(limit).to_list()
        return [_incident(document) for document in found[:limit]]

    async def acknowledge(self, id_: str, account: AccountId, by: str, now: datetime) -> bool:
        """Note who knows of it; the first one counts. False when there is no such record."""
        mine = {"_id": id_, "account": {"$in": [account, None]}}
        await self._incidents.update_one(
            {**mine, "acknowledged_at": None},
            {"$set": {"acknowledged_by": by, "acknowledged_at": now}},
        )
        return await self._incidents.find_one(mine, {"_id": 1}) is not None

    # --- for the webhook ----------------------------------------------------------------------

    async def is_any_due(self, now: datetime) -> bool:
        """Whether there is something to tell."""
        return await self._incidents.find_one({"tell_at": {"$lte": now}}, {"_id": 1}) is not None

    async def take_turn(self, now: datetime, every: timedelta) -> bool:
        """Whether the webhook may be called now: once in `every`, over all processes."""
        try:
            result = await self._incidents.update_one(
                {"_id": PACE, "next_at": {"$lte": now}},
                {"$set": {"next_at": now + every}},
                upsert=True,
            )
        except DuplicateKeyError:
            return False  # somebody called it a moment ago
        return result.modified_count == 1 or result.upserted_id is not None

    async def hold(self, until: datetime) -> None:
        """Let nobody call the webhook before then."""
        await self._incidents.update_one({"_id": PACE}, {"$max": {"next_at": until}}, upsert=True)

    async def claim(self, now: datetime, lease: timedelta) -> Incident | None:
        """Take the oldest that is to be told; when nothing is heard of it, it is told again."""
        found = await self._incidents.find_one_and_update(
            {"tell_at": {"$lte": now}},
            {"$set": {"tell_at": now + lease}, "$inc": {"tries": 1}},
            sort=[("tell_at", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        return _incident(found) if found else None

    async def told(self, incident: Incident, now: datetime) -> None:
        """It has arrived."""
        await self._incidents.update_one(
            {"_id": incident.id}, {"$set": {"told_at": now}, "$unset": {"tell_at": ""}}
        )

    async def tell_again(self, incident: Incident, at: datetime | None) -> None:
        """It has not arrived: try again at that time, or never."""
        change: Document = {"$set": {"tell_at": at}} if at else {"$unset": {"tell_at": ""}}
        await self._incidents.update_one({"_id": incident.id, "told_at": None}, change)


def _incident(found: Document) -> Incident:
    return Incident(
        id=found["_id"],
        condition=Condition(
            kind=found["kind"],
            what=found["what"],
            subject=found["subject"],
            detail=found["detail"],
            account=AccountId(found["account"]) if found["account"] else None,
            link=found["link"],
        ),
        noticed_at=found["noticed_at"],
        over_at=found.get("over_at"),
        acknowledged_by=found.get("acknowledged_by", ""),
        acknowledged_at=found.get("acknowledged_at"),
        told_at=found.get("told_at"),
        tries=found["tries"],
    )
