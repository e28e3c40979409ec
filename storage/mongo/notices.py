"""Personal notices and digests (个人通知与汇总): what their broadcasts keep beside the rest.

They stand in `broadcasts`: a notice with the people it found, a digest with the mark that makes
it the only one of its person and day. Both are written in the same insert as the broadcast.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from domain.broadcast import Broadcast
from domain.digest import DigestMark
from domain.ids import BroadcastId, OpenId, TopicId
from storage.mongo.broadcast_papers import broadcast_document

Document = dict[str, Any]
COLLECTION = "broadcasts"
DUPLICATE = 11000


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a notice (个人通知) keeps besides its broadcast: whom it found, and its sealed part."""

    event_id: str
    immediate: tuple[OpenId, ...]
    daily: tuple[OpenId, ...] = ()
    weekly: tuple[OpenId, ...] = ()
    sealed: bytes = field(repr=False)  # content and subject, encrypted

    @property
    def matched(self) -> int:
        """How many people were found, whatever their mode."""
        return len(self.immediate) + len(self.daily) + len(self.weekly)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a digest was made of, for its person's history."""

    topics: Mapping[TopicId, int] = field(default_factory=dict)
    left_out: Mapping[TopicId, int] = field(default_factory=dict)


class MongoNotices:
    """The notice and digest parts of broadcasts."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._broadcasts = database[COLLECTION]

    async def find(self, broadcast_id: BroadcastId) -> Notice | None:
        """Return the notice part of a broadcast; None once it is no longer kept."""
        found = await self._broadcasts.find_one({"_id": broadcast_id}, {"notice": 1})
        part = found.get("notice") if found else None
        if part is None or "sealed" not in part:
            return None
        return Notice(
            event_id=part["event_id"],
            immediate=tuple(part["immediate"]),
            daily=tuple(part.get("daily", part.get("digest", ()))),
            weekly=tuple(part.get("weekly", ())),
            sealed=bytes(part["sealed"]),
        )

    async def fix_over(
        self, broadcast_id: BroadcastId, over: Collection[OpenId]
    ) -> frozenset[OpenId]:
        """Keep who is beyond the daily cap, once, and return those that hold."""
        await self._broadcasts.update_one(
            {"_id": broadcast_id, "notice.over": {"$exists": False}},
            {"$set": {"notice.over": sorted(over)}},
        )
        return await self.find_over(broadcast_id) or frozenset()

    async def find_over(self, broadcast_id: BroadcastId) -> frozenset[OpenId] | None:
        """Return who was found beyond the cap; None while that is not decided."""
        found = await self._broadcasts.find_one({"_id": broadcast_id}, {"notice.over": 1})
        over = (found or {}).get("notice", {}).get("over")
        return None if over is None else frozenset(OpenId(openid) for openid in over)

    # --- digests --------------------------------------------------------------------------

    async def find_marks(self, ids: Collection[BroadcastId]) -> dict[BroadcastId, DigestMark]:
        """Return whose digests they are; some may no longer be kept."""
        cursor = self._broadcasts.find(
            {"_id": {"$in": list(ids)}, "digest.key": {"$exists": True}}, {"digest": 1}
        )
        return {BroadcastId(found["_id"]): _mark(found["digest"]) async for found in cursor}

    async def add_digests(
        self, digests: Sequence[tuple[Broadcast, DigestMark]], *, owner: str, until: datetime
    ) -> list[Broadcast]:
        """Insert those whose key is free, claimed for expansion, and return them."""
        documents = [
            broadcast_document(digest)
            | {
                "digest": digest_document(mark),
                "fanout": {"open": True, "owner": owner, "until": until},
            }
            for digest, mark in digests
        ]
        taken: set[int] = set()
        if documents:
            try:
                await self._broadcasts.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                details = error.details or {}
                problems = details.get("writeErrors", [])
                if details.get("writeConcernErrors") or any(
                    problem["code"] != DUPLICATE for problem in problems
                ):
                    raise
                taken = {problem["index"] for problem in problems}
        return [digest for number, (digest, _) in enumerate(digests) if number not in taken]

    async def gathered(self, keys: Collection[str]) -> set[str]:
        """Return the keys of digests that have taken everything they will take."""
        cursor = self._broadcasts.find(
            {"digest.key": {"$in": list(keys)}, "fanout.done": {"$exists": True}},
            {"digest.key": 1},
        )
        return {found["digest"]["key"] async for found in cursor}

    async def end_fanouts(self, ids: Collection[BroadcastId], *, owner: str, people: int) -> None:
        """Say of many broadcasts that the ledger holds everybody, and how many each has."""
        if ids:
            await self._broadcasts.update_many(
                {
                    "_id": {"$in": list(ids)},
                    "fanout.owner": owner,
                    "fanout.done": {"$exists": False},
                },
                {"$set": {"fanout.done": people}},
            )

    async def outline(self, broadcast_id: BroadcastId, outline: Outline) -> None:
        """Keep what the digest is made of at the moment it is sent; the last time counts."""
        await self._broadcasts.update_one(
            {"_id": broadcast_id},
            {
                "$set": {
                    "digest.topics": _pairs(outline.topics),
                    "digest.left_out": _pairs(outline.left_out),
                }
            },
        )


def notice_document(notice: Notice) -> Document:
    """Return the notice part as it is inserted."""
    return {
        "event_id": notice.event_id,
        "immediate": list(notice.immediate),
        "daily": list(notice.daily),
        "weekly": list(notice.weekly),
        "matched": notice.matched,
        "sealed": notice.sealed,
    }


def digest_document(mark: DigestMark) -> Document:
    """Return the digest part as it is inserted."""
    document: Document = {"key": mark.key, "openid": mark.openid}
    if mark.notice is not None:
        document["notice"] = mark.notice
    return document


def _mark(part: Mapping[str, Any]) -> DigestMark:
    return DigestMark(key=part["key"], openid=part["openid"], notice=part.get("notice"))


def outline_from(part: Mapping[str, Any]) -> Outline:
    """Read what `outline` kept."""
    return Outline(
        topics={TopicId(topic): number for topic, number in part.get("topics", ())},
        left_out={TopicId(topic): number for topic, number in part.get("left_out", ())},
    )


def _pairs(numbers: Mapping[TopicId, int]) -> list[list[Any]]:
    # a topic has dots in it, which a field name must not
    return [[topic, number] for topic, number in numbers.items()]
