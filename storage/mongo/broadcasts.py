"""Broadcasts (群发任务) in MongoDB: what is to be sent, in which state, and who works on it.

Every change of state is one update that names the states it may start from, so two processes
can never both succeed. `fanout` keeps who expands a broadcast at the moment; the ledger itself
is the checkpoint of the expansion.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.broadcast import Broadcast, BroadcastState
from domain.content import content_digest, content_from, content_parts
from domain.ids import AccountId, BroadcastId, TopicId
from domain.ledger import Content, Totals
from storage.mongo.broadcast_papers import (
    broadcast_document,
    broadcast_from,
    totals_document,
)
from storage.mongo.changes import broadcast_became
from storage.mongo.notices import Notice, notice_document
from storage.mongo.schedule_papers import of_revision

Document = dict[str, Any]
Clash = Literal["idempotency_key", "occurrence", "event"]


class AlreadyThere(Exception):
    """Another broadcast holds the key that must be unique; `clash` says which."""

    def __init__(self, clash: Clash) -> None:
        super().__init__(clash)
        self.clash: Clash = clash


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer:
    """What was answered to the request that used an idempotency key first."""

    id: BroadcastId
    state: BroadcastState
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The part of a broadcast that may change while it is sent."""

    state: BroadcastState
    resumes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """How many people a broadcast is expected to reach, and whether it has begun."""

    id: BroadcastId
    people: int
    has_begun: bool


class MongoBroadcasts:
    """The broadcasts of all accounts."""

    collection = "broadcasts"
    indexes = (
        IndexModel([("state", ASCENDING), ("due_at", ASCENDING)]),  # what the planner looks for
        IndexModel([("parent", ASCENDING), ("created_at", ASCENDING)]),  # a plan's occurrences
        IndexModel(  # lists, the newest first
            [
                ("account", ASCENDING),
                ("kind", ASCENDING),
                ("created_at", DESCENDING),
                ("_id", DESCENDING),
            ]
        ),
        IndexModel(
            [
                ("account", ASCENDING),
                ("kind", ASCENDING),
                ("state", ASCENDING),
                ("created_at", DESCENDING),
                ("_id", DESCENDING),
            ]
        ),
        IndexModel(
            [("account", ASCENDING), ("idempotency.key", ASCENDING)],
            name="idempotency_key",
            unique=True,
            partialFilterExpression={"idempotency.key": {"$exists": True}},
        ),
        IndexModel(  # active plans
            [("state", ASCENDING), ("_id", ASCENDING)],
            name="plans",
            partialFilterExpression={"cron": {"$type": "string"}},
        ),
        IndexModel(
            [("parent", ASCENDING), ("planned_at", ASCENDING)],
            name="occurrence",
            unique=True,
            partialFilterExpression={"planned_at": {"$exists": True}},
        ),
        IndexModel(
            [("account", ASCENDING), ("topic", ASCENDING), ("notice.event_id", ASCENDING)],
            name="event",
            unique=True,
            partialFilterExpression={"notice.event_id": {"$exists": True}},
        ),
        IndexModel(
            [("digest.key", ASCENDING)],
            name="digest",
            unique=True,
            partialFilterExpression={"digest.key": {"$exists": True}},
        ),
        IndexModel([("retired", ASCENDING), ("finished_at", ASCENDING)]),  # push.retention
        IndexModel(  # did the same go out lately?
            [("account", ASCENDING), ("content.digest", ASCENDING), ("created_at", ASCENDING)],
            name="content_digest",
            partialFilterExpression={"content.digest": {"$exists": True}},
        ),
        IndexModel(  # expansions whose process may have died, and those to be closed
            [("fanout.open", ASCENDING), ("fanout.until", ASCENDING)],
            partialFilterExpression={"fanout.open": True},
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._broadcasts = database[self.collection]

    # --- making and reading ---------------------------------------------------------------

    async def add(
        self,
        broadcast: Broadcast,
        *,
        content: Content | None = None,
        idempotency: tuple[str, str] | None = None,
        notice: Notice | None = None,
        fanout: tuple[str, datetime] | None = None,
        reserved: int | None = None,
    ) -> None:
        """Insert, or raise `AlreadyThere`. `idempotency` is the key and the request's digest.

        `fanout` (owner, until) claims the expansion in the same write. `reserved` is how many
        people it is expected to reach.
        """
        document = broadcast_document(broadcast)
        if content is not None:
            document["content"] = _content_document(content)
        if idempotency is not None:
            key, digest = idempotency
            document["idempotency"] = {"key": key, "digest": digest, "state": broadcast.state}
        if notice is not None:
            document["notice"] = notice_document(notice)
        if reserved is not None:
            document["reserved"] = reserved
        if fanout is not None:
            document["fanout"] = {"open": True, "owner": fanout[0], "until": fanout[1]}
        try:
            await self._broadcasts.insert_one(document)
        except DuplicateKeyError as error:
            raise AlreadyThere(_clash(error)) from error
        broadcast_became(
            broadcast.id,
            broadcast.state,
            account=broadcast.account,
            kind=broadcast.kind,
            author=broadcast.author,
            reason=broadcast.reason,
        )

    async def find(self, broadcast_id: BroadcastId) -> Broadcast | None:
        """Return a broadcast, if there is one."""
        document = await self._broadcasts.find_one({"_id": broadcast_id})
        return broadcast_from(document) if document else None

    async def find_first_answer(self, account: AccountId, key: str) -> FirstAnswer | None:
        """Return what the idempotency key was first used for."""
        found = await self._broadcasts.find_one(
            {"account": account, "idempotency.key": key}, {"idempotency": 1}
        )
        if found is None:
            return None
        first = found["idempotency"]
        return FirstAnswer(
            id=BroadcastId(found["_id"]), state=first["state"], digest=first["digest"]
        )

    async def find_matched(self, account: AccountId, topic: TopicId, event_id: str) -> int | None:
        """Return how many people an event found when it was announced first."""
        found = await self._broadcasts.find_one(
            {"account": account, "topic": topic, "notice.event_id": event_id},
            {"notice.matched": 1},
        )
        return int(found["notice"]["matched"]) if found else None

    async def find_content(self, broadcast_id: BroadcastId) -> Content | None:
        """Return the frozen content; None before scheduling, and for notices (sealed)."""
        found = await self._broadcasts.find_one({"_id": broadcast_id}, {"content": 1})
        part = found.get("content") if found else None
        return content_from(part) if part else None

    async def status(self, broadcast_id: BroadcastId) -> Status | None:
        """Return what the gate asks before each send."""
        found = await self._broadcasts.find_one({"_id": broadcast_id}, {"state": 1, "resumes": 1})
        return Status(state=found["state"], resumes=found.get("resumes", 0)) if found else None

    async def with_state(
        self, ids: Collection[BroadcastId], state: BroadcastState
    ) -> set[BroadcastId]:
        """Return those of the broadcasts that are in the state."""
        cursor = self._broadcasts.find({"_id": {"$in": list(ids)}, "state": state}, {"_id": 1})
        return {BroadcastId(found["_id"]) async for found in cursor}

    async def list_children(
        self, plan: BroadcastId, states: Collection[BroadcastState]
    ) -> list[Broadcast]:
        """Return a plan's occurrences in the given states."""
        cursor = self._broadcasts.find({"parent": plan, "state": {"$in": list(states)}})
        return [broadcast_from(found) async for found in cursor.sort("created_at", ASCENDING)]

    async def list_stuck(self, account: AccountId, *, limit: int = 100) -> list[BroadcastId]:
        """Return notices and digests that paused by themselves, which no list shows one by one."""
        cursor = self._broadcasts.find(
            {
                "account": account,
                "kind": {"$in": ["notice", "digest"]},
                "state": "paused",
                "by_itself": True,
            },
            {"_id": 1},
        ).limit(limit)
        return [BroadcastId(found["_id"]) async for found in cursor]

    async def list_reserving(
        self, account: AccountId, *, since: datetime | None, before: datetime, limit: int = 500
    ) -> list[Reservation]:
        """Return what was due from then on and before then, and is not finished."""
        cursor = self._broadcasts.find(
            {
                "state": {"$in": ["scheduled", "sending", "paused"]},
                "due_at": {"$lt": before, **({"$gte": since} if since else {})},
                "account": account,
                "kind": "broadcast",
                "cron": None,
            },
            {"reserved": 1, "fanout.done": 1, "started_at": 1},
        ).limit(limit)
        return [
            Reservation(
                id=BroadcastId(found["_id"]),
                people=found.get("fanout", {}).get("done", found.get("reserved", 0)),
                has_begun=found["started_at"] is not None,
            )
            for found in await cursor.to_list()
        ]

    # --- changes of state -----------------------------------------------------------------

    async def move(
        self,
        broadcast_id: BroadcastId,
        origin: Collection[BroadcastState],
        to: BroadcastState,
        *,
        content: Content | None = None,
        resumed: bool = False,
        revision: int | None = None,
        **changes: Any,
    ) -> Broadcast | None:
        """Change the state if it still is one of `origin`; None if it is not.

        With `revision`, also only if nobody edited it since that one was read.
        """
        update: Document = {"$set": {"state": to, **changes}}
        if content is not None:
            update["$set"]["content"] = _content_document(content)
        if resumed:
            update["$inc"] = {"resumes": 1}
        found = await self._broadcasts.find_one_and_update(
            {
                "_id": broadcast_id,
                "state": {"$in": list(origin)},
                **({} if revision is None else of_revision(revision)),
            },
            update,
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            return None
        if set(origin) != {to}:
            broadcast_became(broadcast_id, to, reason=changes.get("reason"))
        return broadcast_from(found)

    async def explain(self, broadcast_id: BroadcastId, reason: str) -> None:
        """Keep why something went wrong, for the person who looks."""
        await self._broadcasts.update_one({"_id": broadcast_id}, {"$set": {"reason": reason}})

    # --- for the planner ------------------------------------------------------------------

    async def due(self, now: datetime, *, limit: int = 100) -> list[Broadcast]:
        """Return what is scheduled and due: urgent ones, then the longest waiting first."""
        waiting: Document = {"state": "scheduled", "due_at": {"$lte": now}}
        found: list[Broadcast] = []
        for query in ({"priority": "urgent"} | waiting, {"priority": "normal"} | waiting):
            cursor = self._broadcasts.find(query).sort("due_at", ASCENDING).limit(limit)
            found += [broadcast_from(document) async for document in cursor]
        return found

    async def list_plans(self, *, after: str, limit: int) -> list[Broadcast]:
        """Return active plans in the order of their ids, behind `after`."""
        query = {"state": "scheduled", "cron": {"$type": "string"}, "_id": {"$gt": after}}
        cursor = self._broadcasts.find(query).sort("_id", ASCENDING).limit(limit)
        return [broadcast_from(found) async for found in cursor]

    async def planned_times(
        self, plan: BroadcastId, first: datetime, last: datetime
    ) -> set[datetime]:
        """Return the planned times of a period that have their occurrence."""
        cursor = self._broadcasts.find(
            {"parent": plan, "planned_at": {"$gte": first, "$lte": last}},
            {"_id": 0, "planned_at": 1},
        )
        return {found["planned_at"] async for found in cursor}

    async def start(
        self, broadcast: Broadcast, *, now: datetime, owner: str, until: datetime
    ) -> bool:
        """Claim a due broadcast and its expansion; True for one process only."""
        result = await self._broadcasts.update_one(
            {"_id": broadcast.id, "state": "scheduled", "due_at": broadcast.due_at},
            {
                "$set": {
                    "state": "sending",
                    "started_at": now,
                    "fanout": {"open": True, "owner": owner, "until": until},
                }
            },
        )
        if result.modified_count == 0:
            return False
        late = (now - broadcast.due_at).total_seconds() if broadcast.due_at else None
        broadcast_became(broadcast.id, "sending", late_seconds=late)
        return True

    async def advance(self, broadcast: Broadcast, next_at: datetime | None, now: datetime) -> bool:
        """Take a due time and set the next one in the same update; without one, the plan ends."""
        change: Document = (
            {"due_at": next_at} if next_at else {"state": "finished", "finished_at": now}
        )
        result = await self._broadcasts.update_one(
            {"_id": broadcast.id, "state": "scheduled", "due_at": broadcast.due_at},
            {"$set": change},
        )
        if result.modified_count == 1 and next_at is None:
            broadcast_became(broadcast.id, "finished", reason="the plan has no further time")
        return result.modified_count == 1

    # --- expansion ------------------------------------------------------------------------

    async def take_fanout(self, *, now: datetime, owner: str, until: datetime) -> Broadcast | None:
        """Take over an expansion whose process has stopped renewing its claim."""
        found = await self._broadcasts.find_one_and_update(
            {
                "fanout.open": True,
                "fanout.until": {"$lt": now},
                "state": {"$in": ["sending", "paused"]},
                "fanout.done": {"$exists": False},
            },
            {"$set": {"fanout.owner": owner, "fanout.until": until}},
        )
        return broadcast_from(found) if found else None

    async def keep_fanout(self, broadcast_id: BroadcastId, *, owner: str, until: datetime) -> bool:
        """Renew the claim; False when it was lost or the broadcast is no longer to be sent."""
        result = await self._broadcasts.update_one(
            {
                "_id": broadcast_id,
                "fanout.owner": owner,
                "fanout.open": True,
                "state": {"$in": ["sending", "paused"]},
            },
            {"$set": {"fanout.until": until}},
        )
        return result.matched_count == 1

    async def bound_fanout(self, broadcast_id: BroadcastId, up_to: str) -> str:
        """Fix the upper bound once and return the one that holds."""
        await self._broadcasts.update_one(
            {"_id": broadcast_id, "fanout.up_to": {"$exists": False}},
            {"$set": {"fanout.up_to": up_to}},
        )
        found = await self._broadcasts.find_one({"_id": broadcast_id}, {"fanout.up_to": 1})
        return str(found["fanout"]["up_to"]) if found else up_to

    async def end_fanout(self, broadcast_id: BroadcastId, *, owner: str, people: int) -> bool:
        """Say that the ledger holds everybody, and how many they are."""
        result = await self._broadcasts.update_one(
            {"_id": broadcast_id, "fanout.owner": owner, "fanout.done": {"$exists": False}},
            {"$set": {"fanout.done": people}},
        )
        return result.modified_count == 1

    async def drop_fanout(self, broadcast_id: BroadcastId, *, owner: str, now: datetime) -> None:
        """Give an unfinished expansion back."""
        await self._broadcasts.update_one(
            {"_id": broadcast_id, "fanout.owner": owner}, {"$set": {"fanout.until": now}}
        )

    # --- closing --------------------------------------------------------------------------

    async def find_expanded(self, broadcast_id: BroadcastId) -> tuple[Broadcast, int] | None:
        """Return a broadcast being sent if all its people are in the ledger, and their number."""
        found = await self._broadcasts.find_one(
            {"_id": broadcast_id, "state": "sending", "fanout.done": {"$exists": True}}
        )
        return (broadcast_from(found), found["fanout"]["done"]) if found else None

    async def list_expanded(self, *, after: str, limit: int = 200) -> list[BroadcastId]:
        """Return ids of such broadcasts in order, behind `after`."""
        cursor = (
            self._broadcasts.find(
                {
                    "fanout.open": True,
                    "state": "sending",
                    "fanout.done": {"$exists": True},
                    "_id": {"$gt": after},
                },
                {"_id": 1},
            )
            .sort("_id", ASCENDING)
            .limit(limit)
        )
        return [BroadcastId(found["_id"]) async for found in cursor]

    async def cancelled(self, *, now: datetime, limit: int = 50) -> list[Broadcast]:
        """Return cancelled broadcasts whose remaining people are not written off yet."""
        cursor = self._broadcasts.find(
            {
                "fanout.open": True,
                "state": {"$in": ["cancelled", "failed"]},
                "$or": [{"fanout.until": {"$lt": now}}, {"fanout.done": {"$exists": True}}],
            }
        ).limit(limit)
        return [broadcast_from(found) async for found in cursor]

    async def close(
        self,
        broadcast_id: BroadcastId,
        totals: Totals,
        *,
        finished_at: datetime | None = None,
    ) -> bool:
        """Freeze the sums; with `finished_at` the broadcast goes from sending to finished."""
        change: Document = {"totals": totals_document(totals), "fanout.open": False}
        query: Document = {"_id": broadcast_id, "fanout.open": True}
        if finished_at is not None:
            query["state"] = "sending"
            change |= {"state": "finished", "finished_at": finished_at}
        result = await self._broadcasts.update_one(query, {"$set": change})
        if result.modified_count == 0:
            return False
        if finished_at is not None:
            broadcast_became(broadcast_id, "finished", **totals_document(totals))
        return True

    async def find_totals(self, broadcast_id: BroadcastId) -> Totals | None:
        """Return the frozen sums of a closed broadcast."""
        found = await self._broadcasts.find_one({"_id": broadcast_id}, {"totals": 1})
        part = found.get("totals") if found else None
        return Totals(**part) if part else None


def _content_document(content: Content) -> Document:
    return {**content_parts(content), "digest": content_digest(content)}


def _clash(error: DuplicateKeyError) -> Clash:
    pattern: Sequence[str] = list((error.details or {}).get("keyPattern", ()))
    if "idempotency.key" in pattern:
        return "idempotency_key"
    if "notice.event_id" in pattern:
        return "event"
    if "planned_at" in pattern or "_id" in pattern:  # an occurrence is unique in two ways
        return "occurrence"
    raise error
