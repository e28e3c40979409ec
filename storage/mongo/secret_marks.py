"""Since when a secret of the settings file is what it is (密钥更换时间), by its print.

The first time a secret is seen counts as its beginning. A file that goes back to an older secret
begins anew.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo import ReplaceOne
from pymongo.asynchronous.database import AsyncDatabase

from storage.mongo.fields import FieldCipher

Document = dict[str, Any]


class MongoSecretMarks:
    """One small document for each secret there is."""

    collection = "secret_marks"

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self._marks = database[self.collection]
        self._fields = fields

    async def since(self, secrets: Mapping[str, str], *, now: datetime) -> dict[str, datetime]:
        """Return since when each secret is as it is, noting those that are new."""
        known = {
            found["_id"]: found
            async for found in self._marks.find({"_id": {"$in": sorted(secrets)}})
        }
        since: dict[str, datetime] = {}
        changes = []
        for name, secret in secrets.items():
            mark = self._fields.blind("secret", secret)
            found = known.get(name)
            if found is not None and found["print"] == mark:
                since[name] = found["since"]
                continue
            since[name] = now
            fresh = {"_id": name, "print": mark, "since": now}
            changes.append(ReplaceOne({"_id": name}, fresh, upsert=True))
        if changes:
            await self._marks.bulk_write(changes, ordered=False)
        return since
