"""Citizens in MongoDB (订阅者与绑定): how we reach them, and what they bound.

`subscribers` holds what audiences ask for, nothing personal but the openid. `bindings` holds
the personal values, each encrypted. Both change in one transaction, so that a notice finds a
plate exactly as long as it is bound.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pymongo
from pymongo import IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.clock import in_beijing
from domain.ids import AccountId, OpenId
from domain.looking import LONGEST_BEGINNING
from domain.people import Bindings, Person, Subscriber
from storage.mongo.erasures import MongoErasures
from storage.mongo.faces import DAYS, STRANGER, day_code, midnight
from storage.mongo.fields import FieldCipher
from storage.mongo.keys import EVERYBODY, Marks, subject_hash
from storage.mongo.papers import Papers, subscriber_fields, subscriber_from

SUBSCRIBERS = "subscribers"
BINDINGS = "bindings"
BEYOND = "\U0010ffff"  # sorts behind everything that an openid may go on with
PATIENCE_SECONDS = 3.0  # for one change of one person, retries after conflicts included

Document = dict[str, Any]


def person_id(account: AccountId, openid: OpenId) -> str:
    """Return the `_id` of a person's documents; in one account it sorts as the openid does."""
    return f"{account}:{openid}"


def ids_beginning(account: AccountId, text: str) -> Document:
    """Return which `_id`s are of openids that begin so; a longer text must be the whole openid.

    Whoever could try any beginning would read a masked openid out, letter by letter.
    """
    first = person_id(account, OpenId(text))
    if len(text) > LONGEST_BEGINNING:
        return {"$gte": first, "$lte": first}
    return {"$gte": first, "$lt": first + BEYOND}


class MongoPeople:
    """One person at a time: find, change, forget."""

    collection = SUBSCRIBERS
    indexes = (
        # every audience: an equality on the first four, then a range and the order of _id
        IndexModel(
            [("account", 1), ("following", 1), ("reachable", 1), ("keys", 1), ("_id", 1)],
            name="audience",
        ),
        # every rule, decided on the entries alone and in the order of _id (storage.mongo.faces)
        IndexModel(
            [("account", 1), ("following", 1), ("reachable", 1), ("_id", 1), ("face", 1)],
            name="faces",
        ),
    )

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self.database = database
        self.fields = fields
        self._subscribers = database[SUBSCRIBERS]
        self._bindings = database[BINDINGS]
        self._papers = Papers(fields)
        self._erasures = MongoErasures(database, fields)

    async def find(self, account: AccountId, openid: OpenId) -> Subscriber | None:
        """Return a subscriber, also one who unfollowed."""
        found = await self._subscribers.find_one({"_id": person_id(account, openid)})
        return subscriber_from(found) if found else None

    async def bindings(self, account: AccountId, openid: OpenId) -> Bindings:
        """Return what a citizen bound, decrypted; empty if nothing."""
        found = await self._bindings.find_one({"_id": person_id(account, openid)})
        return await self._papers.read(found)

    async def appeared(
        self, account: AccountId, openid: OpenId, at: datetime, *, followed: bool
    ) -> Subscriber | None:
        """Note that somebody follows (`followed`) or at least talks to us, and is reachable.

        Returns the subscriber as it was before, `None` for somebody new. News older than an
        unfollow already known changes nothing. The day of the last sign of life only grows.
        """
        _id = person_id(account, openid)
        change = _appearance(account, openid, at, followed=followed)
        for _ in range(2):  # somebody else may insert between our look and our insert
            try:
                before = await self._subscribers.find_one_and_update(
                    {"_id": _id, "$nor": [{"unfollowed_at": {"$gt": at}}]},
                    change,
                    upsert=True,
                    return_document=ReturnDocument.BEFORE,
                )
            except DuplicateKeyError:
                continue
            return subscriber_from(before) if before else None
        return await self.find(account, openid)

    async def is_present(self, account: AccountId, openid: OpenId, at: datetime) -> bool:
        """Whether we already count this person as following, reachable and heard from that day."""
        found = await self._subscribers.find_one(
            {
                "_id": person_id(account, openid),
                "following": True,
                "reachable": True,
                "active_on": {"$gte": midnight(in_beijing(at).date())},
            },
            {"_id": 1},
        )
        return found is not None

    async def unfollowed(self, account: AccountId, openid: OpenId, at: datetime) -> None:
        """Send nothing any more; everything else stays for the day they come back."""
        await self._subscribers.update_one(
            {"_id": person_id(account, openid), "$nor": [{"followed_at": {"$gt": at}}]},
            {"$set": {"following": False, "unfollowed_at": at}},
        )

    async def mark_unreachable(self, account: AccountId, openid: OpenId, reason: str) -> None:
        """Leave a person out until they follow or talk again."""
        await self._subscribers.update_one(
            {"_id": person_id(account, openid)},
            {"$set": {"reachable": False, "unreachable_because": reason[:200]}},
        )

    async def edit(
        self, account: AccountId, openid: OpenId, change: Callable[[Person], Person]
    ) -> tuple[Person, Person]:
        """Change a person and return them before and after.

        `change` must be pure: when two changes meet, one of them is computed again. What it
        raises leaves everything as it was. Unknown people appear as following.
        """

        async def attempt(session: AsyncClientSession) -> tuple[Person, Person]:
            return await self._edit(session, account, openid, change)

        with pymongo.timeout(PATIENCE_SECONDS):
            async with self.database.client.start_session() as session:
                return await session.with_transaction(attempt)

    async def _edit(
        self,
        session: AsyncClientSession,
        account: AccountId,
        openid: OpenId,
        change: Callable[[Person], Person],
    ) -> tuple[Person, Person]:
        _id = person_id(account, openid)
        document = await self._subscribers.find_one({"_id": _id}, session=session)
        papers = await self._bindings.find_one({"_id": _id}, session=session)
        before = Person(
            subscriber=subscriber_from(document)
            if document
            else Subscriber(account=account, openid=openid, following=True),
            bindings=await self._papers.read(papers),
        )
        after = change(before)
        if after == before:
            return before, after
        if after.bindings != before.bindings:
            content = await self._papers.write(after.bindings)
            await self._bindings.update_one(
                {"_id": _id},
                {"$set": content, "$setOnInsert": {"account": account, "openid": openid}},
                upsert=True,
                session=session,
            )
        marks = Marks(
            subjects=tuple(subject_hash(self.fields, s) for s in after.bindings.subjects),
            kinds=tuple(dict.fromkeys(s.kind for s in after.bindings.subjects)),
            regions=tuple(dict.fromkeys(place.region for place in after.bindings.places)),
        )
        content = subscriber_fields(after.subscriber, marks)
        content["declined"] = _declined(document, before.subscriber, after.subscriber)
        newborn = _newborn(account, openid) | {"following": True, "reachable": True}
        await self._subscribers.update_one(
            {"_id": _id},
            {
                "$set": content,
                "$inc": {"revision": 1},
                "$setOnInsert": {k: v for k, v in newborn.items() if k not in content},
            },
            upsert=True,
            session=session,
        )
        return before, after

    async def forget(self, account: AccountId, openid: OpenId, at: datetime) -> None:
        """Erase a person, and note that their sending record is to lose its openid."""
        _id = person_id(account, openid)

        async def attempt(session: AsyncClientSession) -> None:
            await self._bindings.delete_one({"_id": _id}, session=session)
            await self._subscribers.delete_one({"_id": _id}, session=session)
            await self._erasures.begin(session, account, openid, at)

        with pymongo.timeout(PATIENCE_SECONDS):
            async with self.database.client.start_session() as session:
                await session.with_transaction(attempt)


def _newborn(account: AccountId, openid: OpenId) -> Document:
    return {"account": account, "openid": openid, "keys": [EVERYBODY], "face": STRANGER}


def _appearance(
    account: AccountId, openid: OpenId, at: datetime, *, followed: bool
) -> list[Document]:
    """Return the update that notes a sign of life: dates, and the days at the face's beginning."""
    day = in_beijing(at).date()
    face: Document = {"$ifNull": ["$face", STRANGER]}
    active = {"$max": [{"$substrBytes": [face, 1, 5]}, day_code(day)]}
    follow = day_code(day) if followed else {"$substrBytes": [face, 7, 5]}
    newborn = {"account": {"$literal": account}, "openid": {"$literal": openid}}
    change = {
        "keys": {"$ifNull": ["$keys", [EVERYBODY]]},
        "following": True,
        "reachable": True,
        "active_on": {"$max": ["$active_on", midnight(day)]},
        "face": {"$concat": ["a", active, "f", follow, {"$substrBytes": [face, DAYS, -1]}]},
    }
    if followed:
        change["followed_at"] = at
    return [{"$set": newborn | change}, {"$unset": "unreachable_because"}]


def _declined(document: Document | None, before: Subscriber, after: Subscriber) -> list[str]:
    """Return the topics a citizen cancelled: an import does not bring them back."""
    old = {item.topic for item in before.subscriptions}
    new = {item.topic for item in after.subscriptions}
    declined = set(document.get("declined", ())) if document else set()
    return sorted((declined | (old - new)) - new)
