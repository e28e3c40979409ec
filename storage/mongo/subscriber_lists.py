"""Followers page by page for people who look for one (查找关注者), never a count of all.

The beginning of an openid is a range of `_id`; a topic, a region, both together or a tag are a key
of the index `audience`. Of a tag and something else the rarer one leads: its people are gone
through part by part, and the other key is looked up for each part. So what is rare among a million
is found at once; of two that are frequent and seldom meet, a page looks at `PARTS` × `PART` people
and says where it stopped. No document is read but of those who are shown.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pymongo import ASCENDING
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ExecutionTimeout

from domain.errors import TooSlow
from domain.ids import AccountId, OpenId
from domain.looking import Found, Sought
from storage.mongo.keys import conditions
from storage.mongo.papers import subscriber_from
from storage.mongo.people import SUBSCRIBERS, ids_beginning, person_id
from storage.mongo.rules import one_of

PART = 1_000  # people whose other keys are looked up at once: some milliseconds
PARTS = 10  # of them for one page
PAGE_MILLISECONDS = 2_000

Document = dict[str, Any]
Keys = list[str]  # of which one must be there


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
        groups = conditions(audience)
        if len(groups) > 1:
            return await self._led(account, groups, bounds, limit)
        query = _following(account) | {"keys": one_of(groups[0]), "_id": bounds}
        return await self._found(account, await self._ids(query, "audience", limit + 1), limit)

    async def _led(
        self, account: AccountId, groups: Sequence[Keys], bounds: Document, limit: int
    ) -> Found:
        """Go through the people of the rarest condition, and ask the others about each part."""
        lead, *others = await self._rarest_first(account, groups)
        found: list[str] = []
        for _ in range(PARTS):
            query = _following(account) | {"keys": one_of(lead), "_id": bounds}
            part = await self._ids(query, "audience", PART)
            found += await self._meant(account, part, others, limit + 1 - len(found))
            if len(found) > limit or len(part) < PART:
                return await self._found(account, found, limit)
            bounds = bounds | {"$gt": part[-1]}
        return replace(await self._found(account, found, limit), after=_openid(account, part[-1]))

    async def _rarest_first(self, account: AccountId, groups: Sequence[Keys]) -> Sequence[Keys]:
        """Order conditions by how many people hold; beyond what a page looks at all are many."""
        numbers = [
            await self._subscribers.count_documents(
                _following(account) | {"keys": one_of(keys)},
                hint="audience",
                limit=PARTS * PART,
                maxTimeMS=PAGE_MILLISECONDS,
            )
            for keys in groups
        ]
        order = sorted(range(len(groups)), key=lambda place: numbers[place])
        return [groups[place] for place in order]

    async def _meant(
        self, account: AccountId, ids: list[str], others: Sequence[Keys], limit: int
    ) -> list[str]:
        """Return the first of these people for whom the other conditions hold as well."""
        for keys in others:
            query = _following(account) | {"keys": one_of(keys), "_id": {"$in": ids}}
            ids = await self._ids(query, "audience", len(ids)) if ids else []
        return ids[:limit]

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
    bounds = ids_beginning(account, beginning)
    return bounds | ({"$gt": person_id(account, after)} if after else {})


def _openid(account: AccountId, _id: str) -> OpenId:
    return OpenId(_id[len(account) + 1 :])
