"""Audiences in MongoDB (受众): how many are meant, and who, page by page in `_id` order.

Three indexes answer. What one kind of key decides (a topic, a region, a tag) comes from `audience`.
Everything else (kinds joined, rules with `not`, dates) is decided on the entries of `faces`. People
named one by one are looked up by `_id`. The first two never touch a document.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ExecutionTimeout

from domain.audience import Explanation, Got, broadcasts_in
from domain.broadcast import Audience
from domain.errors import TooSlow
from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subject
from domain.topic import Mode
from storage.mongo.fields import FieldCipher
from storage.mongo.headcount import Counted, Headcount, ids_in, living, pick, single_kind
from storage.mongo.keys import subject_hash, subject_key, topic_key
from storage.mongo.papers import subscriber_from
from storage.mongo.people import SUBSCRIBERS, person_id
from storage.mongo.recipients import Recipients
from storage.mongo.rules import (
    Known,
    digests_in,
    document_filter,
    face_filter,
    one_of,
    relaxed,
)

EAGER: tuple[Mode, ...] = ("immediate", "daily", "weekly")
READ_MILLISECONDS = 50_000  # a page of a rare rule may pass over millions of entries

Document = dict[str, Any]


class MongoAudiences:
    """Questions about many people at once."""

    def __init__(
        self, database: AsyncDatabase[Document], fields: FieldCipher, **sizes: int
    ) -> None:
        self._subscribers = database[SUBSCRIBERS]
        self._fields = fields
        self._recipients = Recipients(database)
        self._headcount = Headcount(database, self._recipients, **sizes)

    def digest_of(self, subject: Subject) -> str:
        """Return the keyed hash that stands for a thing in a rule."""
        return subject_hash(self._fields, subject)

    async def count(self, account: AccountId, audience: Audience) -> int:
        """Return how many people an audience means just now."""
        with _patient():
            return (await self._counted(account, audience, explained=False)).people

    async def explain(self, account: AccountId, audience: Audience) -> Explanation:
        """Count, and say which indexes that took and what was examined."""
        began = perf_counter()
        with _patient():
            found = await self._counted(account, audience, explained=True)
        return Explanation(
            count=found.people,
            indexes=found.indexes,
            keys=found.keys,
            documents=found.documents,
            milliseconds=round((perf_counter() - began) * 1000),
        )

    async def _counted(self, account: AccountId, audience: Audience, *, explained: bool) -> Counted:
        if audience.is_empty:
            return Counted()
        known = await self._holders(account, audience)
        if audience.rule is not None:
            known = replace(known, got=dict.fromkeys(broadcasts_in(audience.rule), ()))
        return await self._headcount.count(account, audience, known, explained=explained)

    async def sample(self, account: AccountId, audience: Audience, size: int) -> list[OpenId]:
        """Return some of the people meant: neighbours from a random place onwards."""
        with _patient():
            return await self._sample(account, audience, size)

    async def _sample(self, account: AccountId, audience: Audience, size: int) -> list[OpenId]:
        last = await self.upper_bound(account, audience)
        if last is None:
            return []
        start = pick(await self._headcount.some_ids(account))
        found: list[str] = []
        for after, up_to in ((start, last), (None, start)) if start else ((None, last),):
            edge = after
            while len(found) < size and up_to is not None:
                more = size - len(found)
                page = await self.page(account, audience, after=edge, up_to=up_to, size=more)
                if not page:
                    break
                found += page
                edge = page[-1]
        return [OpenId(_id[len(account) + 1 :]) for _id in found]

    async def upper_bound(self, account: AccountId, audience: Audience) -> str | None:
        """Return an `_id` beyond which nobody is meant now, and a broadcast does not look.

        None when certainly nobody is meant. It is the last of all followers where finding the
        last one meant might mean to look at everybody.
        """
        if audience.is_empty:
            return None
        if index_for(audience) == "faces":
            filter_, hint = living(account), "faces"
        else:
            filter_, hint = query(account, _without_lookups(audience)), index_for(audience)
        last = await self._subscribers.find_one(
            filter_, {"_id": 1}, sort=[("_id", -1)], hint=hint, max_time_ms=READ_MILLISECONDS
        )
        return str(last["_id"]) if last else None

    async def page(
        self, account: AccountId, audience: Audience, *, after: str | None, up_to: str, size: int
    ) -> list[str]:
        """Return the next `_id`s above `after` and not beyond `up_to`, each person once.

        An empty page is the end; a short one is not.
        """
        if audience.is_empty:
            return []
        asks_recipients = audience.rule is not None and broadcasts_in(audience.rule)
        known = await self._holders(account, audience)
        wider = _without_lookups(audience) if asks_recipients else audience
        while True:
            cursor = self._subscribers.find(
                query(account, wider, known, after=after, up_to=up_to),
                {"_id": 1},
                sort=[("_id", 1)],
                limit=size,
                batch_size=size,
                hint=index_for(wider),
                max_time_ms=READ_MILLISECONDS,
            )
            ids = [str(document["_id"]) for document in await cursor.to_list()]
            if not ids or not asks_recipients:
                return ids
            meant = await self._meant(account, audience, ids)
            if meant:
                return [_id for _id in ids if _id in meant]
            after = ids[-1]

    async def still_meant(
        self, account: AccountId, audience: Audience, openids: Sequence[OpenId]
    ) -> set[OpenId]:
        """Return those of these people whom the audience means now."""
        if audience.is_empty or not openids:
            return set()
        ids = [person_id(account, openid) for openid in openids]
        start = len(account) + 1
        meant = {OpenId(_id[start:]) for _id in await self._meant(account, audience, ids)}
        return meant & set(audience.openids) if audience.openids else meant

    async def _meant(self, account: AccountId, audience: Audience, ids: Sequence[str]) -> set[str]:
        """Return who of these is meant, by their documents; `openids` are not looked at."""
        known = Known(got=await self._recipients.among(account, audience, ids))
        filter_ = living(account, document_filter(audience, known), {"_id": {"$in": list(ids)}})
        cursor = self._subscribers.find(
            filter_, {"_id": 1}, hint="_id_", max_time_ms=READ_MILLISECONDS
        )
        return {str(document["_id"]) for document in await cursor.to_list()}

    async def _holders(self, account: AccountId, audience: Audience) -> Known:
        """Look up who bound the given things a rule asks about."""
        digests = digests_in(audience)

        async def find(digest: str) -> list[str]:
            cursor = self._subscribers.find(
                living(account, {"keys": subject_key(digest)}), {"_id": 1}, hint="audience"
            )
            return [str(document["_id"]) for document in await cursor.to_list()]

        found = await asyncio.gather(*map(find, digests))
        return Known(holders=dict(zip(digests, found, strict=True)))

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
    account: AccountId,
    audience: Audience,
    known: Known | None = None,
    *,
    after: str | None = None,
    up_to: str | None = None,
) -> Document:
    """Return the one indexed query an audience compiles to."""
    known = known or Known()
    part = ids_in((after, up_to))
    if audience.openids:
        ids = [person_id(account, openid) for openid in dict.fromkeys(audience.openids)]
        return living(account, document_filter(audience, known), {"_id": {"$in": ids}}, part)
    keys = single_kind(audience)
    if keys is not None:
        return living(account) | {"keys": one_of(keys)} | part
    return living(account, face_filter(audience, known), part)


def index_for(audience: Audience) -> str:
    """Return the index to use: a list of people is looked up one by one."""
    if audience.openids:
        return "_id_"
    return "faces" if single_kind(audience) is None else "audience"


@contextmanager
def _patient() -> Iterator[None]:
    """Tell whoever waits for an answer that the server gave up, however many slices asked."""
    try:
        yield
    except (ExecutionTimeout, ExceptionGroup) as error:
        if isinstance(error, ExceptionGroup) and error.split(ExecutionTimeout)[1] is not None:
            raise  # something else was wrong too
        raise TooSlow("MongoDB spent its time limit on an audience") from error


def _without_lookups(audience: Audience) -> Audience:
    """Return an audience that means at least the same people, whatever broadcasts they got."""
    if audience.rule is None or not broadcasts_in(audience.rule):
        return audience
    rule = relaxed(audience.rule, lambda leaf: isinstance(leaf, Got))
    everybody = not (audience.topics or audience.regions or audience.tags or audience.openids)
    return replace(audience, rule=rule, all=everybody)
