"""Many subscribers at once (批量导入、导出), thousands to a round trip.

An import adds and never takes away: a topic the citizen cancelled stays cancelled, somebody who
unfollowed stays unfollowed. So running it twice, or from a checkpoint once more, does no harm.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from domain.ids import AccountId, new_id
from domain.people import Subject, Subscriber
from storage.mongo.fields import FieldCipher
from storage.mongo.keys import Marks, subject_hash
from storage.mongo.papers import Papers, marks_from, subscriber_fields, subscriber_from
from storage.mongo.people import BINDINGS, SUBSCRIBERS, person_id

CHECKPOINTS = "imports"
DUPLICATE_KEY = 11000
EXPORT_BATCH = 1000

Document = dict[str, Any]
Known = tuple[Subscriber, tuple[Subject, ...]]


class MongoImports:
    """Bulk writes of subscribers with their subjects, and where an import has got to."""

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self._subscribers = database[SUBSCRIBERS]
        self._bindings = database[BINDINGS]
        self._checkpoints = database[CHECKPOINTS]
        self._fields = fields
        self._papers = Papers(fields)

    # --- checkpoints ----------------------------------------------------------------------

    async def checkpoint(self, key: str) -> Mapping[str, int] | None:
        """Return where a killed import of this file has got to."""
        found = await self._checkpoints.find_one({"_id": key})
        return found["reached"] if found else None

    async def save_checkpoint(self, key: str, reached: Mapping[str, int]) -> None:
        """Note that everything before has been written."""
        await self._checkpoints.update_one(
            {"_id": key}, {"$set": {"reached": dict(reached)}}, upsert=True
        )

    async def drop_checkpoint(self, key: str) -> None:
        """Note that an import came to its end."""
        await self._checkpoints.delete_one({"_id": key})

    # --- in -------------------------------------------------------------------------------

    async def add(self, people: Sequence[Known]) -> None:
        """Add these people, or what is new about those we know.

        Changes by a citizen in the same moment win: their lines are read again and redone.
        """
        joined = list(_joined(people).items())
        half = (len(joined) + 1) // 2  # MongoDB works on one half while we prepare the other
        await asyncio.gather(
            *(self._add_all(dict(part)) for part in (joined[:half], joined[half:]))
        )

    async def _add_all(self, people: Mapping[str, Known]) -> None:
        while people:
            people = await self._add(people)

    async def _add(self, people: Mapping[str, Known]) -> dict[str, Known]:
        """Write once and return those who changed under our hands."""
        found = self._subscribers.find({"_id": {"$in": list(people)}})
        existing = {document["_id"]: document for document in await found.to_list()}
        subscribers: list[InsertOne[Document] | UpdateOne] = []
        bindings: list[UpdateOne] = []
        written: list[str] = []
        for _id, (line, subjects) in people.items():
            document = existing.get(_id)
            known = marks_from(document) if document else Marks()
            fresh = {subject_hash(self._fields, subject): subject for subject in subjects}
            fresh = {digest: item for digest, item in fresh.items() if digest not in known.subjects}
            bindings += [
                await self._binding(_id, line, digest, item) for digest, item in fresh.items()
            ]
            kinds = dict.fromkeys((*known.kinds, *(item.kind for item in subjects)))
            marks = replace(known, subjects=(*known.subjects, *fresh), kinds=tuple(kinds))
            if document is None:
                subscribers.append(InsertOne(_newborn(_id, line, marks)))
                written.append(_id)
            elif (merged := _merged(document, line)) != subscriber_from(document) or fresh:
                subscribers.append(
                    UpdateOne(
                        # a sign of life changes the face and not the revision
                        {
                            "_id": _id,
                            "revision": document.get("revision"),
                            "face": document.get("face"),
                        },
                        {
                            "$set": subscriber_fields(merged, marks) | _dates(merged),
                            "$inc": {"revision": 1},
                        },
                    )
                )
                written.append(_id)
        if bindings:
            await self._write(self._bindings.bulk_write(bindings, ordered=False))
        if not subscribers:
            return {}
        done = await self._write(self._subscribers.bulk_write(subscribers, ordered=False))
        return {} if done == len(written) else {_id: people[_id] for _id in written}

    async def _binding(
        self, _id: str, line: Subscriber, digest: str, subject: Subject
    ) -> UpdateOne:
        element = await self._papers.imported(new_id("im"), subject)
        return UpdateOne(
            {"_id": _id, "imported.subject": {"$ne": digest}},
            {
                "$push": {"imported": element},
                "$setOnInsert": {"account": line.account, "openid": line.openid},
            },
            upsert=True,
        )

    async def _write(self, operation: Any) -> int:
        """Run a bulk write and return how many documents it reached.

        A duplicate key means that somebody else inserted the same person a moment ago.
        """
        try:
            result = (await operation).bulk_api_result
        except BulkWriteError as error:
            result = error.details
            if any(item["code"] != DUPLICATE_KEY for item in result["writeErrors"]):
                raise
        return int(result["nInserted"] + result["nMatched"] + result["nUpserted"])

    # --- out ------------------------------------------------------------------------------

    async def everyone(self, account: AccountId) -> AsyncIterator[Known]:
        """Yield every follower in `_id` order with what notices about them can name, decrypted."""
        cursor = self._subscribers.find(
            {"_id": {"$gt": f"{account}:", "$lt": f"{account};"}, "following": True},
            sort=[("_id", 1)],
            hint="_id_",
            batch_size=EXPORT_BATCH,
        )
        batch: list[Document] = []
        async for document in cursor:
            batch.append(document)
            if len(batch) == EXPORT_BATCH:
                for known in await self._with_subjects(batch):
                    yield known
                batch = []
        for known in await self._with_subjects(batch):
            yield known

    async def _with_subjects(self, documents: Iterable[Document]) -> list[Known]:
        documents = list(documents)
        holders = [document["_id"] for document in documents if document.get("subjects")]
        found = self._bindings.find({"_id": {"$in": holders}})
        papers = {document["_id"]: document for document in await found.to_list()}
        return [
            (
                subscriber_from(document),
                (await self._papers.read(papers.get(document["_id"]))).subjects,
            )
            for document in documents
        ]


def _joined(people: Sequence[Known]) -> dict[str, Known]:
    """Join the lines of one person, who may stand in a file several times."""
    joined: dict[str, Known] = {}
    for line, subjects in people:
        _id = person_id(line.account, line.openid)
        if _id in joined:
            first, other = joined[_id]
            joined[_id] = (_union(first, line), tuple(dict.fromkeys((*other, *subjects))))
        else:
            joined[_id] = (line, subjects)
    return joined


def _union(held: Subscriber, line: Subscriber, declined: Iterable[str] = ()) -> Subscriber:
    """Add what a line says to what is there; a subscription there keeps its mode."""
    have = {(item.topic, item.region) for item in held.subscriptions}
    added = [
        item
        for item in line.subscriptions
        if (item.topic, item.region) not in have and item.topic not in declined
    ]
    return replace(
        held,
        region=held.region or line.region,
        followed_at=held.followed_at or line.followed_at,
        active_on=max(filter(None, (held.active_on, line.active_on)), default=None),
        tags=tuple(dict.fromkeys((*held.tags, *line.tags))),
        subscriptions=(*held.subscriptions, *added),
    )


def _merged(document: Document, line: Subscriber) -> Subscriber:
    return _union(subscriber_from(document), line, document.get("declined", ()))


def _newborn(_id: str, line: Subscriber, marks: Marks) -> Document:
    return {
        "_id": _id,
        "account": line.account,
        "openid": line.openid,
        "following": True,
        "reachable": True,
        "revision": 1,
        **subscriber_fields(line, marks),
        **_dates(line),
    }


def _dates(line: Subscriber) -> Document:
    """Return the dates that are known; an import may bring what no event has told us."""
    dates = {"followed_at": line.followed_at, "active_on": line.active_on}
    return {name: date for name, date in dates.items() if date is not None}
