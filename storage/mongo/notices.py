"""Personal notices and digests (个人通知与汇总): what their broadcasts keep beside the rest.

They stand in `broadcasts`: a notice with the people it found, a digest with the mark that makes
it the only one of its person and day. Both are written in the same insert as the broadcast.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from domain.digest import DigestMark
from domain.ids import BroadcastId, OpenId, TopicId

Document = dict[str, Any]
COLLECTION = "broadcasts"


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

    async def find_mark(self, broadcast_id: BroadcastId) -> DigestMark | None:
        """Return whose digest it is; None once that is no longer kept."""
        found = await self._broadcasts.find_one({"_id": broadcast_id}, {"digest": 1})
        part = found.get("digest") if found else None
        if part is None or "key" not in part:
            return None
        return DigestMark(key=part["key"], openid=part["openid"], notice=part.get("notice"))

    async def is_gathered(self, key: str) -> bool:
        """Whether the digest with this key has taken everything it will take."""
        found = await self._broadcasts.find_one(
            {"digest.key": key, "fanout.done": {"$exists": True}}, {"_id": 1}
        )
        return found is not None

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


def outline_from(part: Mapping[str, Any]) -> Outline:
    """Read what `outline` kept."""
    return Outline(
        topics={TopicId(topic): number for topic, number in part.get("topics", ())},
        left_out={TopicId(topic): number for topic, number in part.get("left_out", ())},
    )


def _pairs(numbers: Mapping[TopicId, int]) -> list[list[Any]]:
    # a topic has dots in it, which a field name must not
    return [[topic, number] for topic, number in numbers.items()]
