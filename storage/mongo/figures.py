"""Numbers over time (运行数据) in MongoDB: by minute for two weeks, by day for thirteen months.

A document for each account and hour holds its minutes; one for each account and day holds their
sums and how many people follow. Writing a minute puts the whole minute in its place, so doing it
again, or in two processes, changes nothing. Counts only, about nobody in particular (domain.md
10.4); documents expire by themselves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.figures import Counts, moment_of, together
from domain.ids import AccountId

HOURS_KEPT = timedelta(days=14)
DAYS_KEPT = timedelta(days=395)
HOUR = 60  # minutes

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """One day of an account; `followers` as last counted on that day."""

    day: datetime
    counts: Counts = field(default_factory=dict)
    followers: int | None = None


class MongoFigures:
    """The numbers of all accounts."""

    collection = "figures"
    indexes = (
        IndexModel([("account", ASCENDING), ("span", ASCENDING), ("at", ASCENDING)]),
        IndexModel([("expire_at", ASCENDING)], expireAfterSeconds=0),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._figures = database[self.collection]

    # --- hours and their minutes --------------------------------------------------------------

    async def put_minutes(self, account: AccountId, minutes: Mapping[int, Counts]) -> None:
        """Put minutes in their place."""
        hours: dict[int, Document] = {}
        for minute, counts in minutes.items():
            hours.setdefault(minute // HOUR, {})[f"minutes.{minute % HOUR}"] = dict(counts)
        if not hours:
            return
        await self._figures.bulk_write(
            [
                UpdateOne(
                    {"_id": _hour_id(account, hour)},
                    {
                        "$set": change,
                        "$setOnInsert": {
                            "account": account,
                            "span": "hour",
                            "at": moment_of(hour * HOUR),
                            "expire_at": moment_of(hour * HOUR) + HOURS_KEPT,
                        },
                    },
                    upsert=True,
                )
                for hour, change in hours.items()
            ],
            ordered=False,
        )

    async def minutes(
        self, account: AccountId, since: datetime, before: datetime
    ) -> dict[int, Counter[str]]:
        """Return the minutes of a period that has whole hours, by their number."""
        cursor = self._figures.find(
            {"account": account, "span": "hour", "at": {"$gte": since, "$lt": before}}
        )
        found: dict[int, Counter[str]] = {}
        async for hour in cursor:
            first = int(hour["at"].timestamp()) // 60
            for minute, counts in hour.get("minutes", {}).items():
                found[first + int(minute)] = Counter(counts)
        return found

    # --- days ---------------------------------------------------------------------------------

    async def sum_day(self, account: AccountId, day: datetime) -> None:
        """Write the sums of a day's minutes beside what else is known of the day."""
        minutes = await self.minutes(account, day, day + timedelta(days=1))
        if minutes:
            await self._set_day(account, day, {"counts": dict(together(minutes.values()))})

    async def take_turn(
        self, account: AccountId, day: datetime, now: datetime, every: timedelta
    ) -> bool:
        """Whether it is time to count the followers again; True for one process only."""
        try:
            result = await self._figures.update_one(
                {
                    "_id": _day_id(account, day),
                    "$or": [
                        {"counted_at": {"$exists": False}},
                        {"counted_at": {"$lte": now - every}},
                    ],
                },
                {"$set": {"counted_at": now}, "$setOnInsert": _newborn_day(account, day)},
                upsert=True,
            )
        except DuplicateKeyError:
            return False  # counted lately
        return result.modified_count == 1 or result.upserted_id is not None

    async def put_followers(self, account: AccountId, day: datetime, followers: int) -> None:
        """Keep how many people follow."""
        await self._set_day(account, day, {"followers": followers})

    async def days(self, account: AccountId, days: Sequence[datetime]) -> list[DayFigures]:
        """Return these days in their order; one of which nothing is known is empty."""
        ids = [_day_id(account, day) for day in days]
        found = {row["_id"]: row async for row in self._figures.find({"_id": {"$in": ids}})}
        return [
            DayFigures(
                day=day,
                counts=found.get(id_, {}).get("counts", {}),
                followers=found.get(id_, {}).get("followers"),
            )
            for day, id_ in zip(days, ids, strict=True)
        ]

    async def _set_day(self, account: AccountId, day: datetime, change: Document) -> None:
        await self._figures.update_one(
            {"_id": _day_id(account, day)},
            {"$set": change, "$setOnInsert": _newborn_day(account, day)},
            upsert=True,
        )


def _newborn_day(account: AccountId, day: datetime) -> Document:
    return {"account": account, "span": "day", "at": day, "expire_at": day + DAYS_KEPT}


def _hour_id(account: AccountId, hour: int) -> str:
    return f"{account}|h|{hour}"


def _day_id(account: AccountId, day: datetime) -> str:
    return f"{account}|d|{int(day.timestamp()) // 60}"
