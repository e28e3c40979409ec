"""Edits of broadcasts (修改): a new content is a new revision, and only before approval.

What a broadcast said before stays in `broadcast_revisions`, for whoever reviews the difference. The
earlier revision is written first and then replaced: after a crash between the two there is a copy
of the revision that still holds, which the next edit writes again.
"""

from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.broadcast import EDITABLE, ORDERED, Broadcast
from domain.ids import BroadcastId
from domain.review import Revision
from storage.mongo.broadcast_papers import broadcast_document, broadcast_from
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.changes import broadcast_became
from storage.mongo.schedule_papers import of_revision

Document = dict[str, Any]
SHOWN = 50  # earlier revisions that anybody looks at


class MongoRevisions:
    """Replaces the content of broadcasts that are not approved, and keeps what was replaced."""

    collection = "broadcast_revisions"

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._broadcasts = database[MongoBroadcasts.collection]
        self._revisions = database[self.collection]

    async def replace(self, edited: Broadcast, *, revision: int, by: str, at: datetime) -> bool:
        """Write the edited content if the broadcast still has the revision it was read with."""
        document = broadcast_document(edited)
        kept = ("state", "reason", "revision", "edited_by")
        fields = {name: document[name] for name in (*ORDERED, *kept) if name in document}
        gone = {name: "" for name in ORDERED if name not in document}
        query = {"_id": edited.id, "state": {"$in": list(EDITABLE)}, **of_revision(revision)}
        earlier = await self._broadcasts.find_one(query)
        if earlier is None:
            return False
        await self._keep(earlier, revision)
        before = await self._broadcasts.find_one_and_update(
            query,
            {
                "$set": {**fields, "revised_by": by, "revised_at": at},
                **({"$unset": gone} if gone else {}),
            },
            {"state": 1},
        )
        if before is not None and before["state"] != edited.state:
            broadcast_became(edited.id, edited.state, reason=edited.reason)
        return before is not None

    async def list_(self, broadcast_id: BroadcastId) -> list[Revision]:
        """Return the current revision and the latest earlier ones, the newest first."""
        current = await self._broadcasts.find_one({"_id": broadcast_id})
        if current is None:
            return []
        cursor = (
            self._revisions.find({"_id": {"$gt": f"{broadcast_id}:", "$lt": f"{broadcast_id};"}})
            .sort("_id", DESCENDING)
            .limit(SHOWN)
        )
        now = _revision(current, current)
        earlier = [_revision(current, found) async for found in cursor]
        return [now, *(each for each in earlier if each.number < now.number)]

    async def find(self, broadcast_id: BroadcastId, number: int) -> Revision | None:
        """Return one revision, the current one among them."""
        current = await self._broadcasts.find_one({"_id": broadcast_id})
        if current is None:
            return None
        if current.get("revision", 1) == number:
            return _revision(current, current)
        kept = await self._revisions.find_one({"_id": _id(broadcast_id, number)})
        return _revision(current, kept) if kept else None

    async def _keep(self, earlier: Document, revision: int) -> None:
        broadcast_id = BroadcastId(earlier["_id"])
        names = (*ORDERED, "author", "created_at", "revised_by", "revised_at")
        kept = {name: earlier[name] for name in names if name in earlier}
        kept |= {"broadcast": broadcast_id, "revision": revision}
        await self._revisions.replace_one({"_id": _id(broadcast_id, revision)}, kept, upsert=True)


def _id(broadcast_id: BroadcastId, revision: int) -> str:
    return f"{broadcast_id}:{revision:06}"


def _revision(current: Document, content: Document) -> Revision:
    """Read a revision: what was ordered from `content`, all else from the broadcast as it is."""
    fixed = {name: value for name, value in current.items() if name not in ORDERED}
    ordered = {name: content[name] for name in ORDERED if name in content}
    number = content.get("revision", 1)
    return Revision(
        broadcast=broadcast_from({**fixed, **ordered, "revision": number}),
        by=content.get("revised_by") or content["author"],
        at=content.get("revised_at") or content["created_at"],
    )
