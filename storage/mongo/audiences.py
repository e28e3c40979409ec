"""Audiences in MongoDB (受众): how many are meant, and who, page by page in `_id` order.

Every question is an equality on account, following, reachable and one key, so the index
`audience` answers it in order and without the documents. Only pages of an audience that joins
topics or regions with tags look at documents, and only at those with the first kind of key;
counting such an audience walks the index once per kind and compares.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from domain.broadcast import Audience
from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subject
from domain.topic import Mode
from storage.mongo.fields import FieldCipher
from storage.mongo.keys import conditions, subject_hash, subject_key, topic_key
from storage.mongo.papers import subscriber_from
from storage.mongo.people import SUBSCRIBERS, person_id

COUNT_MILLISECONDS = 10_000
EAGER: tuple[Mode, ...] = ("immediate", "daily", "weekly")
WALK = 20_000  # index entries to a round trip when two kinds are compared

Document = dict[str, Any]


class MongoAudiences:
    """Questions about many people at once."""

    def __init__(
        self, database: AsyncDatabase[Document], fields: FieldCipher, *, walk: int = WALK
    ) -> None:
        self._database = database
        self._subscribers = database[SUBSCRIBERS]
        self._fields = fields
        self._walk = walk

    async def count(self, account: AccountId, audience: Audience) -> int:
        """Return how many people an audience means just now."""
        if audience.is_empty:
            return 0
        groups = conditions(audience)
        if len(groups) > 1 and not audience.openids:
            return await self._count_joined([_living(account, keys) for keys in groups])
        # the plain command counts index entries; an aggregation would fetch every document
        answer = await self._database.command(
            "count",
            SUBSCRIBERS,
            query=query(account, audience),
            hint=index_for(audience),
            maxTimeMS=COUNT_MILLISECONDS,
        )
        return int(answer["n"])

    async def _count_joined(self, filters: Sequence[Document]) -> int:
        """Count who stands in all of several ordered walks over the index, in little memory."""
        walks = [
            self._subscribers.find(
                filter_, {"_id": 1}, sort=[("_id", 1)], hint="audience", batch_size=self._walk
            )
            for filter_ in filters
        ]
        ahead: list[list[str]] = [[] for _ in walks]  # what each walk has seen beyond the bound
        total = 0
        while True:
            for number, walk in enumerate(walks):
                if not ahead[number]:
                    ahead[number] = [document["_id"] for document in await walk.to_list(self._walk)]
            if not all(ahead):
                break
            bound = min(ids[-1] for ids in ahead)
            cuts = [bisect_right(ids, bound) for ids in ahead]
            first, *others = (set(ids[:cut]) for ids, cut in zip(ahead, cuts, strict=True))
            total += len(first.intersection(*others))
            ahead = [ids[cut:] for ids, cut in zip(ahead, cuts, strict=True)]
        for walk in walks:
            await walk.close()
        return total

    async def upper_bound(self, account: AccountId, audience: Audience) -> str | None:
        """Return the last `_id` of an audience, beyond which a broadcast does not look."""
        if audience.is_empty:
            return None
        last = await self._subscribers.find_one(
            query(account, audience), {"_id": 1}, sort=[("_id", -1)], hint=index_for(audience)
        )
        return str(last["_id"]) if last else None

    async def page(
        self, account: AccountId, audience: Audience, *, after: str | None, up_to: str, size: int
    ) -> list[str]:
        """Return the next `_id`s above `after` and not beyond `up_to`, each person once."""
        if audience.is_empty:
            return []
        cursor = self._subscribers.find(
            query(account, audience, after=after, up_to=up_to),
            {"_id": 1},
            sort=[("_id", 1)],
            limit=size,
            batch_size=size,
            hint=index_for(audience),
        )
        return [document["_id"] for document in await cursor.to_list()]

    async def still_meant(
        self, account: AccountId, audience: Audience, openids: Sequence[OpenId]
    ) -> set[OpenId]:
        """Return those of these people whom the audience means now."""
        if audience.is_empty or not openids:
            return set()
        filter_ = query(account, audience) | {
            "_id": {"$in": [person_id(account, openid) for openid in openids]}
        }
        cursor = self._subscribers.find(filter_, {"openid": 1}, hint="_id_")
        meant = {document["openid"] for document in await cursor.to_list()}
        return meant & set(audience.openids) if audience.openids else meant

    async def holders(
        self, account: AccountId, topic: TopicId, subject: Subject
    ) -> list[tuple[OpenId, Mode]]:
        """Return the reachable followers who bound the thing and follow the topic."""
        cursor = self._subscribers.find(
            {
                "account": account,
                "following": True,
                "reachable": True,
                "keys": subject_key(subject_hash(self._fields, subject)),
                "$and": [{"keys": topic_key(topic)}],
            },
            sort=[("_id", 1)],
            hint="audience",
        )
        found: list[tuple[OpenId, Mode]] = []
        for document in await cursor.to_list():
            subscriber = subscriber_from(document)
            modes = {item.mode for item in subscriber.subscriptions if item.topic == topic}
            # of several subscriptions to one topic the most eager counts
            found.append((subscriber.openid, next(mode for mode in EAGER if mode in modes)))
        return found


def query(
    account: AccountId, audience: Audience, *, after: str | None = None, up_to: str | None = None
) -> Document:
    """Return the one indexed query an audience compiles to."""
    first, *others = conditions(audience)
    filter_ = _living(account, first)
    if others:
        filter_["$and"] = [{"keys": _one_of(keys)} for keys in others]
    ids: Document = {}
    if audience.openids:
        ids["$in"] = [person_id(account, openid) for openid in dict.fromkeys(audience.openids)]
    if after is not None:
        ids["$gt"] = after
    if up_to is not None:
        ids["$lte"] = up_to
    if ids:
        filter_["_id"] = ids
    return filter_


def _living(account: AccountId, keys: Sequence[str]) -> Document:
    """Return the filter of reachable followers with one of these keys."""
    return {"account": account, "following": True, "reachable": True, "keys": _one_of(keys)}


def _one_of(keys: Sequence[str]) -> Any:
    return {"$in": list(keys)} if len(keys) > 1 else keys[0]


def index_for(audience: Audience) -> str:
    """Return the index to use: a list of people is looked up one by one."""
    return "_id_" if audience.openids else "audience"
