"""Consents to subscription notices (订阅通知的同意) in MongoDB: given, used, rejected.

One document per person and template of an account. What is kept fits both kinds: a long-term
consent holds while it was accepted later than it was rejected; one-time consents are counted, and
each pays for exactly one send. A send reserves its consent under its own id before it leaves, in
one update, so that two sends at once, or one send begun twice, never use the same one twice.

Events may come twice and out of order: each counts once, and an acceptance from before the last
rejection changes nothing.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.channel import ConsentKind
from domain.ids import AccountId, BroadcastId, OpenId
from domain.looking import NoticeConsent

Document = dict[str, Any]
EVENTS_KEPT = 20  # event keys per consent: a repeat comes within seconds


class MongoConsents:
    """The consents of all accounts."""

    collection = "consents"
    indexes = (IndexModel([("account", ASCENDING), ("openid", ASCENDING)]),)  # an erasure

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._consents = database[self.collection]

    # --- what citizens say ----------------------------------------------------------------

    async def accepted(
        self, account: AccountId, openid: OpenId, template_id: str, *, event: str, at: datetime
    ) -> None:
        """Note an acceptance: good until rejected, or for one more send."""
        await self._note(
            account,
            openid,
            template_id,
            event,
            {"$inc": {"left": 1}, "$max": {"accepted_at": at}},
            {"$or": [{"rejected_at": {"$exists": False}}, {"rejected_at": {"$lt": at}}]},
        )

    async def declined(
        self, account: AccountId, openid: OpenId, template_id: str, *, event: str, at: datetime
    ) -> None:
        """Note a no in the consent window: ends a long-term consent, takes no one-time one back."""
        await self._note(account, openid, template_id, event, {"$max": {"declined_at": at}}, {})

    async def rejected(
        self, account: AccountId, openid: OpenId, template_id: str, *, event: str, at: datetime
    ) -> None:
        """Note that somebody wants no more of it: everything given before is over."""
        older = {"$or": [{"accepted_at": {"$exists": False}}, {"accepted_at": {"$lte": at}}]}
        change: Document = {"$max": {"rejected_at": at}, "$set": {"left": 0, "reserved": []}}
        if not await self._note(account, openid, template_id, event, change, older):
            await self._note(account, openid, template_id, event, {"$max": {"rejected_at": at}}, {})

    # --- what sends use -------------------------------------------------------------------

    async def reserve(
        self,
        account: AccountId,
        template_id: str,
        kind: ConsentKind,
        broadcast: BroadcastId,
        openids: Collection[OpenId],
    ) -> set[OpenId]:
        """Reserve a consent for each person who has one, and return these people.

        What this broadcast has reserved already, before a crash, is found again.
        """
        if not openids:
            return set()
        ids = {_id(account, openid, template_id): openid for openid in openids}
        if kind == "long_term":
            query: Document = {"_id": {"$in": list(ids)}, "$expr": _LASTS}
        else:
            free = {"left": {"$gt": 0}, "reserved": {"$ne": broadcast}}
            take = {"$inc": {"left": -1}, "$push": {"reserved": broadcast}}
            await self._consents.bulk_write(
                [UpdateOne({"_id": one, **free}, take) for one in ids], ordered=False
            )
            query = {"_id": {"$in": list(ids)}, "reserved": broadcast}
        return {ids[found["_id"]] async for found in self._consents.find(query, {"_id": 1})}

    async def use(
        self,
        account: AccountId,
        template_id: str,
        broadcast: BroadcastId,
        openids: Collection[OpenId],
    ) -> None:
        """Use reservations up: the notices were sent, or may have been."""
        await self._consents.update_many(
            self._reserved(account, template_id, broadcast, openids),
            {"$pull": {"reserved": broadcast}},
        )

    async def give_back(
        self,
        account: AccountId,
        template_id: str,
        broadcast: BroadcastId,
        openids: Collection[OpenId],
    ) -> None:
        """Give reservations back: the platform certainly did not send. Repeating it is harmless."""
        await self._consents.update_many(
            self._reserved(account, template_id, broadcast, openids),
            {"$pull": {"reserved": broadcast}, "$inc": {"left": 1}},
        )

    async def denied(
        self, account: AccountId, template_id: str, openids: Collection[OpenId], at: datetime
    ) -> None:
        """Believe the platform (43101): these people have no consent left, whatever we counted."""
        ids = [_id(account, openid, template_id) for openid in openids]
        await self._consents.update_many(
            {"_id": {"$in": ids}},
            {"$set": {"left": 0, "reserved": []}, "$max": {"rejected_at": at}},
        )

    async def look(
        self, account: AccountId, openid: OpenId, template_id: str
    ) -> Mapping[str, int | bool] | None:
        """Return {"left", "long_term"} of one consent, for people who want to see it."""
        found = await self._consents.find_one({"_id": _id(account, openid, template_id)})
        if found is None:
            return None
        accepted = found.get("accepted_at")
        ended = [found[name] for name in ("rejected_at", "declined_at") if name in found]
        lasts = accepted is not None and all(accepted > moment for moment in ended)
        return {"left": found.get("left", 0), "long_term": lasts}

    async def list_(self, account: AccountId, openid: OpenId) -> list[NoticeConsent]:
        """Return what a person said to each template, for an operator who looks."""
        cursor = self._consents.find({"account": account, "openid": openid}).sort("template_id", 1)
        return [_seen(found) async for found in cursor]

    # --- documents ------------------------------------------------------------------------

    async def _note(
        self,
        account: AccountId,
        openid: OpenId,
        template_id: str,
        event: str,
        change: Document,
        guard: Document,
    ) -> bool:
        """Make the change that an event brings, once; False when it had none to make."""
        push = {"events": {"$each": [event], "$slice": -EVENTS_KEPT}}
        query = {
            "_id": _id(account, openid, template_id),
            "account": account,
            "openid": openid,
            "template_id": template_id,
            "events": {"$ne": event},
            **guard,
        }
        try:
            result = await self._consents.update_one(query, {**change, "$push": push}, upsert=True)
        except DuplicateKeyError:  # it is there, and the guard or the event key said no
            return False
        return result.modified_count == 1 or result.upserted_id is not None

    @staticmethod
    def _reserved(
        account: AccountId,
        template_id: str,
        broadcast: BroadcastId,
        openids: Collection[OpenId],
    ) -> Document:
        ids = [_id(account, openid, template_id) for openid in openids]
        return {"_id": {"$in": ids}, "reserved": broadcast}


_LASTS: Document = {
    "$and": [
        {"$gt": ["$accepted_at", {"$ifNull": ["$rejected_at", None]}]},
        {"$gt": ["$accepted_at", {"$ifNull": ["$declined_at", None]}]},
    ]
}


def _seen(found: Document) -> NoticeConsent:
    accepted = found.get("accepted_at")
    ended = [found[name] for name in ("rejected_at", "declined_at") if name in found]
    return NoticeConsent(
        template_id=found["template_id"],
        left=found.get("left", 0),
        lasts=accepted is not None and all(accepted > moment for moment in ended),
        accepted_at=accepted,
        ended_at=max(ended, default=None),
    )


def _id(account: AccountId, openid: OpenId, template_id: str) -> str:
    return f"{account}:{openid}:{template_id}"
