"""Deliveries (投递) and receipts (回执): what became of each person, and what WeChat said.

A delivery is written once, under an id made of broadcast and recipient; a second writing of it
changes nothing. A receipt may come before the delivery it belongs to, so receipts are kept on
their own and joined from both sides.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError
from pymongo.write_concern import WriteConcern

from domain.delivery import Outcome
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Delivery, delivery_id

Document = dict[str, Any]
DUPLICATE = 11000
RECEIPTS_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the platform said of one message; `status` in its normalised spelling."""

    account: AccountId
    msgid: str
    status: str
    at: datetime
    delivery: str | None = None  # whose it is, where the send's own answer did not say


class MongoDeliveries:
    """The deliveries of all broadcasts."""

    collection = "deliveries"
    indexes = (
        # the verifier, and lists of people in the order of their ids
        IndexModel([("broadcast", ASCENDING), ("state", ASCENDING), ("_id", ASCENDING)]),
        IndexModel(  # a receipt looks for its message
            [("account", ASCENDING), ("msgid", ASCENDING)],
            partialFilterExpression={"msgid": {"$exists": True}},
        ),
        IndexModel(  # how many were delivered
            [("broadcast", ASCENDING)],
            name="delivered",
            partialFilterExpression={"delivered": True},
        ),
        IndexModel(
            [("parent", ASCENDING)],
            name="delivered_of_plan",
            partialFilterExpression={"delivered": True},
        ),
        IndexModel(  # one person's history
            [("account", ASCENDING), ("openid", ASCENDING), ("at", ASCENDING)], name="history"
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._deliveries = database[self.collection]
        self._broadcasts = database["broadcasts"]
        # the batch update that follows is acknowledged by the journal of a majority, and with
        # it everything written before: these need no acknowledgement of that kind themselves
        self._quick = database.get_collection(self.collection, write_concern=WriteConcern(w=1))

    async def record(
        self,
        account: AccountId,
        broadcast: BroadcastId,
        parent: BroadcastId | None,
        deliveries: Sequence[Delivery],
    ) -> bool:
        """Write what is not yet there; False when some of it already was."""
        if not deliveries:
            return True
        try:
            await self._quick.insert_many(
                [_document(account, broadcast, parent, delivery) for delivery in deliveries],
                ordered=False,
            )
        except BulkWriteError as error:
            details = error.details or {}
            if any(problem["code"] != DUPLICATE for problem in details.get("writeErrors", [])):
                raise
            return False
        return True

    async def outcomes(
        self, broadcast: BroadcastId, openids: Collection[OpenId]
    ) -> Mapping[OpenId, Outcome]:
        """Return what is written of these people."""
        ids = [delivery_id(broadcast, openid) for openid in openids]
        cursor = self._deliveries.find({"_id": {"$in": ids}}, {"openid": 1, "state": 1})
        return {OpenId(found["openid"]): found["state"] async for found in cursor}

    async def list_(
        self, broadcast: BroadcastId, state: Outcome | None = None, *, limit: int = 1000
    ) -> list[Delivery]:
        """Return deliveries of a broadcast, for people who want to see them."""
        query: Document = {"broadcast": broadcast} | ({"state": state} if state else {})
        cursor = self._deliveries.find(query).limit(limit)
        return [delivery_from(found) async for found in cursor]

    async def count_by_state(self, broadcast: BroadcastId) -> dict[Outcome, int]:
        """Count a broadcast's deliveries, from the index."""
        cursor = await self._deliveries.aggregate(
            [
                {"$match": {"broadcast": broadcast}},
                {"$group": {"_id": "$state", "number": {"$sum": 1}}},
            ]
        )
        return {row["_id"]: row["number"] async for row in cursor}

    async def count_delivered(self, broadcast: BroadcastId) -> int:
        """Count the messages of a broadcast that reached a phone.

        Outcomes go after a year or so (`push.retention`); the frozen number stays.
        """
        frozen = await self._broadcasts.find_one({"_id": broadcast}, {"delivered": 1})
        kept = await self._deliveries.count_documents({"broadcast": broadcast, "delivered": True})
        return max(kept, int((frozen or {}).get("delivered", 0)))

    async def count_delivered_of_plan(self, plan: BroadcastId) -> int:
        """The same over all occurrences of a plan."""
        kept = await self._deliveries.count_documents({"parent": plan, "delivered": True})
        cursor = await self._broadcasts.aggregate(
            [
                {"$match": {"parent": plan, "retired": 2}},
                {"$group": {"_id": None, "delivered": {"$sum": "$delivered"}}},
            ]
        )
        return kept + sum([int(row["delivered"]) async for row in cursor])

    async def find_recipient(self, account: AccountId, msgid: str) -> OpenId | None:
        """Return whose message it was."""
        found = await self._deliveries.find_one({"account": account, "msgid": msgid}, {"openid": 1})
        return OpenId(found["openid"]) if found else None

    async def known(self, account: AccountId, msgids: Collection[str]) -> set[str]:
        """Return those message ids that are of our deliveries."""
        cursor = self._deliveries.find(
            {"account": account, "msgid": {"$in": list(msgids)}}, {"_id": 0, "msgid": 1}
        )
        return {found["msgid"] async for found in cursor}

    async def name(self, receipt: Receipt) -> Outcome | None:
        """Give a delivery the message id of its result; return its state, None if not there."""
        found = await self._deliveries.find_one_and_update(
            {"_id": receipt.delivery}, {"$set": {"msgid": receipt.msgid}}, {"state": 1}
        )
        return found["state"] if found else None

    async def apply(self, receipt: Receipt) -> bool:
        """Join a receipt to its delivery; True the first time only. Delivered stays delivered."""
        result = await self._deliveries.update_one(
            {
                "account": receipt.account,
                "msgid": receipt.msgid,
                "receipt": {"$nin": [receipt.status, "success"]},
            },
            {
                "$set": {
                    "receipt": receipt.status,
                    "receipt_at": receipt.at,
                    **({"delivered": True} if receipt.status == "success" else {}),
                }
            },
        )
        return result.modified_count == 1


class MongoReceipts:
    """Receipts as they came, whether or not their delivery is known yet."""

    collection = "receipts"
    indexes = (
        IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),
        IndexModel([("at", ASCENDING)], name="waiting", partialFilterExpression={"applied": False}),
        IndexModel(
            [("delivery", ASCENDING)],
            name="named",
            partialFilterExpression={"delivery": {"$exists": True}},
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._receipts = database[self.collection]

    async def keep(self, receipt: Receipt) -> None:
        """Store it; the same one again changes nothing, and success is never taken back."""
        key = _receipt_id(receipt.account, receipt.msgid)
        new = {
            "account": receipt.account,
            "msgid": receipt.msgid,
            "status": receipt.status,
            "at": receipt.at,
            "applied": False,
            "expire_at": receipt.at + RECEIPTS_KEPT,
            **({"delivery": receipt.delivery} if receipt.delivery else {}),
        }
        result = await self._receipts.update_one({"_id": key}, {"$setOnInsert": new}, upsert=True)
        if result.upserted_id is None and receipt.status == "success":
            await self._receipts.update_one(
                {"_id": key, "status": {"$ne": "success"}}, {"$set": new}
            )

    async def mark_applied(self, receipt: Receipt) -> None:
        """Its delivery knows about it."""
        await self._receipts.update_one(
            {"_id": _receipt_id(receipt.account, receipt.msgid), "status": receipt.status},
            {"$set": {"applied": True}},
        )

    async def list_for(self, account: AccountId, msgids: Collection[str]) -> list[Receipt]:
        """Return receipts that came before their deliveries were written."""
        ids = [_receipt_id(account, msgid) for msgid in msgids]
        cursor = self._receipts.find({"_id": {"$in": ids}, "applied": False})
        return [_receipt(found) async for found in cursor]

    async def list_named(self, deliveries: Collection[str]) -> list[Receipt]:
        """Return the same for receipts that name their delivery."""
        cursor = self._receipts.find({"delivery": {"$in": list(deliveries)}, "applied": False})
        return [_receipt(found) async for found in cursor]

    async def list_waiting(self, *, after: datetime, before: datetime, limit: int) -> list[Receipt]:
        """Return receipts of a period that have not found their delivery, the oldest first."""
        query = {"applied": False, "at": {"$gt": after, "$lt": before}}
        cursor = self._receipts.find(query).sort("at", ASCENDING).limit(limit)
        return [_receipt(found) async for found in cursor]


def _document(
    account: AccountId, broadcast: BroadcastId, parent: BroadcastId | None, delivery: Delivery
) -> Document:
    document: Document = {
        "_id": delivery_id(broadcast, delivery.openid),
        "account": account,
        "broadcast": broadcast,
        "openid": delivery.openid,
        "state": delivery.state,
        "at": delivery.at,
    }
    if parent is not None:
        document["parent"] = parent
    if delivery.errcode is not None:
        document["errcode"] = delivery.errcode
    if delivery.reason:
        document["reason"] = delivery.reason
    if delivery.msgid is not None:
        document["msgid"] = delivery.msgid
    if delivery.channel is not None:
        document["channel"] = delivery.channel
    return document


def delivery_from(document: Document) -> Delivery:
    """Return what is kept of one person's outcome."""
    return Delivery(
        openid=OpenId(document["openid"]),
        state=document["state"],
        at=document["at"],
        errcode=document.get("errcode"),
        reason=document.get("reason", ""),
        msgid=document.get("msgid"),
        channel=document.get("channel"),
    )


def _receipt_id(account: AccountId, msgid: str) -> str:
    return f"{account}:{msgid}"


def _receipt(document: Document) -> Receipt:
    return Receipt(
        account=AccountId(document["account"]),
        msgid=document["msgid"],
        status=document["status"],
        at=document["at"],
        delivery=document.get("delivery"),
    )
