"""Triggers (触发规则) in MongoDB: how far each has read, who reads now, what it remembers.

`triggers` has one row per (account, trigger). A row is claimed with one `findOneAndUpdate`; the
run's number fences every later write, so a process that lost its lease changes nothing any more.
`trigger_items` is what a trigger knows of each event (an outage, an alert): its newest revision
and what was said about it. Items expire by themselves. Neither holds personal data in clear.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.ids import AccountId

Document = dict[str, Any]
LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A row that is ours until its lease ends; `since` is None before the first good run."""

    account: AccountId
    trigger: str
    run: int
    since: str | None
    etag: str
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRow:
    """How one trigger of one account is doing: for metrics and for the person on call."""

    account: AccountId
    trigger: str
    next_at: datetime
    last_ok: datetime | None
    last_error: str
    failures: int
    refused: int  # items that could not be made into a message, ever
    since: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One event as a trigger knows it; `due_at` when there is still something to say about it."""

    id: str
    revision: int
    state: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    expires_at: datetime | None = None


def row_id(account: AccountId, trigger: str) -> str:
    """Return the `_id` of a trigger's row."""
    return f"{account}|{trigger}"


class MongoTriggers:
    """The rows of all triggers."""

    collection = "triggers"
    indexes = (IndexModel([("next_at", ASCENDING)]),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._rows = database[self.collection]

    async def ensure(self, account: AccountId, trigger: str, *, first_at: datetime) -> None:
        """Make the row if it is missing, due at `first_at`; one due later is brought forward.

        Later than that it can only be because it was asked for less often before.
        """
        await self._rows.update_one(
            {"_id": row_id(account, trigger)},
            {
                "$setOnInsert": {
                    "account": account,
                    "trigger": trigger,
                    "next_at": first_at,
                    "run": 0,
                    "failures": 0,
                    "refused": 0,
                    "last_ok": None,
                    "last_error": "",
                }
            },
            upsert=True,
        )
        await self._rows.update_one(
            {"_id": row_id(account, trigger), "lease": None, "failures": 0},
            {"$min": {"next_at": first_at}},
        )

    async def claim(
        self, ids: Collection[str], *, now: datetime, owner: str, until: datetime
    ) -> Claimed | None:
        """Take the longest due of these rows; one process only gets it."""
        found = await self._rows.find_one_and_update(
            {
                "_id": {"$in": list(ids)},
                "next_at": {"$lte": now},
                "$or": [{"lease.until": {"$lte": now}}, {"lease": None}],
            },
            {"$set": {"lease": {"owner": owner, "until": until}}, "$inc": {"run": 1}},
            sort=[("next_at", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            return None
        cursor = found.get("cursor") or {}
        return Claimed(
            account=AccountId(found["account"]),
            trigger=found["trigger"],
            run=found["run"],
            since=cursor.get("since"),
            etag=cursor.get("etag", ""),
            failures=found["failures"],
        )

    async def keep(self, claimed: Claimed, *, owner: str, now: datetime, until: datetime) -> bool:
        """Renew the lease; False when it has run out or another process has the row."""
        result = await self._rows.update_one(
            {**_ours(claimed, owner), "lease.until": {"$gt": now}},
            {"$set": {"lease.until": until}},
        )
        return result.matched_count == 1

    async def save(self, claimed: Claimed, *, owner: str, since: str, etag: str) -> bool:
        """Move the cursor in the middle of a run; False when the row is not ours any more."""
        result = await self._rows.update_one(
            _ours(claimed, owner), {"$set": {"cursor": {"since": since, "etag": etag}}}
        )
        return result.matched_count == 1

    async def succeeded(
        self,
        claimed: Claimed,
        *,
        owner: str,
        now: datetime,
        next_at: datetime,
        since: str,
        etag: str,
        refused: int,
    ) -> bool:
        """End a good run: cursor, next time and the end of the lease in one write."""
        result = await self._rows.update_one(
            _ours(claimed, owner),
            {
                "$set": {
                    "cursor": {"since": since, "etag": etag},
                    "next_at": next_at,
                    "last_ok": now,
                    "last_error": "",
                    "failures": 0,
                },
                "$inc": {"refused": refused},
                "$unset": {"lease": ""},
            },
        )
        return result.matched_count == 1

    async def failed(self, claimed: Claimed, *, owner: str, next_at: datetime, error: str) -> bool:
        """End a bad run; the cursor stays where the last finished page left it."""
        result = await self._rows.update_one(
            _ours(claimed, owner),
            {
                "$set": {"next_at": next_at, "last_error": error[:LONGEST_ERROR]},
                "$inc": {"failures": 1},
                "$unset": {"lease": ""},
            },
        )
        return result.matched_count == 1

    async def release(self, claimed: Claimed, *, owner: str, now: datetime) -> None:
        """Give a row back unfinished, due at once: this process is stopping."""
        await self._rows.update_one(
            _ours(claimed, owner), {"$set": {"next_at": now}, "$unset": {"lease": ""}}
        )

    async def rows(self) -> list[TriggerRow]:
        """Return all rows: there are as many as accounts times triggers."""
        return [_row(found) async for found in self._rows.find().sort("_id", ASCENDING)]

    async def of(self, account: AccountId, triggers: Collection[str]) -> list[TriggerRow]:
        """Return an account's rows of these triggers, those there are."""
        ids = [row_id(account, trigger) for trigger in triggers]
        cursor = self._rows.find({"_id": {"$in": ids}}).sort("_id", ASCENDING)
        return [_row(found) async for found in cursor]


class MongoTriggerItems:
    """What triggers remember of single events."""

    collection = "trigger_items"
    indexes = (
        IndexModel(  # what is still to be said
            [("account", ASCENDING), ("trigger", ASCENDING), ("due_at", ASCENDING)],
            partialFilterExpression={"due_at": {"$type": "date"}},
        ),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._items = database[self.collection]

    async def find(self, account: AccountId, trigger: str, items: Sequence[str]) -> dict[str, Item]:
        """Return those of the events that are known, by their id."""
        ids = [_item_id(account, trigger, item) for item in items]
        return {
            found["item"]: _item_from(found)
            async for found in self._items.find({"_id": {"$in": ids}})
        }

    async def put(self, account: AccountId, trigger: str, item: Item) -> bool:
        """Keep an event as it is now known; False when a newer revision is known already."""
        document = {
            "account": account,
            "trigger": trigger,
            "item": item.id,
            "revision": item.revision,
            "state": dict(item.state),
            "due_at": item.due_at,
            "expires_at": item.expires_at,
        }
        try:
            await self._items.replace_one(
                {
                    "_id": _item_id(account, trigger, item.id),
                    "revision": {"$lte": item.revision},
                },
                document,
                upsert=True,
            )
        except DuplicateKeyError:
            return False
        return True

    async def due(
        self, account: AccountId, trigger: str, now: datetime, *, limit: int = 100
    ) -> list[Item]:
        """Return the events about which something is to be said by now, the longest due first."""
        cursor = self._items.find(
            {"account": account, "trigger": trigger, "due_at": {"$lte": now, "$type": "date"}}
        )
        return [_item_from(found) async for found in cursor.sort("due_at", ASCENDING).limit(limit)]


def _row(found: Document) -> TriggerRow:
    return TriggerRow(
        account=AccountId(found["account"]),
        trigger=found["trigger"],
        next_at=found["next_at"],
        last_ok=found["last_ok"],
        last_error=found["last_error"],
        failures=found["failures"],
        refused=found["refused"],
        since=(found.get("cursor") or {}).get("since"),
    )


def _ours(claimed: Claimed, owner: str) -> Document:
    return {
        "_id": row_id(claimed.account, claimed.trigger),
        "lease.owner": owner,
        "run": claimed.run,
    }


def _item_id(account: AccountId, trigger: str, item: str) -> str:
    return f"{account}|{trigger}|{item}"


def _item_from(found: Document) -> Item:
    return Item(
        id=found["item"],
        revision=found["revision"],
        state=found["state"],
        due_at=found["due_at"],
        expires_at=found["expires_at"],
    )
