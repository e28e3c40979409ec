"""Attempts (发送尝试) in MongoDB: who may have been sent something that must not be repeated.

Subscription notices and customer-service messages carry no key that the platform would recognise
on a repeat. So each of them is written down, per person, before it leaves. After a crash, whoever
stands here without a delivery may have got the message: they are recorded as unknown and never
sent it again; whoever does not stand here certainly was not sent it.

The answer to a subscription notice carries no id either; its result does. `bind` joins the two,
by person and template, in the order in which the notices left.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from domain.channel import ChannelName
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import delivery_id

Document = dict[str, Any]
DUPLICATE = 11000
KEPT = timedelta(days=30)
RESULT_WITHIN = timedelta(days=1)  # results come within seconds; later ones are not ours


class MongoAttempts:
    """The attempts of all broadcasts."""

    collection = "attempts"
    indexes = (
        IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),
        IndexModel(  # a result looks for its notice; an erasure for the person
            [
                ("account", ASCENDING),
                ("openid", ASCENDING),
                ("template_id", ASCENDING),
                ("at", ASCENDING),
            ]
        ),
        IndexModel(
            [("account", ASCENDING), ("msgid", ASCENDING)],
            name="msgid",
            partialFilterExpression={"msgid": {"$exists": True}},
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._attempts = database[self.collection]

    async def begin(
        self,
        account: AccountId,
        broadcast: BroadcastId,
        batch: str,
        channel: ChannelName,
        openids: Collection[OpenId],
        now: datetime,
        *,
        template_id: str | None = None,
    ) -> set[OpenId]:
        """Write the attempts down and return whom they may be made for.

        Whoever stood here already is left out: somebody else makes, or made, the attempt.
        """
        if not openids:
            return set()
        documents = [
            {
                "_id": delivery_id(broadcast, openid),
                "account": account,
                "openid": openid,
                "batch": batch,
                "channel": channel,
                **({"template_id": template_id} if template_id else {}),
                "at": now,
                "expire_at": now + KEPT,
            }
            for openid in openids
        ]
        try:
            await self._attempts.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            problems = (error.details or {}).get("writeErrors", [])
            concerns = (error.details or {}).get("writeConcernErrors", [])
            if concerns or any(problem["code"] != DUPLICATE for problem in problems):
                raise
            taken = {problem["index"] for problem in problems}
            return {o for number, o in enumerate(openids) if number not in taken}
        return set(openids)

    async def begun(
        self, broadcast: BroadcastId, openids: Collection[OpenId]
    ) -> Mapping[OpenId, ChannelName]:
        """Return those for whom an attempt was begun, and over which channel."""
        ids = [delivery_id(broadcast, openid) for openid in openids]
        cursor = self._attempts.find({"_id": {"$in": ids}}, {"openid": 1, "channel": 1})
        return {OpenId(found["openid"]): found["channel"] async for found in cursor}

    async def undo(self, broadcast: BroadcastId, openids: Collection[OpenId]) -> None:
        """Strike attempts out of which nothing came, for certain."""
        if openids:
            ids = [delivery_id(broadcast, openid) for openid in openids]
            await self._attempts.delete_many({"_id": {"$in": ids}})

    async def bind(
        self, account: AccountId, openid: OpenId, template_id: str, msgid: str, now: datetime
    ) -> str | None:
        """Give the message id of a result to the notice it is about; return its delivery's id.

        The same result again finds the same notice. None: no notice of ours waits for it.
        """
        known = await self.find(account, msgid)
        if known is not None:
            return known
        found = await self._attempts.find_one_and_update(
            {
                "account": account,
                "openid": openid,
                "template_id": template_id,
                "at": {"$gt": now - RESULT_WITHIN},
                "msgid": {"$exists": False},
            },
            {"$set": {"msgid": msgid}},
            sort=[("at", ASCENDING)],
        )
        return found["_id"] if found else None

    async def find(self, account: AccountId, msgid: str) -> str | None:
        """Return the id of the delivery that a message id was given to."""
        found = await self._attempts.find_one({"account": account, "msgid": msgid}, {"_id": 1})
        return found["_id"] if found else None
