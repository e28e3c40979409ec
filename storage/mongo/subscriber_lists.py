"""Followers page by page for people who look for one (查找关注者), never a count of all.

What is looked for decides the index: the beginning of an openid is a range of `_id`; one topic,
region or tag is a key of `audience`; several at once are decided on the entries of `faces`. There a
page looks at no more than `WINDOW` followers: what is rare among a million is found over several
pages, each of which says where it stopped, rather than in one that nobody waits for.
"""

from collections.abc import Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ExecutionTimeout

from domain.broadcast import Audience
from domain.errors import TooSlow
from domain.ids import AccountId, OpenId
from domain.looking import Found, Sought
from storage.mongo.headcount import single_kind
from storage.mongo.papers import subscriber_from
from storage.mongo.people import SUBSCRIBERS, person_id
from storage.mongo.rules import face_filter, one_of

WINDOW = 100_000  # followers that one page looks at when no key alone decides
PAGE_MILLISECONDS = 2_000

Document = dict[str, Any]


class MongoSubscriberLists:
    """Looks for followers of an account."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._subscribers = database[SUBSCRIBERS]

    async def page(
        self, account: AccountId, sought: Sought, *, after: OpenId | None, limit: int
    ) -> Found:
        """Return the next people behind `after`, in the order of openids.

        Without a topic, region or tag people who unfollowed are among them; with one, only those
        who follow.
        """
        try:
            return await self._page(account, sought, after, limit)
        except ExecutionTimeout as error:
            raise TooSlow(f"looking for followers: {error}") from error

    async def _page(
        self, account: AccountId, sought: Sought, after: OpenId | None, limit: int
    ) -> Found:
        bounds = _bounds(account, sought.openid, after)
        audience = sought.audience
        if audience.is_empty:
            ids = await self._ids({"_id": bounds}, "_id_", limit + 1)
            return await self._found(account, ids, limit)
        keys = single_kind(audience)
        if keys is not None:
            query = _following(account) | {"keys": one_of(keys), "_id": bounds}
            return await self._found(account, await self._ids(query, "audience", limit + 1), limit)
        return await self._windowed(account, audience, bounds, limit)

    async def _windowed(
        self, account: AccountId, audience: Audience, bounds: Document, limit: int
    ) -> Found:
        """Look at a window of followers only; an edge beyond which nobody is known ends it."""
        edge = await (
            self._subscribers.find(_following(account) | {"_id": bounds}, {"_id": 1}, hint="faces")
            .sort("_id", ASCENDING)
            .skip(WINDOW - 1)
            .limit(1)
            .max_time_ms(PAGE_MILLISECONDS)
            .to_list()
        )
        window = bounds | ({"$lte": edge[0]["_id"]} if edge else {})
        query = {"$and": [_following(account), {"_id": window}, face_filter(audience)]}
        ids = await self._ids(query, "faces", limit + 1)
        found = await self._found(account, ids, limit)
        if found.after is None and edge:
            return Found(people=found.people, after=_openid(account, edge[0]["_id"]))
        return found

    async def _ids(self, query: Document, hint: str, limit: int) -> list[str]:
        cursor = self._subscribers.find(query, {"_id": 1}, hint=hint).sort("_id", ASCENDING)
        return [found["_id"] async for found in cursor.limit(limit).max_time_ms(PAGE_MILLISECONDS)]

    async def _found(self, account: AccountId, ids: Sequence[str], limit: int) -> Found:
        shown = list(ids[:limit])
        cursor = self._subscribers.find({"_id": {"$in": shown}}).sort("_id", ASCENDING)
        return Found(
            people=[subscriber_from(found) async for found in cursor],
            after=_openid(account, shown[-1]) if len(ids) > limit else None,
        )


def _following(account: AccountId) -> Document:
    return {"account": account, "following": True, "reachable": {"$in": [True, False]}}


def _bounds(account: AccountId, beginning: str, after: OpenId | None) -> Document:
    """Return the range of `_id`s: all of an account begin with its own and a colon."""
    first = person_id(account, OpenId(beginning))
    # U+FFFF sorts behind every character that an openid holds
    bounds: Document = {"$gte": first, "$lt": f"{first}\uffff"}
    return bounds | ({"$gt": person_id(account, after)} if after else {})


def _openid(account: AccountId, _id: str) -> OpenId:
    return OpenId(_id[len(account) + 1 :])
