"""Alerts (预警) in MongoDB: what came, what was decided, and which documents were refused.

A decision about an alert depends on what was decided about the others of its chain, so decisions
of one account are made one after another: each is a transaction that counts up the account's
desk, reads the chain, and inserts the record with everything it gives to say. Two processes that
hear the same alert at the same moment conflict there, and the second finds the first's record.
What a record says is carried out afterwards, under keys that make repeating it harmless; until
`is_done` is set anybody may repeat it. Nothing here is personal.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from domain.alert import CapRefused
from domain.alert_record import AlertRecord, AlertRefusal, Say
from domain.ids import AccountId

Document = dict[str, Any]
Decide = Callable[[Sequence[AlertRecord]], AlertRecord]
KEPT = timedelta(days=180)
REFUSALS_KEPT = timedelta(days=30)
LONGEST_FAMILY = 500
PATIENCE_SECONDS = 15.0  # for one decision, retries after conflicts included: a run has twenty
DESKS = "alert_desks"


class MongoAlerts:
    """The alerts of all accounts."""

    collection = "alerts"
    indexes = (
        IndexModel([("account", ASCENDING), ("chain", ASCENDING)]),
        IndexModel([("account", ASCENDING), ("references", ASCENDING)]),
        IndexModel([("account", ASCENDING), ("received_at", DESCENDING)]),
        IndexModel(
            [("account", ASCENDING)],
            name="unfinished",
            partialFilterExpression={"is_done": False},
        ),
        IndexModel([("kept_until", ASCENDING)], expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._database = database
        self._alerts = database[self.collection]
        self._desks = database[DESKS]

    async def find(self, account: AccountId, digest: str) -> AlertRecord | None:
        """Return an alert by its triple's digest."""
        found = await self._alerts.find_one({"_id": _id(account, digest)})
        return _record(found) if found else None

    async def family(
        self,
        account: AccountId,
        digest: str,
        references: Sequence[str],
        *,
        session: AsyncClientSession | None = None,
    ) -> list[AlertRecord]:
        """Return the messages of the chains that an alert belongs to, the oldest first.

        Linked are what it refers to, what refers to it, and what refers to the same as it does.
        """
        linked: Document = {
            "$or": [
                {"_id": {"$in": [_id(account, each) for each in references]}},
                {"account": account, "references": {"$in": [digest, *references]}},
            ]
        }
        chains = await self._alerts.distinct("chain", linked, session=session)
        if not chains:
            return []
        cursor = self._alerts.find(
            {"account": account, "chain": {"$in": chains}}, session=session
        ).sort([("sent", DESCENDING), ("_id", DESCENDING)])
        records = [_record(found) async for found in cursor.limit(LONGEST_FAMILY)]
        return records[::-1]

    async def settle(
        self,
        account: AccountId,
        digest: str,
        references: Sequence[str],
        decide: Decide,
        document: bytes,
    ) -> tuple[AlertRecord, bool]:
        """Decide about an alert once; returns its record and whether this call made it.

        `decide` gets the family as it is at that moment. It may be called more than once.
        """
        await self._desks.update_one({"_id": account}, {"$setOnInsert": {"number": 0}}, upsert=True)

        async def attempt(session: AsyncClientSession) -> tuple[AlertRecord, bool]:
            await self._desks.update_one({"_id": account}, {"$inc": {"number": 1}}, session=session)
            known = await self._alerts.find_one({"_id": _id(account, digest)}, session=session)
            if known is not None:
                return _record(known), False
            family = await self.family(account, digest, references, session=session)
            record = decide(family)
            await self._alerts.insert_one(_document(account, record, document), session=session)
            chains = {each.chain for each in family} - {record.chain}
            if chains:
                await self._alerts.update_many(
                    {"account": account, "chain": {"$in": list(chains)}},
                    {"$set": {"chain": record.chain}},
                    session=session,
                )
            return record, True

        with pymongo.timeout(PATIENCE_SECONDS):
            async with self._database.client.start_session() as session:
                return await session.with_transaction(attempt)

    async def done(self, account: AccountId, digest: str, *, failed: bool = False) -> None:
        """Note that everything was said that the record gives to say, or that nothing could be."""
        change: Document = {"is_done": True}
        if failed:
            change |= {"action": "ignored", "reason": "not_sayable"}
        await self._alerts.update_one({"_id": _id(account, digest)}, {"$set": change})

    async def unfinished(self, account: AccountId, before: datetime) -> list[AlertRecord]:
        """Return what was decided but perhaps not said: whoever decided it may have died."""
        cursor = self._alerts.find(
            {"account": account, "is_done": False, "received_at": {"$lt": before}}
        )
        return [_record(found) async for found in cursor.sort("received_at", ASCENDING).limit(50)]

    async def latest(self, account: AccountId, *, limit: int = 100) -> list[AlertRecord]:
        """Return the alerts that came last, the newest first."""
        cursor = self._alerts.find({"account": account}, {"document": 0})
        cursor = cursor.sort([("received_at", DESCENDING)]).limit(limit)
        return [_record(found) async for found in cursor]


class MongoAlertRefusals:
    """Documents that were no alerts, by where they came from."""

    collection = "alert_refusals"
    indexes = (
        IndexModel([("account", ASCENDING), ("last_at", DESCENDING)]),
        IndexModel([("kept_until", ASCENDING)], expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._refusals = database[self.collection]

    async def add(
        self, account: AccountId, source: str, refused: CapRefused, document: bytes, now: datetime
    ) -> None:
        """Keep why; the same document from the same place again only counts."""
        name = sha256(b"\n".join([source.encode(), document])).hexdigest()[:32]
        await self._refusals.update_one(
            {"_id": f"{account}|{name}"},
            {
                "$setOnInsert": {
                    "account": account,
                    "source": source,
                    "reason": refused.reason,
                    "sentence": refused.sentence,
                    "where": refused.where,
                    "first_at": now,
                },
                "$set": {"last_at": now, "kept_until": now + REFUSALS_KEPT},
                "$inc": {"times": 1},
            },
            upsert=True,
        )

    async def latest(self, account: AccountId, *, limit: int = 100) -> list[AlertRefusal]:
        """Return what was refused last, the newest first."""
        cursor = self._refusals.find({"account": account}).sort([("last_at", DESCENDING)])
        names = [each.name for each in fields(AlertRefusal)]
        return [
            AlertRefusal(**{name: found[name] for name in names})
            async for found in cursor.limit(limit)
        ]


def _id(account: AccountId, digest: str) -> str:
    return f"{account}|{digest}"


def _document(account: AccountId, record: AlertRecord, document: bytes) -> Document:
    content = asdict(record)
    del content["id"]
    return {
        "_id": _id(account, record.id),
        "account": account,
        **content,
        "document": document,
        "kept_until": record.received_at + KEPT,
    }


def _record(found: Document) -> AlertRecord:
    names = {each.name for each in fields(AlertRecord)} - {"id", "says"}
    content = {name: found[name] for name in names}
    says = tuple(
        Say(**say | {name: tuple(say[name]) for name in ("regions", "before", "stops")})
        for say in found["says"]
    )
    for name in ("references", "warnings"):
        content[name] = tuple(content[name])
    return AlertRecord(id=found["_id"].rsplit("|", 1)[1], says=says, **content)
