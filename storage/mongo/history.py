"""What was sent to one person (发送记录), read from deliveries and their broadcasts."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.broadcast import Kind
from domain.delivery import Outcome
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from storage.mongo.notices import Outline, outline_from

Document = dict[str, Any]
CHANNEL = "template"  # what carried messages before there was a choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message to one person, and what became of it."""

    broadcast: BroadcastId
    at: datetime
    kind: Kind
    topic: TopicId
    title: str
    channel: str
    state: Outcome
    is_delivered: bool
    receipt: str | None = None
    errcode: int | None = None
    reason: str = ""
    msgid: str | None = None
    outline: Outline = field(default_factory=Outline)


class MongoHistory:
    """Records of one person of one account at a time."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._deliveries = database["deliveries"]
        self._broadcasts = database["broadcasts"]

    async def list_(
        self, account: AccountId, openid: OpenId, *, before: datetime | None, limit: int
    ) -> list[Record]:
        """Return the latest records older than `before`, the newest first.

        All records of the last instant are among them, so that `before` loses none; there may
        then be a few more than `limit`.
        """
        whose: Document = {"account": account, "openid": openid}
        older: Document = whose | ({"at": {"$lt": before}} if before else {})
        cursor = self._deliveries.find(older).sort("at", DESCENDING).limit(limit)
        found = await cursor.to_list()
        if len(found) == limit:
            last, known = found[-1]["at"], [row["_id"] for row in found]
            rest = self._deliveries.find(whose | {"at": last, "_id": {"$nin": known}})
            found += await rest.to_list()
        ids = list({row["broadcast"] for row in found})
        parts = {
            part["_id"]: part
            async for part in self._broadcasts.find(
                {"_id": {"$in": ids}}, {"kind": 1, "topic": 1, "title": 1, "digest": 1}
            )
        }
        return [_record(row, parts.get(row["broadcast"], {})) for row in found]


def _record(row: Document, broadcast: Document) -> Record:
    return Record(
        broadcast=BroadcastId(row["broadcast"]),
        at=row["at"],
        kind=broadcast.get("kind", "broadcast"),
        topic=TopicId(broadcast.get("topic", "")),
        title=broadcast.get("title", ""),
        channel=row.get("channel", CHANNEL),
        state=row["state"],
        is_delivered=bool(row.get("delivered")),
        receipt=row.get("receipt"),
        errcode=row.get("errcode"),
        reason=row.get("reason", ""),
        msgid=row.get("msgid"),
        outline=outline_from(broadcast.get("digest", {})),
    )
