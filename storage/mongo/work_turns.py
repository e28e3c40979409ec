"""Whose turn a periodic piece of work is (轮值): one process at a time, per account.

A turn that nobody finished, because its process died, ends by itself. `ask` makes the next turn due
at once, which is how a page has something done that it must not do itself.
"""

from datetime import datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.ids import AccountId

Document = dict[str, Any]


class MongoTurns:
    """Turns of one kind of work."""

    def __init__(self, database: AsyncDatabase[Document], work: str) -> None:
        self._turns = database["work_turns"]
        self._work = work

    async def take(self, account: AccountId, *, now: datetime, patience: timedelta) -> bool:
        """Take the turn if it is due and nobody has it."""
        try:
            found = await self._turns.find_one_and_update(
                {
                    "_id": self._id(account),
                    "until": {"$not": {"$gt": now}},
                    "due_at": {"$not": {"$gt": now}},
                },
                {"$set": {"until": now + patience}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # it is there, and not due or somebody's
            return False
        return found is not None

    async def finish(self, account: AccountId, *, next_at: datetime) -> None:
        """Give the turn back, due again at this time."""
        await self._turns.update_one(
            {"_id": self._id(account)}, {"$set": {"due_at": next_at}, "$unset": {"until": ""}}
        )

    async def ask(self, account: AccountId, *, now: datetime) -> None:
        """Make the next turn due now."""
        await self._turns.update_one(
            {"_id": self._id(account)}, {"$set": {"due_at": now}}, upsert=True
        )

    def _id(self, account: AccountId) -> str:
        return f"{self._work}:{account}"
