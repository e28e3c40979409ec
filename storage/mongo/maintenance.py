"""Maintenance notices (停机维护公告): at most one for each department of an account.

What one notice said before stands in the audit chain; a new one replaces it.
"""

from datetime import datetime
from typing import Any

from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId
from domain.maintenance import Maintenance

Document = dict[str, Any]


class MongoMaintenance:
    """The notices of all accounts: as many as accounts times departments at most."""

    collection = "maintenance"
    indexes = (IndexModel("ends_at"),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._notices = database[self.collection]

    async def put(self, notice: Maintenance) -> Maintenance | None:
        """Keep a notice in the place of the one there was, which is returned."""
        found = await self._notices.find_one_and_replace(
            {"_id": _id(notice.account, notice.department)},
            {
                "account": notice.account,
                "department": notice.department,
                "starts_at": notice.starts_at,
                "ends_at": notice.ends_at,
                "sentence": notice.sentence,
                "by": notice.by,
                "made_at": notice.made_at,
            },
            upsert=True,
        )
        return _notice(found) if found else None

    async def end(
        self, account: AccountId, department: str, *, now: datetime
    ) -> Maintenance | None:
        """Let a notice that is not over end now; return it as it was, None without one."""
        found = await self._notices.find_one_and_update(
            {"_id": _id(account, department), "ends_at": {"$gt": now}}, {"$set": {"ends_at": now}}
        )
        return _notice(found) if found else None

    async def standing(self, now: datetime) -> list[Maintenance]:
        """Return the notices that are in force or still to come."""
        return [_notice(found) async for found in self._notices.find({"ends_at": {"$gt": now}})]


def _id(account: AccountId, department: str) -> str:
    return f"{account}|{department}"


def _notice(found: Document) -> Maintenance:
    return Maintenance(
        account=AccountId(found["account"]),
        department=found["department"],
        starts_at=found["starts_at"],
        ends_at=found["ends_at"],
        sentence=found["sentence"],
        by=found["by"],
        made_at=found["made_at"],
    )
