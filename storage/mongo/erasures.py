"""Erasures (个人信息删除): whose sending record is still to be made pseudonymous.

Written in the same transaction that erases the person, so it cannot be forgotten. The openid is
kept encrypted, for a month: longer than any list of recipients, so that outcomes written after
the erasure, by broadcasts that were under way, are found as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pymongo
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import delivery_id
from storage.mongo.fields import FieldCipher

Document = dict[str, Any]
KEPT = timedelta(days=31)
AGAIN_AFTER = timedelta(minutes=10)
PAGE = 500
PATIENCE_SECONDS = 10.0  # for one page, retries after conflicts included


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
        """Note an erasure, and drop consents and what waits for digests, all in one transaction."""
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
        for collection in ("digest_items", "consents"):
            await self._database[collection].delete_many(
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

    async def looked_at(self, erasure: Erasure, now: datetime, *, is_open: bool) -> None:
        """Look again a while later: a broadcast under way may still write an outcome."""
        change: Document = {"next_at": now + AGAIN_AFTER}
        if is_open:  # something is paused perhaps; the erasure is remembered as long
            change["expire_at"] = now + KEPT
        await self._erasures.update_one({"_id": erasure.pseudonym}, {"$set": change})

    async def apply(self, erasure: Erasure) -> tuple[int, int]:
        """Put the pseudonym into the outcomes of closed broadcasts.

        Returns how many changed, and how many are left because their broadcast is open.

        Counts stay what they are: each page is one transaction. What is still being sent is left
        alone, for its ledger knows people by their openids; so is whatever was begun later, for
        somebody who came back.
        """
        whose: Document = {"account": erasure.account, "openid": erasure.openid}
        for collection in ("digest_items", "attempts"):
            await self._database[collection].delete_many(whose | {"at": {"$lte": erasure.at}})
        await self._forget_slots(erasure)
        changed, left, after = 0, 0, ""
        while True:
            cursor = self._database["deliveries"].find(whose | {"_id": {"$gt": after}})
            page = await cursor.sort("_id", ASCENDING).limit(PAGE).to_list()
            if not page:
                return changed, left
            after = page[-1]["_id"]
            earlier = await self._begun_before({row["broadcast"] for row in page}, erasure.at)
            mine = [row["_id"] for row in page if earlier.get(row["broadcast"]) is False]
            left += sum(earlier.get(row["broadcast"]) is True for row in page)
            if mine:
                changed += await self._rename(mine, erasure)

    async def _forget_slots(self, erasure: Erasure) -> None:
        """Drop the counts of mass sends (`domain.mass.month_key`): the openid is in them."""
        key = f"mass:{erasure.account}:{erasure.openid}"
        await self._database["slots"].delete_many({"_id": {"$gte": f"{key}:", "$lt": f"{key};"}})

    async def _begun_before(self, broadcasts: set[str], moment: datetime) -> dict[str, bool]:
        """Return those made before the moment, and whether each is still open."""
        cursor = self._database["broadcasts"].find(
            {"_id": {"$in": list(broadcasts)}, "created_at": {"$lte": moment}}, {"fanout.open": 1}
        )
        return {found["_id"]: bool(found.get("fanout", {}).get("open")) async for found in cursor}

    async def _rename(self, ids: Sequence[str], erasure: Erasure) -> int:
        """Write these outcomes anew under the pseudonym.

        They are read in the transaction: a receipt that comes at this moment, or another process
        that does the same, makes it begin again.
        """
        name, broadcasts = erasure.pseudonym, self._database["broadcasts"]
        deliveries = self._database["deliveries"]

        async def attempt(session: AsyncClientSession) -> int:
            rows = await deliveries.find({"_id": {"$in": ids}}, session=session).to_list()
            if not rows:
                return 0
            await deliveries.delete_many({"_id": {"$in": ids}}, session=session)
            await deliveries.insert_many([_renamed(row, name) for row in rows], session=session)
            sent: Document = {"_id": {"$in": [row["broadcast"] for row in rows]}}
            await broadcasts.update_many(
                sent | {"audience.openids": erasure.openid},
                {"$set": {"audience.openids.$": name}},
                session=session,
            )
            await broadcasts.update_many(
                sent | {"digest.openid": erasure.openid},
                {"$unset": {"digest.openid": "", "digest.key": ""}},
                session=session,
            )
            return len(rows)

        with pymongo.timeout(PATIENCE_SECONDS):
            async with self._database.client.start_session() as session:
                return await session.with_transaction(attempt)


def _renamed(row: Document, name: OpenId) -> Document:
    return row | {"_id": delivery_id(BroadcastId(row["broadcast"]), name), "openid": name}


def pseudonym(fields: FieldCipher, account: AccountId, openid: OpenId) -> OpenId:
    """Return the keyed hash that stands for an erased person; the key is `security.field_key`."""
    return OpenId(f"erased-{fields.blind('erased', f'{account}:{openid}')}")
