"""Edits of broadcasts (修改): a new content is a new revision, and only before approval."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from domain.broadcast import EDITABLE, ORDERED, Broadcast
from storage.mongo.broadcast_papers import broadcast_document
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.changes import broadcast_became
from storage.mongo.schedule_papers import of_revision

Document = dict[str, Any]


class MongoRevisions:
    """Replaces the content of broadcasts that are not approved."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._broadcasts = database[MongoBroadcasts.collection]

    async def replace(self, edited: Broadcast, *, revision: int) -> bool:
        """Write the edited content if the broadcast still has the revision it was read with."""
        document = broadcast_document(edited)
        kept = ("state", "reason", "revision", "edited_by")
        fields = {name: document[name] for name in (*ORDERED, *kept) if name in document}
        gone = {name: "" for name in ORDERED if name not in document}
        before = await self._broadcasts.find_one_and_update(
            {"_id": edited.id, "state": {"$in": list(EDITABLE)}, **of_revision(revision)},
            {"$set": fields, **({"$unset": gone} if gone else {})},
            {"state": 1},
        )
        if before is not None and before["state"] != edited.state:
            broadcast_became(edited.id, edited.state, reason=edited.reason)
        return before is not None
