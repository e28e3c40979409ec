"""Menus (自定义菜单) in MongoDB: one draft per account, and every version that was published.

The draft's `revision` counts saves, and a save names the one it was made from: of two editors the
second is refused, not the first overwritten. A version's number is part of its `_id`, so two
publishings never share one; `publishing_until` keeps them from talking to the platform at once, and
ends by itself should the process die.
"""

from datetime import datetime, timedelta
from typing import Any

from pymongo import DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.ids import AccountId
from domain.menu import Menu, MenuDraft, MenuVersion

Document = dict[str, Any]
PATIENCE = timedelta(minutes=3)  # of one publishing: up to 43 calls of 5 s, usually two


class MongoMenus:
    """Drafts and versions of all accounts."""

    collection = "menu_versions"
    indexes = (IndexModel([("account", DESCENDING), ("number", DESCENDING)], unique=True),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._drafts = database["menus"]
        self._versions = database[self.collection]

    # --- the draft ------------------------------------------------------------------------

    async def find_draft(self, account: AccountId) -> MenuDraft | None:
        """Return what was saved last."""
        found = await self._drafts.find_one({"_id": account, "revision": {"$exists": True}})
        return _draft(found) if found else None

    async def save_draft(
        self, account: AccountId, menu: Menu, *, revision: int, by: str, at: datetime
    ) -> MenuDraft | None:
        """Keep a menu made from this revision; None when somebody else saved in between."""
        fields = {"menu": menu.whole(), "edited_by": by, "edited_at": at}
        wanted: Any = revision if revision else {"$exists": False}
        try:
            found = await self._drafts.find_one_and_update(
                {"_id": account, "revision": wanted},
                {"$set": fields | {"revision": revision + 1}},
                upsert=not revision,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # revision 0 was asked for, and there is a later one
            return None
        return _draft(found) if found else None

    # --- publishing -----------------------------------------------------------------------

    async def claim(self, account: AccountId, *, now: datetime) -> bool:
        """Take the right to publish; False while another process is at it."""
        try:
            await self._drafts.update_one(
                {"_id": account, "publishing_until": {"$not": {"$gt": now}}},
                {"$set": {"publishing_until": now + PATIENCE}},
                upsert=True,
            )
        except DuplicateKeyError:
            return False
        return True

    async def release(self, account: AccountId) -> None:
        """Give the right back."""
        await self._drafts.update_one({"_id": account}, {"$unset": {"publishing_until": ""}})

    async def add_version(
        self, account: AccountId, menu: Menu, *, by: str, note: str, at: datetime
    ) -> int:
        """Keep a version that is about to be published, and return its number."""
        last = await self._versions.find_one(
            {"account": account}, {"number": 1}, sort=[("number", DESCENDING)]
        )
        number = (last["number"] if last else 0) + 1
        await self._versions.insert_one(
            {
                "_id": f"{account}:{number}",
                "account": account,
                "number": number,
                "menu": menu.whole(),
                "by": by,
                "note": note,
                "at": at,
                "state": "publishing",
                "reason": "",
            }
        )
        return number

    async def conclude(self, account: AccountId, number: int, *, reason: str = "") -> None:
        """Note what became of a version: published, or why not."""
        state = "failed" if reason else "published"
        await self._versions.update_one(
            {"_id": f"{account}:{number}"}, {"$set": {"state": state, "reason": reason}}
        )

    async def find_version(self, account: AccountId, number: int) -> MenuVersion | None:
        """Return one version."""
        found = await self._versions.find_one({"_id": f"{account}:{number}"})
        return _version(found) if found else None

    async def list_versions(
        self, account: AccountId, *, before: int | None = None, limit: int
    ) -> list[MenuVersion]:
        """Return versions, the newest first, below a number if one is given."""
        query: Document = {"account": account}
        if before is not None:
            query["number"] = {"$lt": before}
        cursor = self._versions.find(query).sort("number", DESCENDING).limit(limit)
        return [_version(found) async for found in cursor]


def _draft(document: Document) -> MenuDraft:
    return MenuDraft(
        menu=Menu.read(document["menu"]),
        revision=document["revision"],
        edited_by=document["edited_by"],
        edited_at=document["edited_at"],
    )


def _version(document: Document) -> MenuVersion:
    return MenuVersion(
        account=document["account"],
        number=document["number"],
        menu=Menu.read(document["menu"]),
        by=document["by"],
        at=document["at"],
        state=document["state"],
        note=document["note"],
        reason=document["reason"],
    )
