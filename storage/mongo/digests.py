"""What waits for digests (待汇总的通知) and the daily counts of notices, in MongoDB.

An item is unique on (notice, person), so writing it again changes nothing. It waits until a
digest takes it, in one update; from then on it is kept for thirty days for its person to look
at. Its content is the notice's sealed content: encrypted before it comes here.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateMany
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError

from domain.digest import DigestMark, Item
from domain.ids import AccountId, BroadcastId, OpenId, TopicId

Document = dict[str, Any]
DUPLICATE = 11000
KEPT = timedelta(days=30)
COUNTS_KEPT = timedelta(days=3)
LOOKED_AT = 5_000  # items of which the people of one look are taken


class MongoDigests:
    """The items of all accounts."""

    collection = "digest_items"
    indexes = (
        IndexModel(  # who is due
            [("due_at", ASCENDING), ("account", ASCENDING), ("openid", ASCENDING)],
            partialFilterExpression={"state": "waiting"},
        ),
        IndexModel([("account", ASCENDING), ("openid", ASCENDING), ("due_at", ASCENDING)]),
        IndexModel([("digest", ASCENDING)], sparse=True),
        IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._items = database[self.collection]

    async def keep(self, items: Sequence[Item]) -> None:
        """Write what is not there yet, acknowledged by a majority."""
        if not items:
            return
        try:
            await self._items.insert_many([_document(item) for item in items], ordered=False)
        except BulkWriteError as error:
            details = error.details or {}
            problems = details.get("writeErrors", [])
            if details.get("writeConcernErrors") or any(
                problem["code"] != DUPLICATE for problem in problems
            ):
                raise

    async def due_people(
        self, accounts: Collection[AccountId], now: datetime, *, limit: int
    ) -> list[tuple[AccountId, OpenId]]:
        """Return people for whom something waits that is due, the longest waiting first."""
        cursor = await self._items.aggregate(
            [
                {
                    "$match": {
                        "state": "waiting",
                        "due_at": {"$lte": now},
                        "account": {"$in": list(accounts)},
                    }
                },
                {"$sort": {"due_at": 1}},
                {"$limit": LOOKED_AT},
                {
                    "$group": {
                        "_id": {"account": "$account", "openid": "$openid"},
                        "due_at": {"$min": "$due_at"},
                    }
                },
                {"$sort": {"due_at": 1}},
                {"$limit": limit},
            ]
        )
        return [
            (AccountId(row["_id"]["account"]), OpenId(row["_id"]["openid"])) async for row in cursor
        ]

    async def list_due(
        self, account: AccountId, openids: Collection[OpenId], now: datetime
    ) -> list[Item]:
        """Return what waits for these people and is due."""
        query = {
            "account": account,
            "openid": {"$in": list(openids)},
            "state": "waiting",
            "due_at": {"$lte": now},
        }
        return [_item(found) async for found in self._items.find(query).sort("at", ASCENDING)]

    async def count_waiting(self, account: AccountId, openid: OpenId) -> int:
        """Count what waits for a person, due or not."""
        return await self._items.count_documents(
            {"account": account, "openid": openid, "state": "waiting"}
        )

    async def take(
        self, digests: Mapping[BroadcastId, tuple[AccountId, DigestMark]], *, now: datetime
    ) -> set[BroadcastId]:
        """Give everything due to the digests of its people; returns which have anything at all.

        Each item goes to one digest only, whoever else takes at the same moment; repeating adds
        nothing.
        """
        if not digests:
            return set()
        await self._items.bulk_write(
            [
                UpdateMany(
                    _due(account, mark.openid, now)
                    | ({"notice": mark.notice} if mark.notice else {}),
                    {"$set": {"state": "taken", "digest": digest, "expire_at": now + KEPT}},
                )
                for digest, (account, mark) in digests.items()
            ],
            ordered=False,
        )
        return set(await self._items.distinct("digest", {"digest": {"$in": list(digests)}}))

    async def put_off(
        self, account: AccountId, openid: OpenId, *, now: datetime, until: datetime
    ) -> int:
        """Let what came too late for a digest that is made wait for the next one."""
        result = await self._items.update_many(
            _due(account, openid, now), {"$set": {"due_at": until}}
        )
        return result.modified_count

    async def list_of(self, digest: BroadcastId, *, in_message: bool = False) -> list[Item]:
        """Return what a digest has taken, the oldest first; `in_message`: not what it left out."""
        only: Document = {"left_out": {"$exists": False}} if in_message else {}
        cursor = self._items.find({"digest": digest} | only).sort(
            [("at", ASCENDING), ("_id", ASCENDING)]
        )
        return [_item(document) async for document in cursor]

    async def leave_out(self, digest: BroadcastId, reasons: dict[BroadcastId, str]) -> None:
        """Keep which items of a digest were left out, and why; the last time counts."""
        await self._items.update_many({"digest": digest}, {"$unset": {"left_out": ""}})
        for notice, reason in reasons.items():
            await self._items.update_one(
                {"digest": digest, "notice": notice}, {"$set": {"left_out": reason}}
            )


class MongoCaps:
    """How many notices of a topic a person got at once on a day (频次上限)."""

    collection = "notice_counts"
    indexes = (IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._counts = database[self.collection]

    async def claim(
        self,
        account: AccountId,
        topic: TopicId,
        openid: OpenId,
        *,
        day: date,
        notice: BroadcastId,
        cap: int,
        now: datetime,
    ) -> bool:
        """Whether the notice is one of the day's first `cap`; asking again answers the same.

        The notices themselves are kept, at most `cap` of them, so that none counts twice.
        """
        key = f"{account}:{topic}:{day.isoformat()}:{openid}"
        while True:
            try:
                await self._counts.update_one(
                    {
                        "_id": key,
                        "notices": {"$ne": notice},
                        f"notices.{cap - 1}": {"$exists": False},
                    },
                    {
                        "$push": {"notices": notice},
                        "$setOnInsert": {"expire_at": now + COUNTS_KEPT},
                    },
                    upsert=True,
                )
            except DuplicateKeyError:  # full, counted before, or made by another at this moment
                found = await self._counts.find_one({"_id": key})
                if found is None:
                    continue
                if notice in found["notices"]:
                    return True
                if len(found["notices"]) >= cap:
                    return False
            else:
                return True


def _due(account: AccountId, openid: OpenId, now: datetime) -> Document:
    return {"account": account, "openid": openid, "state": "waiting", "due_at": {"$lte": now}}


def _document(item: Item) -> Document:
    document: Document = {
        "_id": f"{item.notice}:{item.openid}",
        "notice": item.notice,
        "account": item.account,
        "openid": item.openid,
        "topic": item.topic,
        "at": item.at,
        "due_at": item.due_at,
        "sealed": item.sealed,
        "state": "waiting",
    }
    if item.expires_at is not None:
        document["expires_at"] = item.expires_at
    return document


def _item(document: Document) -> Item:
    return Item(
        notice=BroadcastId(document["notice"]),
        account=AccountId(document["account"]),
        openid=OpenId(document["openid"]),
        topic=TopicId(document["topic"]),
        at=document["at"],
        due_at=document["due_at"],
        expires_at=document.get("expires_at"),
        sealed=bytes(document["sealed"]),
    )
