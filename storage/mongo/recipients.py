"""Who was sent an earlier broadcast (已收到者), for rules that ask for it.

A delivery's `_id` is broadcast and openid, so the recipients of a broadcast lie in the index in
the order in which an account's people lie in theirs, and both can be walked side by side.
`unknown` counts as sent: whoever may have a card already is not to get it again. It is known for
as long as outcomes are kept (`push.retention`); after that nobody got it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.database import AsyncDatabase

from domain.audience import broadcasts_in
from domain.broadcast import Audience
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import delivery_id
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.deliveries import MongoDeliveries
from storage.mongo.people import person_id

GOT = ("sent", "unknown")
MOST_OCCURRENCES = 31  # of a plan, the latest: a month of days
LOOK_UP = 20_000  # `_id`s to one query
READ_MILLISECONDS = 30_000
IN_ORDER = [("broadcast", 1), ("state", 1), ("_id", 1)]

Document = dict[str, Any]
Got = Mapping[BroadcastId, Sequence[str]]  # `_id`s of people


class Recipients:
    """Reads who got which broadcast; those of another account got nothing."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._deliveries = database[MongoDeliveries.collection]
        self._broadcasts = database[MongoBroadcasts.collection]

    async def among(self, account: AccountId, audience: Audience, ids: Sequence[str]) -> Got:
        """Return for each broadcast an audience asks about who of these people got it."""
        wanted = broadcasts_in(audience.rule) if audience.rule is not None else ()
        return {name: await self._among(account, name, ids) for name in wanted}

    async def next_of(
        self,
        account: AccountId,
        names: Sequence[BroadcastId] | Got,
        *,
        after: str | None,
        size: int,
    ) -> tuple[Got, str | None]:
        """Return recipients beyond `after`, and up to which `_id` they are complete.

        None means to the end; else there may be more behind it.
        """
        start = len(account) + 1
        beyond = OpenId(after[start:]) if after else None
        found: dict[BroadcastId, list[list[str]]] = {}
        for name in names:
            parts = await self._messages(account, name)
            read = await asyncio.gather(*(self._read(part, beyond, size) for part in parts))
            found[name] = [[person_id(account, openid) for openid in part] for part in read]
        full = [part[-1] for parts in found.values() for part in parts if len(part) == size]
        up_to = min(full, default=None)
        return {
            name: [_id for part in parts for _id in part if up_to is None or _id <= up_to]
            for name, parts in found.items()
        }, up_to

    async def _among(
        self, account: AccountId, name: BroadcastId, ids: Sequence[str]
    ) -> Sequence[str]:
        start = len(account) + 1
        openids = [OpenId(_id[start:]) for _id in ids]
        wanted = [
            delivery_id(part, openid)
            for part in await self._messages(account, name)
            for openid in openids
        ]
        found: list[str] = []
        for first in range(0, len(wanted), LOOK_UP):
            cursor = self._deliveries.find(
                {"_id": {"$in": wanted[first : first + LOOK_UP]}, "state": {"$in": GOT}},
                {"openid": 1},
                hint="_id_",
                max_time_ms=READ_MILLISECONDS,
            )
            found += [person_id(account, document["openid"]) for document in await cursor.to_list()]
        return list(dict.fromkeys(found))

    async def _messages(self, account: AccountId, name: BroadcastId) -> list[BroadcastId]:
        """Return the broadcast itself, or the latest occurrences if it is a plan."""
        one = await self._broadcasts.find_one({"_id": name, "account": account}, {"cron": 1})
        if one is None:
            return []
        if not one.get("cron"):
            return [name]
        cursor = self._broadcasts.find({"parent": name}, {"_id": 1})
        latest = cursor.sort("created_at", DESCENDING).limit(MOST_OCCURRENCES)
        return [BroadcastId(child["_id"]) async for child in latest]

    async def _read(self, name: BroadcastId, beyond: OpenId | None, size: int) -> list[OpenId]:
        """Return the next recipients of one broadcast, from the index alone."""
        start = delivery_id(name, beyond or OpenId(""))
        cursor = self._deliveries.find(
            {"broadcast": name, "state": {"$in": GOT}, "_id": {"$gt": start}},
            {"_id": 1},
            sort=[("_id", 1)],
            limit=size,
            batch_size=size,
            hint=IN_ORDER,
            max_time_ms=READ_MILLISECONDS,
        )
        skip = len(delivery_id(name, OpenId("")))
        return [OpenId(document["_id"][skip:]) for document in await cursor.to_list()]
