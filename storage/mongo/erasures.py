"""Erasures (个人信息删除): whose sending record is still to be made pseudonymous.

Written in the same transaction that erases the person, so it cannot be forgotten. The openid is
kept encrypted, for a month: longer than any list of recipients, so that outcomes written after
the erasure, by broadcasts that were under way, are found as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import delivery_id
from storage.mongo.fields import FieldCipher

Document = dict[str, Any]
KEPT = timedelta(days=31)
AGAIN_AFTER = timedelta(minutes=10)
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A person who is erased, and the name that stands in their place."""

    account: AccountId
    openid: OpenId = field(repr=False)
    pseudonym: OpenId
    at: datetime


class MongoErasures:
    """Pending erasures of all accounts."""

    collection = "erasures"
    indexes = (
        IndexModel([("next_at", ASCENDING)]),
        IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self._database = database
        self._erasures = database[self.collection]
        self._fields = fields

    async def begin(
        self, session: AsyncClientSession, account: AccountId, openid: OpenId, at: datetime
    ) -> None:
        """Note an erasure and drop what waits for digests, within the caller's transaction."""
        name = pseudonym(self._fields, account, openid)
        await self._erasures.update_one(
            {"_id": name},
            {
                "$set": {
                    "account": account,
                    "openid": await self._fields.encrypt(openid),
                    "at": at,
                    "next_at": at,
                    "expire_at": at + KEPT,
                }
            },
            upsert=True,
            session=session,
        )
        await self._database["digest_items"].delete_many(
            {"account": account, "openid": openid}, session=session
        )

    async def due(self, now: datetime, *, limit: int = 50) -> list[Erasure]:
        """Return erasures that are to be looked at."""
        cursor = self._erasures.find({"next_at": {"$lte": now}}).sort("next_at", 1).limit(limit)
        return [
            Erasure(
                account=AccountId(found["account"]),
                openid=OpenId(await self._fields.decrypt(found["openid"])),
                pseudonym=OpenId(found["_id"]),
                at=found["at"],
            )
            async for found in cursor
        ]

    async def looked_at(self, erasure: Erasure, now: datetime) -> None:
        """Look again a while later: a broadcast under way may still write an outcome."""
        await self._erasures.update_one(
            {"_id": erasure.pseudonym}, {"$set": {"next_at": now + AGAIN_AFTER}}
        )

    async def apply(self, erasure: Erasure) -> int:
        """Put the pseudonym into the outcomes of closed broadcasts; returns how many changed.

        Counts stay what they are: each page is one transaction. What is still being sent is left
        alone, for its ledger knows people by their openids; so is whatever was begun later, for
        somebody who came back.
        """
        whose: Document = {"account": erasure.account, "openid": erasure.openid}
        await self._database["digest_items"].delete_many(whose | {"at": {"$lte": erasure.at}})
        changed, after = 0, ""
        while True:
            cursor = self._database["deliveries"].find(whose | {"_id": {"$gt": after}})
            page = await cursor.sort("_id", ASCENDING).limit(PAGE).to_list()
            if not page:
                return changed
            after = page[-1]["_id"]
            closed = await self._closed({row["broadcast"] for row in page}, erasure.at)
            mine = [row for row in page if row["broadcast"] in closed]
            if mine and await self._rename(mine, erasure.pseudonym):
                changed += len(mine)

    async def _closed(self, broadcasts: set[str], before: datetime) -> set[str]:
        cursor = self._database["broadcasts"].find(
            {
                "_id": {"$in": list(broadcasts)},
                "created_at": {"$lte": before},
                "fanout.open": {"$ne": True},
            },
            {"_id": 1},
        )
        return {found["_id"] async for found in cursor}

    async def _rename(self, rows: Sequence[Document], name: OpenId) -> bool:
        """Write the rows anew under the pseudonym; False when another process just did."""
        deliveries = self._database["deliveries"]
        renamed = [
            row | {"_id": delivery_id(BroadcastId(row["broadcast"]), name), "openid": name}
            for row in rows
        ]

        async def attempt(session: AsyncClientSession) -> None:
            ids = [row["_id"] for row in rows]
            await deliveries.delete_many({"_id": {"$in": ids}}, session=session)
            await deliveries.insert_many(renamed, session=session)
            await self._database["broadcasts"].update_many(
                {
                    "_id": {"$in": [row["broadcast"] for row in rows]},
                    "audience.openids": rows[0]["openid"],
                },
                {"$set": {"audience.openids.$": name}},
                session=session,
            )
            await self._database["broadcasts"].update_many(
                {
                    "_id": {"$in": [row["broadcast"] for row in rows]},
                    "digest.openid": rows[0]["openid"],
                },
                {"$unset": {"digest.openid": "", "digest.key": ""}},
                session=session,
            )

        try:
            async with self._database.client.start_session() as session:
                await session.with_transaction(attempt)
        except DuplicateKeyError:
            return False
        return True


def pseudonym(fields: FieldCipher, account: AccountId, openid: OpenId) -> OpenId:
    """Return the keyed hash that stands for an erased person; the key is `security.field_key`."""
    return OpenId(f"erased-{fields.blind('erased', f'{account}:{openid}')}")
