"""What older documents lack (升级): written once, when the service is opened on them.

Subscribers from before faces have none, and rules would not find them. Everything needed stands
in their own documents, but for the kinds of what they bound. Two processes at once, or a kill in
the middle, do no harm: only a document that is still as it was read is written, and the mark is
set when none is left. Processes of a version before faces must not run beside later ones.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from domain.topic import SubjectKind
from storage.mongo.papers import marks_from, subscriber_fields, subscriber_from
from storage.mongo.people import BINDINGS, SUBSCRIBERS

log = logging.getLogger(__name__)

UPGRADES = "upgrades"
FACES = "faces"
BATCH = 1000

Document = dict[str, Any]


async def upgrade(database: AsyncDatabase[Document]) -> None:
    """Write what is missing; costs one look once it is done."""
    if await database[UPGRADES].find_one({"_id": FACES}):
        return
    subscribers = database[SUBSCRIBERS]
    if not await subscribers.find_one({}, {"_id": 1}):
        return  # a fresh database stays empty, so that a backup can be restored into it
    total, seen = 0, -1
    while seen:  # who changed under our hands is found once more
        cursor = subscribers.find({"face": {"$exists": False}}, batch_size=BATCH)
        seen = 0
        while found := await cursor.to_list(BATCH):
            seen += len(found)
            total += await _give_faces(database, found)
    await database[UPGRADES].update_one({"_id": FACES}, {"$set": {"done": True}}, upsert=True)
    log.info("upgrade.faces", extra={"subscribers": total})


async def _give_faces(database: AsyncDatabase[Document], found: Sequence[Document]) -> int:
    holders = [document["_id"] for document in found if document.get("subjects")]
    papers = await database[BINDINGS].find({"_id": {"$in": holders}}).to_list()
    kinds = {paper["_id"]: _kinds(paper) for paper in papers}
    writes = []
    for document in found:
        marks = replace(marks_from(document), kinds=kinds.get(document["_id"], ()))
        writes.append(
            UpdateOne(
                {
                    "_id": document["_id"],
                    "face": {"$exists": False},
                    "revision": document.get("revision"),
                },
                {"$set": subscriber_fields(subscriber_from(document), marks)},
            )
        )
    result = await database[SUBSCRIBERS].bulk_write(writes, ordered=False)
    return result.modified_count


def _kinds(paper: Mapping[str, Any]) -> tuple[SubjectKind, ...]:
    """Return the kinds of what somebody bound; nothing needs to be decrypted for that."""
    imported = {item["kind"] for item in paper.get("imported", ())}
    found: list[SubjectKind] = []
    if paper.get("vehicles") or "vehicle" in imported:
        found.append("vehicle")
    if paper.get("real_name") or "person" in imported:
        found.append("person")
    return tuple(found)
