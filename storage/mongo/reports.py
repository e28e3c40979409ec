"""Reports of broadcasts (发送报告) in MongoDB: made beside the sending, never on its way.

One small document per broadcast. While it is sent, `points` notes its sums once a minute at most,
read from the ledger's batches. When it is over, its outcomes are read once, in slices by `_id`, and
what they add up to stays as `final`: a million outcomes take seconds, so no page ever waits for it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

from domain.delivery import Outcome
from domain.ids import AccountId, BroadcastId
from domain.ledger import Totals
from domain.sending_report import (
    FATES,
    MOST_OVER_TIME,
    MOST_REASONS,
    OTHER,
    Fate,
    Minute,
    SendingReport,
    Why,
    at_minute,
    minute_of,
    steps,
)
from storage.mongo.deliveries import MongoDeliveries

Document = dict[str, Any]
SLICE = 20_000  # outcomes read at once: about a tenth of a second
GLANCE = 5_000  # outcomes of a state that a page reads for its reasons while it is sent
MILLISECONDS = 20_000
UNREACHED: tuple[Outcome, ...] = ("failed", "skipped")


@dataclass(slots=True)
class Tally:
    """Outcomes added up, slice by slice. Minutes are numbers from 1970."""

    minutes: dict[int, Counter[Fate]] = field(default_factory=dict)
    reasons: Counter[Why] = field(default_factory=Counter)
    when: dict[Why, Counter[int]] = field(default_factory=dict)
    channels: Counter[str] = field(default_factory=Counter)
    delivered: int = 0

    def add(self, minute: int, fate: Fate, number: int) -> None:
        self.minutes.setdefault(minute, Counter())[fate] += number

    def report(self, now: datetime) -> SendingReport:
        """Return what was added up; rare reasons are one sum per state."""
        reasons: Counter[Why] = Counter(dict(self.reasons.most_common(MOST_REASONS)))
        for key, number in self.reasons.most_common()[MOST_REASONS:]:
            reasons[(key[0], None, OTHER)] += number
        return SendingReport(
            made_at=now,
            minutes=[
                Minute(at=at_minute(number), counts=dict(counts))
                for number, counts in sorted(self.minutes.items())
            ],
            reasons=dict(reasons),
            when={
                reason: dict(self.when[reason])
                for reason, _ in self.reasons.most_common(MOST_OVER_TIME)
            },
            channels=dict(self.channels),
            delivered=self.delivered,
            is_final=True,
        )


class MongoReports:
    """The reports of all broadcasts."""

    collection = "broadcast_reports"
    indexes = (
        IndexModel(
            [("next_at", ASCENDING)],
            name="due",
            partialFilterExpression={"next_at": {"$exists": True}},
        ),
        IndexModel(
            [("running", ASCENDING)], name="running", partialFilterExpression={"running": True}
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._reports = database[self.collection]
        self._deliveries = database[MongoDeliveries.collection]
        self._broadcasts = database["broadcasts"]

    # --- while it is sent -----------------------------------------------------------------

    async def note(
        self,
        broadcast: BroadcastId,
        account: AccountId,
        totals: Totals,
        delivered: int,
        now: datetime,
    ) -> None:
        """Note the sums of this minute; the last note of a minute stays."""
        sums = [totals.sent, delivered, totals.failed, totals.skipped, totals.unknown]
        await self._reports.update_one(
            {"_id": broadcast},
            {
                "$set": {
                    f"points.{minute_of(now)}": sums,
                    "running": True,
                    "delivered": delivered,
                    "account": account,
                    "noted_at": now,
                }
            },
            upsert=True,
        )

    async def end_others(self, running: Collection[BroadcastId], now: datetime) -> int:
        """Ask for the reports of broadcasts that were noted and run no more."""
        result = await self._reports.update_many(
            {"running": True, "_id": {"$nin": list(running)}},
            {"$unset": {"running": ""}, "$set": {"next_at": now}},
        )
        return result.modified_count

    # --- when it is over ------------------------------------------------------------------

    async def ask(self, broadcast: BroadcastId, account: AccountId, now: datetime) -> None:
        """Ask for a report of a broadcast that has none."""
        await self._reports.update_one(
            {"_id": broadcast},
            {"$setOnInsert": {"account": account, "next_at": now}},
            upsert=True,
        )

    async def take(self, now: datetime, until: datetime) -> BroadcastId | None:
        """Take a report to be made; it is due again at `until` if nobody has made it by then."""
        found = await self._reports.find_one_and_update(
            {"next_at": {"$lte": now}},
            {"$set": {"next_at": until}},
            {"_id": 1},
            sort=[("next_at", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        return BroadcastId(found["_id"]) if found else None

    async def keep(
        self,
        broadcast: BroadcastId,
        account: AccountId,
        report: SendingReport,
        *,
        again: datetime | None,
    ) -> None:
        """Keep a final report; `again` is when receipts may have changed it."""
        update: Document = {
            "$set": {"account": account, "final": _document(report)},
            "$unset": {"points": "", "running": "", "delivered": ""},
        }
        if again is None:
            update["$unset"]["next_at"] = ""
        else:
            update["$set"]["next_at"] = again
        await self._reports.update_one({"_id": broadcast}, update, upsert=True)

    async def drop(self, broadcast: BroadcastId) -> None:
        """Look at it no more: there is no such broadcast."""
        await self._reports.delete_one({"_id": broadcast})

    # --- reading --------------------------------------------------------------------------

    async def find(self, broadcast: BroadcastId) -> SendingReport | None:
        """Return the report as far as there is one."""
        found = await self._reports.find_one({"_id": broadcast})
        if found is None:
            return None
        if "final" in found:
            return _report(found["final"])
        points: Mapping[str, Sequence[int]] = found.get("points", {})
        if not points:
            return None
        return SendingReport(
            made_at=found["noted_at"],
            minutes=steps({int(key): sums for key, sums in points.items()}, FATES),
        )

    async def find_expected(self, broadcast_id: BroadcastId) -> int | None:
        """Return how many people are known or expected to be meant; None while nobody knows."""
        found = await self._broadcasts.find_one(
            {"_id": broadcast_id}, {"fanout.done": 1, "reserved": 1}
        )
        if found is None:
            return None
        done: int | None = found.get("fanout", {}).get("done", found.get("reserved"))
        return done

    async def find_delivered(self, broadcast: BroadcastId) -> int | None:
        """Return how many were delivered when somebody counted last; None if nobody has."""
        found = await self._reports.find_one(
            {"_id": broadcast}, {"delivered": 1, "final.delivered": 1}
        )
        if found is None:
            return None
        number: int | None = found.get("final", found).get("delivered")
        return number

    async def slice(
        self, broadcast: BroadcastId, after: str | None, tally: Tally, *, size: int = SLICE
    ) -> str | None:
        """Add the next outcomes to a tally; returns the next slice's place, None at the end."""
        cursor = await self._deliveries.aggregate(
            [
                {"$match": {"_id": {"$gt": after or f"{broadcast}:", "$lt": f"{broadcast};"}}},
                {"$sort": {"_id": ASCENDING}},
                {"$limit": size},
                {"$facet": {"outcomes": _BY_OUTCOME, "delivered": _BY_RECEIPT, "end": _END}},
            ],
            maxTimeMS=MILLISECONDS,
        )
        found = await cursor.to_list()
        facets = found[0]
        for row in facets["outcomes"]:
            key, number = row["_id"], row["number"]
            tally.add(minute_of(key["minute"]), key["state"], number)
            tally.channels[key.get("channel") or "template"] += number
            if key["state"] != "sent":
                why: Why = (key["state"], key.get("errcode"), key.get("reason") or "")
                tally.reasons[why] += number
                tally.when.setdefault(why, Counter())[minute_of(key["minute"])] += number
        for row in facets["delivered"]:
            tally.add(minute_of(row["_id"]), "delivered", row["number"])
            tally.delivered += row["number"]
        end = facets["end"]
        return str(end[0]["last"]) if end and end[0]["number"] == size else None

    async def reasons(self, broadcast: BroadcastId) -> Counter[Why]:
        """Return why people were not reached so far, from the first so many of each state."""
        reasons: Counter[Why] = Counter()
        for state in UNREACHED:
            cursor = await self._deliveries.aggregate(
                [
                    {"$match": {"broadcast": broadcast, "state": state}},
                    {"$limit": GLANCE},
                    {
                        "$group": {
                            "_id": {"errcode": "$errcode", "reason": "$reason"},
                            "number": {"$sum": 1},
                        }
                    },
                ],
                maxTimeMS=MILLISECONDS,
            )
            async for row in cursor:
                key = row["_id"]
                reasons[(state, key.get("errcode"), key.get("reason") or "")] += row["number"]
        return reasons


def _to_minute(name: str) -> Document:
    return {"$dateTrunc": {"date": f"${name}", "unit": "minute"}}


_BY_OUTCOME: list[Document] = [
    {
        "$group": {
            "_id": {
                "minute": _to_minute("at"),
                "state": "$state",
                "errcode": "$errcode",
                "reason": "$reason",
                "channel": "$channel",
            },
            "number": {"$sum": 1},
        }
    }
]
_BY_RECEIPT: list[Document] = [
    {"$match": {"delivered": True, "receipt_at": {"$type": "date"}}},
    {"$group": {"_id": _to_minute("receipt_at"), "number": {"$sum": 1}}},
]
_END: list[Document] = [{"$group": {"_id": None, "last": {"$max": "$_id"}, "number": {"$sum": 1}}}]


def _document(report: SendingReport) -> Document:
    return {
        "made_at": report.made_at,
        "minutes": [
            [minute_of(minute.at), {str(fate): number for fate, number in minute.counts.items()}]
            for minute in report.minutes
        ],
        "reasons": [
            {
                "state": why[0],
                "errcode": why[1],
                "reason": why[2],
                "number": number,
                "when": [list(each) for each in report.when.get(why, {}).items()],
            }
            for why, number in report.reasons.items()
        ],
        "channels": dict(report.channels),
        "delivered": report.delivered,
    }


def _report(document: Document) -> SendingReport:
    return SendingReport(
        made_at=document["made_at"],
        minutes=[
            Minute(at=at_minute(number), counts=counts) for number, counts in document["minutes"]
        ],
        reasons={
            (row["state"], row["errcode"], row["reason"]): row["number"]
            for row in document["reasons"]
        },
        when={
            (row["state"], row["errcode"], row["reason"]): dict(row["when"])
            for row in document["reasons"]
            if row.get("when")
        },
        channels=document["channels"],
        delivered=document["delivered"],
        is_final=True,
    )
