"""Watched vehicles (违法提醒) in MongoDB: when each is asked about next, and what was seen.

A vehicle is known by its keyed hash, and so are its records: nothing here tells a plate or a
record number. Whoever bound it is found again through the hash in `subscribers`; when nobody is,
the row goes. Rows are claimed one by one, so that several processes never ask about the same
vehicle at once; a claim that was never finished runs out by itself, and its process, if it
was only asleep, changes nothing any more.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subject
from storage.mongo.fields import FieldCipher
from storage.mongo.keys import subject_hash, subject_key, topic_key
from storage.mongo.people import SUBSCRIBERS

Document = dict[str, Any]
MOST_HOLDERS = 200  # people looked at to find those who follow the topic
MOST_SEEN = 1_000  # record hashes kept of one vehicle: twice the longest answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """New records that are being told of: written before the notice, so that no day doubles."""

    day: str  # in Beijing, 2026-11-24
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One vehicle, claimed. `seen` is None before its first good answer: the baseline."""

    vehicle: str
    until: datetime  # the claim's end: what is written later under it changes nothing
    seen: tuple[str, ...] | None
    pending: Pending | None
    announced_on: str


class MongoVehicleWatch:
    """The watched vehicles of all accounts."""

    collection = "vehicle_watch"
    indexes = (IndexModel([("account", ASCENDING), ("next_at", ASCENDING)]),)

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self._rows = database[self.collection]
        self._subscribers = database[SUBSCRIBERS]
        self._fields = fields

    def vehicle_hash(self, plate: str, plate_type: str) -> str:
        """Return the keyed hash of a vehicle: the one its holders carry."""
        subject = Subject(kind="vehicle", value=plate, plate_type=plate_type)
        return subject_hash(self._fields, subject)

    def record_hash(self, seq: str) -> str:
        """Return the keyed hash of a record number."""
        return self._fields.blind("violation", seq)

    async def seal(self, person: str) -> bytes:
        """Return where a sweep stopped, encrypted: it is somebody's openid."""
        return bytes(await self._fields.encrypt(person))

    async def unseal(self, sealed: bytes) -> str:
        """Return what `seal` was given."""
        return await self._fields.decrypt(sealed)

    async def ensure(self, account: AccountId, first: Mapping[str, datetime]) -> None:
        """Watch these vehicles from now on, first at these times; known ones stay as they are."""
        if not first:
            return
        newborn = {"account": account, "seen": None, "pending": None, "announced_on": ""}
        await self._rows.bulk_write(
            [
                UpdateOne(
                    {"_id": _row_id(account, vehicle)},
                    {"$setOnInsert": {**newborn, "vehicle": vehicle, "next_at": at}},
                    upsert=True,
                )
                for vehicle, at in first.items()
            ],
            ordered=False,
        )

    async def claim(self, account: AccountId, *, now: datetime, until: datetime) -> Watch | None:
        """Take the longest due vehicle; unless it is finished, it is due again at `until`."""
        found = await self._rows.find_one_and_update(
            {"account": account, "next_at": {"$lte": now}},
            {"$set": {"next_at": until}},
            sort=[("next_at", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            return None
        pending = found["pending"]
        return Watch(
            vehicle=found["vehicle"],
            until=found["next_at"],
            seen=None if found["seen"] is None else tuple(found["seen"]),
            pending=Pending(day=pending["day"], records=tuple(pending["records"]))
            if pending
            else None,
            announced_on=found["announced_on"],
        )

    async def holders(
        self, account: AccountId, topic: TopicId, vehicle: str, *, limit: int = 5
    ) -> list[OpenId]:
        """Return some of the reachable followers of the topic who bound the vehicle."""
        cursor = self._subscribers.find(
            {
                "account": account,
                "following": True,
                "reachable": True,
                "keys": subject_key(vehicle),  # few; the topic is compared here, see holders.py
            },
            {"openid": 1, "keys": 1},
            sort=[("_id", ASCENDING)],
            hint="audience",
        )
        holders = [
            OpenId(found["openid"])
            for found in await cursor.to_list(MOST_HOLDERS)
            if topic_key(topic) in found["keys"]
        ]
        return holders[:limit]

    async def note(self, account: AccountId, watch: Watch, pending: Pending) -> bool:
        """Write down what is about to be told; False when another process has the vehicle now."""
        result = await self._rows.update_one(
            _ours(account, watch),
            {"$set": {"pending": {"day": pending.day, "records": list(pending.records)}}},
        )
        return result.matched_count == 1

    async def done(
        self,
        account: AccountId,
        watch: Watch,
        *,
        seen: Collection[str],
        announced_on: str,
        next_at: datetime,
    ) -> None:
        """Keep what was seen and told; the oldest are forgotten when there are too many."""
        await self._rows.update_one(
            _ours(account, watch),
            {
                "$set": {
                    "seen": list(seen)[-MOST_SEEN:],
                    "pending": None,
                    "announced_on": announced_on,
                    "next_at": next_at,
                }
            },
        )

    async def postpone(self, account: AccountId, watch: Watch, next_at: datetime) -> None:
        """Ask about it later; everything else stays."""
        await self._rows.update_one(_ours(account, watch), {"$set": {"next_at": next_at}})

    async def drop(self, account: AccountId, watch: Watch) -> None:
        """Stop watching: nobody has it bound any more."""
        await self._rows.delete_one(_ours(account, watch))


def _ours(account: AccountId, watch: Watch) -> Document:
    return {"_id": _row_id(account, watch.vehicle), "next_at": watch.until}


def _row_id(account: AccountId, vehicle: str) -> str:
    return f"{account}|{vehicle}"
