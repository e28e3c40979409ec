"""The ledger of batches (发送台账) in MongoDB: the fact behind the queue.

Two collections. `batches` holds what changes and stays small: state, lease, the sub-chunks
that were touched, and counters. `batch_people` holds a batch's recipients, written once before
the batch that points to it; without a batch such a list means nothing and expires.

Every write of a worker names owner, attempt and the state `leased`: after a lost lease nothing
of it arrives any more.
"""

import logging
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from domain.delivery import Outcome
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Batch, Chunk, NewBatch, Totals, batch_id, first_chunks
from storage.mongo.begun import BEGUN, BEGUN_FIELDS, Begun, MongoBegun, begun_from
from storage.mongo.changes import batch_became
from storage.mongo.joined import JoinedWrites

log = logging.getLogger(__name__)

Document = dict[str, Any]
Lease = tuple[str, str, int]  # batch, owner, attempt: what fences a worker's writes
SEPARATOR = "\n"
DUPLICATE = 11000
GONE = "the list of its recipients is gone; it is buried after some tries"
MAX_STALLS = 8  # leases in a row that ended without any progress
SWEPT = [(name, ASCENDING) for name in ("state", "due_at", "queue", "broadcast", "begun")]
OUTCOMES: tuple[Outcome, ...] = ("sent", "failed", "skipped", "unknown")


class SeqTaken(Exception):
    """Somebody else wrote that batch: fan-out must go on from what the ledger says."""


class LeaseLost(Exception):
    """The batch is no longer ours; nothing was written."""


class MongoLedger:
    """The batches of all broadcasts."""

    collection = "batches"
    people_collection = "batch_people"
    indexes = (
        IndexModel([("broadcast", ASCENDING), ("seq", ASCENDING)], unique=True),
        IndexModel([("parent", ASCENDING)], sparse=True),  # the sums of a plan
        # what the sweep looks for, answered from the index alone
        IndexModel(SWEPT),
        IndexModel([("state", ASCENDING), ("lease_until", ASCENDING)]),  # leases that ran out
        IndexModel(  # batches that were begun before and wait for somebody to go on
            [("due_at", ASCENDING)],
            name="begun",
            partialFilterExpression=BEGUN,
        ),
        IndexModel([("broadcast", ASCENDING), ("state", ASCENDING)]),  # is anything left?
    )
    people_indexes = (IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),)

    def __init__(self, database: AsyncDatabase[Document], *, chunk_size: int = 25) -> None:
        self._batches = database[self.collection]
        self._people = database[self.people_collection]
        self._chunk_size = chunk_size
        self.begun = MongoBegun(self._batches)
        self._writes: JoinedWrites[Lease] = JoinedWrites(self._update)

    async def create_indexes(self) -> None:
        """Create the indexes of both collections."""
        await self._batches.create_indexes(list(self.indexes))
        await self._people.create_indexes(list(self.people_indexes))

    # --- fan-out --------------------------------------------------------------------------

    async def last(self, broadcast: BroadcastId) -> tuple[int, str] | None:
        """Return the number and cursor of the last batch written: where fan-out resumes."""
        found = await self._batches.find_one(
            {"broadcast": broadcast}, {"seq": 1, "cursor": 1}, sort=[("seq", DESCENDING)]
        )
        return (found["seq"], found["cursor"]) if found else None

    async def add(self, batches: Sequence[NewBatch]) -> None:
        """Write batches in order; `SeqTaken` when one of the numbers is already there."""
        if not batches:
            return
        lists = [ObjectId() for _ in batches]
        await self._people.insert_many(
            [
                {"_id": list_id, "openids": SEPARATOR.join(batch.people)}
                for list_id, batch in zip(lists, batches, strict=True)
            ],
            ordered=False,
        )
        try:
            await self._batches.insert_many(
                [
                    self._document(batch, list_id)
                    for list_id, batch in zip(lists, batches, strict=True)
                ],
                ordered=True,
            )
        except BulkWriteError as error:
            problem = _only_duplicates(error, SeqTaken)
            number = int((error.details or {}).get("nInserted", 0))
            _written(batches[:number])
            if isinstance(problem, SeqTaken):  # lists without a batch, and people's names in them
                await self._people.delete_many({"_id": {"$in": lists[number:]}})
            raise problem from error
        _written(batches)

    # --- a worker's life with a batch -----------------------------------------------------

    async def claim(
        self, wanted: Collection[str], *, owner: str, now: datetime, until: datetime
    ) -> list[Batch]:
        """Lease those that are ready or whose lease ran out, in one update for any number.

        Of two who want the same ones each gets what the other has not leased yet.
        """
        if not wanted:
            return []
        ids = {"_id": {"$in": list(wanted)}}
        lease = {"state": "leased", "owner": owner, "claim": secrets.token_hex(8)}
        await self._batches.update_many(
            {
                **ids,
                "stalls": {"$lt": MAX_STALLS},
                "$or": [
                    {"state": "ready", "due_at": {"$lte": now}},
                    {"state": "leased", "lease_until": {"$lt": now}},
                ],
            },
            {
                "$set": {**lease, "lease_until": until, "begun": False},
                "$inc": {"attempt": 1, "stalls": 1},
            },
        )
        return await self._leased(await self._batches.find({**ids, **lease}).to_list())

    async def list_abandoned(self, now: datetime, *, limit: int) -> list[Begun]:
        """Return batches whose worker has stopped renewing its lease."""
        cursor = self._batches.find(
            {"state": "leased", "lease_until": {"$lt": now}, "stalls": {"$lt": MAX_STALLS}},
            BEGUN_FIELDS,
        ).limit(limit)
        return [begun_from(found) for found in await cursor.to_list()]

    async def renew(self, owner: str, ids: Collection[str], until: datetime) -> set[str]:
        """Extend the leases; returns those that are still the owner's."""
        query = {"_id": {"$in": list(ids)}, "owner": owner, "state": "leased"}
        await self._batches.update_many(query, {"$set": {"lease_until": until}})
        return {found["_id"] async for found in self._batches.find(query, {"_id": 1})}

    async def intend(self, batch: Batch, chunk: Chunk, now: datetime) -> None:
        """Write that the sub-chunk is about to be sent; `LeaseLost` when it must not be."""
        await self._write(batch, {"$set": {f"chunks.{chunk.id}.i": now}})

    async def close_chunk(
        self,
        batch: Batch,
        chunk: Chunk,
        counts: Mapping[Outcome, int],
        children: Sequence[Chunk] = (),
    ) -> None:
        """Close a sub-chunk and add its outcomes, in one update.

        Whoever is not concluded stands in `children`, which open in the same update. Of a closed
        one nothing is kept but that: a batch must stay small however often it is put off.
        """
        fields: Document = {f"chunks.{chunk.id}": {"d": True}}
        for child in children:
            fields[f"chunks.{child.id}"] = _chunk_document(child)
        if counts:
            fields["stalls"] = 0
        increments = {f"counts.{outcome}": number for outcome, number in counts.items() if number}
        increments["left"] = len(children) - 1
        await self._write(
            batch,
            {"$set": fields, "$inc": increments},
            guard={f"chunks.{chunk.id}.d": {"$exists": False}},
        )

    async def put_back(self, batch: Batch, chunk: Chunk) -> None:
        """Keep a sub-chunk open of which nobody was concluded, as it is to be begun next."""
        await self._write(
            batch,
            {"$set": {f"chunks.{chunk.id}": _chunk_document(chunk)}},
            guard={f"chunks.{chunk.id}.d": {"$exists": False}},
        )

    async def release(self, batch: Batch, due_at: datetime) -> None:
        """Give a batch back; being held up counts neither as an attempt nor as a stall."""
        await self._write(
            batch,
            {
                "$set": {
                    "state": "ready",
                    "due_at": due_at,
                    "owner": "",
                    "stalls": 0,
                    "begun": True,
                }
            },
        )
        batch_became(batch.id, "ready", due_at=due_at)

    async def finish(self, batch: Batch) -> None:
        """Mark a batch done whose sub-chunks are all closed."""
        await self._write(batch, {"$set": {"state": "done"}}, guard={"left": 0})
        batch_became(batch.id, "done")

    async def write_off(self, batch: Batch, counts: Mapping[Outcome, int]) -> None:
        """Close everything that is still open at once (a cancelled broadcast)."""
        increments = {f"counts.{outcome}": number for outcome, number in counts.items()}
        await self._write(
            batch,
            {
                "$set": {"state": "done", "left": 0},
                **({"$inc": increments} if counts else {}),
            },
        )
        batch_became(batch.id, "done", reason="written off")

    # --- recovery -------------------------------------------------------------------------

    async def expire_leases(self, now: datetime) -> int:
        """Make batches ready again whose worker has stopped renewing; returns how many."""
        return await self._make_ready(
            {"state": "leased", "lease_until": {"$lt": now}, "stalls": {"$lt": MAX_STALLS}},
            {"due_at": now, "owner": "", "begun": True},
            reason="lease expired",
        )

    async def bury(self, now: datetime) -> list[tuple[str, BroadcastId]]:
        """Set aside batches that keep killing their worker; returns them."""
        buried: list[tuple[str, BroadcastId]] = []
        while found := await self._batches.find_one_and_update(
            {"state": "leased", "lease_until": {"$lt": now}, "stalls": {"$gte": MAX_STALLS}},
            {"$set": {"state": "dead", "owner": "", "died_at": now}},
            {"broadcast": 1},
        ):
            batch_became(found["_id"], "dead")
            buried.append((found["_id"], BroadcastId(found["broadcast"])))
        return buried

    async def revive(
        self, broadcast: BroadcastId, now: datetime, *, batch: str | None = None
    ) -> int:
        """Give the dead batches of a broadcast, or one of them, another chance (replay)."""
        one = {} if batch is None else {"_id": batch}
        return await self._make_ready(
            {"broadcast": broadcast, "state": "dead", **one},
            {"due_at": now, "stalls": 0, "begun": True},
            reason="revived",
        )

    async def ready(self, now: datetime) -> list[tuple[str, BroadcastId, int]]:
        """Return (queue, broadcast, number) of batches that wait to be rung for."""
        cursor = await self._batches.aggregate(
            [
                {"$match": {"state": "ready", "due_at": {"$lte": now}, "begun": {"$ne": True}}},
                {
                    "$group": {
                        "_id": {"queue": "$queue", "broadcast": "$broadcast"},
                        "number": {"$sum": 1},
                    }
                },
            ]
        )
        return [
            (row["_id"]["queue"], BroadcastId(row["_id"]["broadcast"]), row["number"])
            async for row in cursor
        ]

    async def list_ready(self, broadcasts: Collection[BroadcastId], now: datetime) -> list[str]:
        """Return the ids of the batches that wait to be rung for, in order."""
        cursor = self._batches.find(
            {
                "broadcast": {"$in": list(broadcasts)},
                "state": "ready",
                "due_at": {"$lte": now},
                "begun": {"$ne": True},
            },
            {"_id": 1},
        ).sort([("due_at", ASCENDING), ("broadcast", ASCENDING), ("seq", ASCENDING)])
        return [found["_id"] async for found in cursor]

    async def list_open(self, broadcast: BroadcastId, *, limit: int = 500) -> list[str]:
        """Return batches that are not done."""
        cursor = self._batches.find(
            {"broadcast": broadcast, "state": {"$in": ["ready", "leased", "dead"]}}, {"_id": 1}
        ).limit(limit)
        return [found["_id"] async for found in cursor]

    async def claim_for_closing(
        self, wanted: str, *, owner: str, now: datetime, until: datetime
    ) -> Batch | None:
        """Lease a batch of a cancelled broadcast, due or not; never from a living worker."""
        found = await self._batches.find_one_and_update(
            {
                "_id": wanted,
                "$or": [
                    {"state": {"$in": ["ready", "dead"]}},
                    {"state": "leased", "lease_until": {"$lt": now}},
                ],
            },
            {
                "$set": {
                    "state": "leased",
                    "owner": owner,
                    "lease_until": until,
                    "begun": False,
                },
                "$inc": {"attempt": 1},
            },
            return_document=ReturnDocument.AFTER,
        )
        batches = await self._leased([found] if found else [])
        return batches[0] if batches else None

    async def expire_people(self, broadcast: BroadcastId, at: datetime) -> None:
        """Let the lists of a closed broadcast go."""
        lists = [
            found["people"]
            async for found in self._batches.find({"broadcast": broadcast}, {"people": 1})
        ]
        await self._people.update_many({"_id": {"$in": lists}}, {"$set": {"expire_at": at}})

    # --- sums -----------------------------------------------------------------------------

    async def totals(self, broadcast: BroadcastId) -> Totals:
        """Add up a broadcast's batches."""
        return await self._sum({"broadcast": broadcast})

    async def totals_of_plan(self, plan: BroadcastId) -> Totals:
        """Add up the batches of all occurrences of a plan."""
        return await self._sum({"parent": plan})

    async def is_complete(self, broadcast: BroadcastId) -> bool:
        """Whether no batch is left to do."""
        left = await self._batches.find_one(
            {"broadcast": broadcast, "state": {"$in": ["ready", "leased", "dead"]}}, {"_id": 1}
        )
        return left is None

    async def _sum(self, query: Document) -> Totals:
        sums = {outcome: {"$sum": f"$counts.{outcome}"} for outcome in OUTCOMES}
        cursor = await self._batches.aggregate(
            [{"$match": query}, {"$group": {"_id": None, "people": {"$sum": "$size"}, **sums}}]
        )
        async for row in cursor:
            return Totals(people=row["people"], **{name: row[name] for name in OUTCOMES})
        return Totals()

    # --- documents ------------------------------------------------------------------------

    async def _make_ready(self, query: Document, fields: Document, *, reason: str) -> int:
        """Make batches ready one by one, so that each has its line in the log."""
        number = 0
        while found := await self._batches.find_one_and_update(
            query, {"$set": {"state": "ready", **fields}}, {"_id": 1}
        ):
            batch_became(found["_id"], "ready", reason=reason)
            number += 1
        return number

    async def _leased(self, documents: Sequence[Document]) -> list[Batch]:
        """Return the batches with their people, who are read together.

        One whose list is gone is left out: its lease runs out, and in the end it is buried.
        """
        if not documents:
            return []
        lists = [document["people"] for document in documents]
        people = {
            found["_id"]: tuple(map(OpenId, found["openids"].split(SEPARATOR)))
            async for found in self._people.find({"_id": {"$in": lists}}, {"openids": 1})
        }
        batches = []
        for document in documents:
            name, owner, attempt = document["_id"], document["owner"], document["attempt"]
            batch_became(name, "leased", owner=owner, attempt=attempt)
            if document["people"] in people:
                batches.append(_batch(document, people[document["people"]]))
            else:
                log.error("batch.people_gone", extra={"batch": name, "reason": GONE})
        return batches

    async def _write(self, batch: Batch, update: Document, guard: Document | None = None) -> None:
        """Make a fenced update, together with others of the same batch that come meanwhile."""
        if batch.lost:
            raise LeaseLost(batch.id)
        lease = (batch.id, batch.owner, batch.attempt)
        if not await self._writes.make(lease, guard or {}, update):
            batch.lost = True
            raise LeaseLost(batch.id)

    async def _update(self, lease: Lease, guard: Document, update: Document) -> bool:
        _id, owner, attempt = lease
        fence = {"_id": _id, "owner": owner, "attempt": attempt, "state": "leased"}
        result = await self._batches.update_one(fence | guard, update)
        return result.matched_count == 1

    def _document(self, batch: NewBatch, list_id: ObjectId) -> Document:
        chunk_size = batch.chunk_size or self._chunk_size
        document: Document = {
            "_id": batch_id(batch.broadcast, batch.seq),
            "broadcast": batch.broadcast,
            "account": batch.account,
            "seq": batch.seq,
            "queue": batch.queue,
            "priority": batch.priority,
            "rank": batch.rank,
            "people": list_id,
            "size": len(batch.people),
            "chunk_size": chunk_size,
            "left": -(-len(batch.people) // chunk_size),
            "cursor": batch.cursor,
            "state": "ready",
            "attempt": 0,
            "stalls": 0,
            "owner": "",
            "lease_until": None,
            "due_at": batch.due_at,
            "chunks": {},
            "counts": dict.fromkeys(OUTCOMES, 0),
        }
        if batch.parent is not None:
            document["parent"] = batch.parent
        return document


def _batch(document: Document, people: tuple[OpenId, ...]) -> Batch:
    return Batch(
        id=document["_id"],
        broadcast=BroadcastId(document["broadcast"]),
        account=AccountId(document["account"]),
        seq=document["seq"],
        queue=document["queue"],
        owner=document["owner"],
        attempt=document["attempt"],
        lease_until=document["lease_until"],
        people=people,
        open=_open_chunks(document),
        rank=document.get("rank", "bulk"),
    )


def _written(batches: Sequence[NewBatch]) -> None:
    for batch in batches:
        batch_became(batch.id, "ready", people=len(batch.people))


def _open_chunks(document: Document) -> dict[str, Chunk]:
    first = first_chunks(document["size"], document["chunk_size"])
    chunks: dict[str, Chunk] = {}
    for chunk_id in {**first, **document["chunks"]}:
        kept = document["chunks"].get(chunk_id, {})
        if kept.get("d"):
            continue
        positions = tuple(kept["p"]) if "p" in kept else first[chunk_id].positions
        chunks[chunk_id] = Chunk(
            id=chunk_id,
            positions=positions,
            intended_at=kept.get("i"),
            due_at=kept.get("u"),
            tries=kept.get("t", 0),
        )
    return chunks


def _chunk_document(chunk: Chunk) -> Document:
    document: Document = {"p": list(chunk.positions)}
    if chunk.intended_at is not None:
        document["i"] = chunk.intended_at
    if chunk.due_at is not None:
        document["u"] = chunk.due_at
    if chunk.tries:
        document["t"] = chunk.tries
    return document


def _only_duplicates(error: BulkWriteError, kind: type[Exception]) -> Exception:
    problems = (error.details or {}).get("writeErrors", [])
    concerns = (error.details or {}).get("writeConcernErrors", [])
    if concerns or any(problem["code"] != DUPLICATE for problem in problems):
        return error
    return kind("already there")
