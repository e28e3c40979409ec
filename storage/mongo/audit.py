"""The audit chain in MongoDB (审计链): appended to by any number of processes, never changed.

The number of an entry is its `_id`, so two processes that append at once cannot make a fork: the
second one finds the number taken, looks at the new end and tries again, a bounded number of
times. An append takes two writes: the entry, then the signed head. Killed between the two, the
head lags behind until the next append; entries beyond the head are good, only their removal
would go unseen until then.

Old entries leave in whole segments behind a signed checkpoint, from which the rest still
verifies. The checkpoint is written first: what is left below it after a kill belongs to no chain
any more and goes with the next cut.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

import pymongo
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, PyMongoError

from domain.audit import GENESIS, Anchor, AuditUnavailable, Draft, Entry, Wanted

Document = dict[str, Any]
PATIENCE_SECONDS = 5.0  # for one append, the waiting for others included
ATTEMPTS = 60
SEGMENT = 100  # entries that leave together
SEARCH_SECONDS = 5.0
_NUMBERED = {"_id": {"$gte": 0}}  # whatever else somebody may have put there is no entry


class MongoAudit:
    """Appends, reads and cuts the chain."""

    collection = "audit"
    indexes = tuple(
        IndexModel([(name, ASCENDING), ("_id", DESCENDING)], name=name)
        for name in ("actor", "actor_name", "action", "object", "account", "at")
    )

    def __init__(self, database: AsyncDatabase[Document], master_key: bytes) -> None:
        self._entries = database[self.collection]
        self._anchors = database["audit_anchors"]
        self._seen = 0  # the last entry this process made
        self._turn = asyncio.Lock()  # those of one process need not compete with each other
        self.key = _derived(master_key, b"weizheng audit chain")
        self.anchor_key = _derived(master_key, b"weizheng audit anchors")

    async def append(self, draft: Draft, now: datetime) -> Entry:
        """Add an entry at the end; `AuditUnavailable` when it cannot be done in time."""
        async with _in_time(PATIENCE_SECONDS), self._turn:
            for attempt in range(ATTEMPTS):
                entry = await self._next(draft, now)
                try:
                    await self._entries.insert_one(_document(entry))
                except DuplicateKeyError:  # another process took the number
                    await asyncio.sleep(secrets.randbelow(2 * min(attempt + 1, 20)) / 1000)
                    continue
                self._seen = entry.seq
                await self._anchor(Anchor(name="head", seq=entry.seq, hash=entry.hash))
                return entry
        raise AuditUnavailable(f"the end of the audit chain was taken {ATTEMPTS} times")

    async def _next(self, draft: Draft, now: datetime) -> Entry:
        """Seal the draft behind the entry that is the last at this moment.

        The head is read first: an honest chain is never shorter. If it is, the end was deleted,
        and the number goes on from the head, so that the gap stays for everybody to find.
        """
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        head = await self.anchor("head")
        known = head.seq if head and head.is_genuine(self.anchor_key) else 0
        found = await self._entries.find_one(_NUMBERED, sort=[("_id", DESCENDING)])
        if found:
            last = _entry(found)
            at, seq, previous = max(last.at, now), last.seq, last.hash
        else:
            end = await self.anchor("checkpoint")
            at, seq, previous = now, end.seq if end else 0, end.hash if end else GENESIS
        seq = max(seq, known, self._seen) + 1
        return draft.sealed(self.key, seq=seq, at=at, previous=previous)

    async def anchor(self, name: Literal["head", "checkpoint"]) -> Anchor | None:
        """Return a signed place, genuine or not."""
        found = await self._anchors.find_one({"_id": name})
        if not found:
            return None
        return Anchor(
            name=name,
            seq=int(found.get("seq", 0)),
            hash=str(found.get("hash", "")),
            signature=str(found.get("signature", "")),
        )

    async def read(self, after: int, limit: int) -> list[Entry]:
        """Return the entries behind a number, in order."""
        cursor = self._entries.find({"_id": {"$gt": after}}).sort("_id", ASCENDING).limit(limit)
        return [_entry(document) async for document in cursor]

    async def find(self, seq: int) -> Entry | None:
        """Return one entry."""
        found = await self._entries.find_one({"_id": seq})
        return _entry(found) if found else None

    async def search(self, wanted: Wanted, *, before: int | None, limit: int) -> list[Entry]:
        """Return the entries wanted, the newest first, those older than the number `before`."""
        async with _in_time(SEARCH_SECONDS):
            query = await self._query(wanted, before)
            if query is None:
                return []
            cursor = self._entries.find(query).sort("_id", DESCENDING).limit(limit)
            return [_entry(document) async for document in cursor]

    async def cuttable(self, before: datetime) -> int:
        """Return the number up to which whole segments are older; 0: nothing is due.

        The last entry always stays: the chain goes on from it.
        """
        async with _in_time(PATIENCE_SECONDS):
            last = await self._entries.find_one(_NUMBERED, {"_id": 1}, sort=[("_id", DESCENDING)])
            if not last:
                return 0
            young = await self._number({"$gte": before}, ASCENDING)
            kept = min(young or last["_id"], last["_id"])
            return max(0, int(kept) - 1) // SEGMENT * SEGMENT

    async def cut(self, last: Entry) -> None:
        """Let everything go up to this entry, which has to be found in order before."""
        await self._anchor(Anchor(name="checkpoint", seq=last.seq, hash=last.hash))
        await self.sweep()

    async def sweep(self) -> None:
        """Delete what lies before a genuine checkpoint."""
        end = await self.anchor("checkpoint")
        if end and end.is_genuine(self.anchor_key):
            async with _in_time(10 * PATIENCE_SECONDS):
                await self._entries.delete_many({"_id": {"$lte": end.seq}})

    async def _anchor(self, anchor: Anchor) -> None:
        """Move a signed place forward; one that is already further stays."""
        signed = anchor.signed(self.anchor_key)
        content = {"seq": signed.seq, "hash": signed.hash, "signature": signed.signature}
        try:
            await self._anchors.update_one(
                {"_id": anchor.name, "seq": {"$lt": anchor.seq}}, {"$set": content}, upsert=True
            )
        except DuplicateKeyError:
            return  # it is there and further

    async def _query(self, wanted: Wanted, before: int | None) -> Document | None:
        """Return the query; times become numbers, which grow with them. None: nothing can fit."""
        query: Document = {}
        if wanted.who:
            query["$or"] = [{"actor": wanted.who}, {"actor_name": wanted.who}]
        for name in ("action", "object", "account"):
            if value := getattr(wanted, name):
                query[name] = value
        numbers: Document = {"$lt": before} if before is not None else {}
        if wanted.since:
            first = await self._number({"$gte": wanted.since}, ASCENDING)
            if first is None:
                return None
            numbers["$gte"] = first
        if wanted.until:
            last = await self._number({"$lt": wanted.until}, DESCENDING)
            if last is None:
                return None
            numbers["$lte"] = last
        return query | ({"_id": numbers} if numbers else {})

    async def _number(self, span: Document, order: int) -> int | None:
        found = await self._entries.find_one(
            {"at": span}, {"_id": 1}, sort=[("at", order), ("_id", order)]
        )
        return int(found["_id"]) if found else None


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            with pymongo.timeout(seconds):
                yield
    except (PyMongoError, TimeoutError) as error:
        raise AuditUnavailable(f"the audit chain: {type(error).__name__}") from error


def _document(entry: Entry) -> Document:
    content = asdict(entry)
    content["_id"] = content.pop("seq")
    return content


def _entry(document: Document) -> Entry:
    """Read an entry; what somebody spoilt is read as something whose hash cannot fit."""
    at, seq, intent = document.get("at"), document.get("_id"), document.get("intent")
    texts: Sequence[str] = (
        "actor", "actor_name", "remote", "action", "object", "account", "before", "after",
        "outcome", "previous", "hash",
    )  # fmt: skip
    return Entry(
        seq=seq if isinstance(seq, int) else -1,
        at=at if isinstance(at, datetime) else datetime(1970, 1, 1, tzinfo=UTC),
        intent=intent if isinstance(intent, int) else -1,
        **{name: str(document.get(name, "")) for name in texts},  # type: ignore[arg-type]
    )


def _derived(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(master_key)
