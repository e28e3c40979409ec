"""The day's quota of each account (每日配额) in MongoDB: what may be used, what is granted.

Sends are counted in Redis, within blocks that are granted here first: one atomic update that
never goes back and never passes the quota. So a counter that is lost with Redis is found again
from above: everything granted counts as used. At most the rest of one block is lost, and no
crash, no restart and no race between processes sends more than the day allows.

One document per account and channel holds what the platform said last; one per day what was
granted. Day documents expire after 40 days.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.allowance import Block, PlatformQuota, block_size
from domain.clock import Clock
from domain.ids import AccountId

Document = dict[str, Any]
CHANNEL = "template"
KEPT = timedelta(days=40)
NO_END = 10**12
RATE_HOLDS = timedelta(minutes=30)  # how long a rate is heeded after the platform named it


class MongoQuotas:
    """Grants the sends of a day to the limiter. `own` are the quotas of the settings."""

    collection = "quotas"
    indexes = (IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),)

    def __init__(
        self, database: AsyncDatabase[Document], clock: Clock, own: Mapping[AccountId, int | None]
    ) -> None:
        self._quotas = database[self.collection]
        self._clock = clock
        self._own = own

    async def extend(self, account: AccountId, day: int) -> Block:
        """Grant the next block of the day, as far as there is a quota left."""
        quota = await self.quota(account, day)
        size = block_size(quota)
        cap = NO_END if quota is None else quota
        granted: Document = {"$ifNull": ["$granted", 0]}
        more: Document = {"$max": [granted, {"$min": [{"$add": [granted, size]}, cap]}]}
        before = await self._raise(account, day, more)
        found = await self._quotas.find_one({"_id": _account_id(account)}) or {}
        named_at = found.get("named_at")
        fresh = named_at is not None and self._clock.now() - named_at < RATE_HOLDS
        return Block(
            before=before,
            after=max(before, min(before + size, cap)),
            quota=quota,
            per_second=found.get("per_second") if fresh else None,
        )

    async def granted(self, account: AccountId, day: int) -> int:
        """Return how many sends of the day were granted: at least as many as were used."""
        found = await self._quotas.find_one({"_id": _day_id(account, day)}, {"granted": 1})
        return int(found.get("granted", 0)) if found else 0

    async def quota(self, account: AccountId, day: int) -> int | None:
        """Return the smaller of our own quota and the platform's; None when neither is known."""
        found = await self._quotas.find_one({"_id": _day_id(account, day)}, {"quota": 1})
        if found is None or "quota" not in found:
            found = await self._quotas.find_one({"_id": _account_id(account)}, {"quota": 1})
        known = [self._own.get(account), (found or {}).get("quota")]
        return min((each for each in known if each is not None), default=None)

    async def learn(
        self, account: AccountId, day: int, said: PlatformQuota, *, quota: int | None
    ) -> None:
        """Keep what the platform said; `quota` is what follows from it for this day."""
        await self._quotas.update_one(
            {"_id": _account_id(account)},
            {
                "$set": {
                    "quota": said.daily_limit or None,
                    "per_second": said.per_second,
                    "named_at": self._clock.now(),
                }
            },
            upsert=True,
        )
        # what others have sent through this account is used as well
        await self._raise(
            account, day, {"$max": [{"$ifNull": ["$granted", 0]}, said.used]}, quota=quota
        )

    async def take_turn(self, account: AccountId, every: timedelta) -> bool:
        """Whether it is time to ask the platform again; True for one process only."""
        now = self._clock.now()
        try:
            result = await self._quotas.update_one(
                {
                    "_id": _account_id(account),
                    "$or": [
                        {"asked_at": {"$exists": False}},
                        {"asked_at": {"$lte": now - every}},
                    ],
                },
                {"$set": {"asked_at": now}},
                upsert=True,
            )
        except DuplicateKeyError:
            return False  # asked lately
        return result.modified_count == 1 or result.upserted_id is not None

    async def _raise(self, account: AccountId, day: int, granted: Document, **fields: Any) -> int:
        """Set what is granted in one update, and return what was granted before."""
        change = {
            "account": account,
            "day": day,
            "granted": granted,
            "expire_at": self._clock.now() + KEPT,
            **fields,
        }
        for last in (False, True):
            try:
                found = await self._quotas.find_one_and_update(
                    {"_id": _day_id(account, day)},
                    [{"$set": change}],
                    upsert=True,
                    return_document=ReturnDocument.BEFORE,
                )
            except DuplicateKeyError:  # two processes began the day at the same moment
                if last:
                    raise
            else:
                return int(found.get("granted", 0)) if found else 0
        raise AssertionError("unreachable")


def _account_id(account: AccountId) -> str:
    return f"{account}:{CHANNEL}"


def _day_id(account: AccountId, day: int) -> str:
    return f"{account}:{CHANNEL}:{day}"
