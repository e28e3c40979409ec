"""How many people a rule means (受众人数): counted on index entries, in several slices at once.

One condition over faces reads every follower's entry, about 1.1 µs each; the `_id`s of an account
are cut into slices that the server counts side by side. A single key is counted from the keys'
index, and a few keys with few people too. Nothing here reads a document, but for people named one
by one.

With `explained` the same counts are asked through `explain`, which costs a tenth more and says
what was examined.
"""

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from domain.audience import AllOf, Everybody, Got, Not, broadcasts_in, normalised
from domain.broadcast import Audience
from domain.ids import AccountId
from storage.mongo.keys import EVERYBODY, conditions
from storage.mongo.people import SUBSCRIBERS, person_id
from storage.mongo.recipients import Recipients
from storage.mongo.rules import Known, document_filter, face_filter, keys_of_rule, one_of

COUNT_MILLISECONDS = 30_000
FEW = 150_000  # so many entries of several keys are counted faster than all faces
MOST_KEYS = 100
SLICES = 4
SMALL = 20_000  # an account below is not worth slicing
SAMPLED = 200
STEP = 10_000  # recipients of an earlier broadcast that one command carries

Document = dict[str, Any]
Range = tuple[str | None, str | None]  # above the first, up to the second
ALL: Range = (None, None)


@dataclass(frozen=True, slots=True)
class Counted:
    """A number, and what it took; `indexes` are empty when nobody asked."""

    people: int = 0
    keys: int = 0
    documents: int = 0
    indexes: tuple[str, ...] = ()

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(
            self.people + other.people,
            self.keys + other.keys,
            self.documents + other.documents,
            tuple(dict.fromkeys((*self.indexes, *other.indexes))),
        )


class Headcount:
    """Counts audiences whose named things are already known."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        recipients: Recipients,
        *,
        few: int = FEW,
        small: int = SMALL,
        step: int = STEP,
    ) -> None:
        self._database = database
        self._recipients = recipients
        self._few = few
        self._small = small
        self._step = step

    async def count(
        self, account: AccountId, audience: Audience, known: Known, *, explained: bool = False
    ) -> Counted:
        """Count everybody an audience means just now."""
        if audience.openids:
            ids = [person_id(account, openid) for openid in dict.fromkeys(audience.openids)]
            known = replace(known, got=await self._recipients.among(account, audience, ids))
            filter_ = living(account, document_filter(audience, known), {"_id": {"$in": ids}})
            return await self._one(filter_, "_id_", explained=explained)
        if known.got:
            return await self._against_recipients(account, audience, known, explained=explained)
        keys = single_kind(audience)
        if keys is not None:
            filter_ = living(account, {"keys": one_of(keys)})
            limit = self._few if len(keys) > 1 else 0
            found = await self._one(filter_, "audience", limit=limit, explained=explained)
            if not limit or found.people < limit:
                return found
        return await self._sliced(account, face_filter(audience, known), explained=explained)

    # --- who got an earlier broadcast -----------------------------------------------------

    async def _against_recipients(
        self, account: AccountId, audience: Audience, known: Known, *, explained: bool
    ) -> Counted:
        """Count a rule that asks who got a broadcast.

        "Not who got it" is everybody less those who did: looking for few among many is cheaper
        than looking past them.
        """
        split = _without_exclusion(audience)
        if split is None:
            return await self._in_steps(account, audience, known, explained=explained)
        rest, those = split
        nothing = replace(known, got={})
        whole, less = await asyncio.gather(
            self.count(account, rest, nothing, explained=explained),
            self._in_steps(account, those, known, explained=explained),
        )
        return replace(whole + less, people=whole.people - less.people)

    async def _in_steps(
        self, account: AccountId, audience: Audience, known: Known, *, explained: bool
    ) -> Counted:
        """Count piece by piece; a piece ends where `step` recipients have been read."""
        gate = asyncio.Semaphore(SLICES)

        async def piece(part: Range, got: Known) -> Counted:
            try:
                filter_ = living(account, face_filter(audience, got), ids_in(part))
                return await self._one(filter_, "faces", explained=explained)
            finally:
                gate.release()

        tasks: list[asyncio.Task[Counted]] = []
        async with asyncio.TaskGroup() as group:
            after: str | None = None
            while True:
                await gate.acquire()
                got, up_to = await self._recipients.next_of(
                    account, known.got, after=after, size=self._step
                )
                part = (after, up_to)
                tasks.append(group.create_task(piece(part, replace(known, got=got))))
                if up_to is None:
                    break
                after = up_to
        return _sum(task.result() for task in tasks)

    # --- on the server --------------------------------------------------------------------

    async def _sliced(self, account: AccountId, condition: Document, *, explained: bool) -> Counted:
        parts = await self._slices(account)
        return _sum(
            await asyncio.gather(
                *(
                    self._one(
                        living(account, condition, ids_in(part)), "faces", explained=explained
                    )
                    for part in parts
                )
            )
        )

    async def _slices(self, account: AccountId) -> list[Range]:
        """Cut an account's people into about equal ranges of `_id`."""
        people = self._database[SUBSCRIBERS]
        if await people.estimated_document_count() < self._small:
            return [ALL]
        found = await self.some_ids(account)
        cuts = (
            [found[len(found) * number // SLICES] for number in range(1, SLICES)] if found else []
        )
        edges = [None, *dict.fromkeys(cuts), None]
        return list(pairwise(edges))

    async def some_ids(self, account: AccountId) -> list[str]:
        """Return `_id`s of people of an account, picked at random, in order."""
        cursor = await self._database[SUBSCRIBERS].aggregate(
            [{"$sample": {"size": SAMPLED}}, {"$project": {"_id": 1}}],
            maxTimeMS=COUNT_MILLISECONDS,
        )
        ids = [str(document["_id"]) for document in await cursor.to_list()]
        return sorted(_id for _id in ids if _id.startswith(f"{account}:"))

    async def _one(
        self, filter_: Document, hint: str, *, limit: int = 0, explained: bool
    ) -> Counted:
        command: Document = {"count": SUBSCRIBERS, "query": filter_, "hint": hint}
        if limit:
            command["limit"] = limit
        if not explained:
            answer = await self._database.command(command | {"maxTimeMS": COUNT_MILLISECONDS})
            return Counted(people=int(answer["n"]))
        answer = await self._database.command(
            "explain", command, verbosity="executionStats", maxTimeMS=COUNT_MILLISECONDS
        )
        stats = answer["executionStats"]
        return Counted(
            people=int(_find(stats["executionStages"], "nCounted") or 0),
            keys=stats["totalKeysExamined"],
            documents=stats["totalDocsExamined"],
            indexes=(hint,),
        )


def living(account: AccountId, *conditions: Document) -> Document:
    """Return the filter of reachable followers for whom the conditions hold."""
    filter_: Document = {"account": account, "following": True, "reachable": True}
    wanted = [condition for condition in conditions if condition]
    return filter_ | ({"$and": wanted} if wanted else {})


def ids_in(part: Range) -> Document:
    """Return the condition that an `_id` is in the range."""
    above, up_to = part
    bounds = ({"$gt": above} if above else {}) | ({"$lte": up_to} if up_to else {})
    return {"_id": bounds} if bounds else {}


def single_kind(audience: Audience) -> list[str] | None:
    """Return the keys of which one must be there, if that is all an audience says.

    MongoDB merges up to 200 ordered scans; beyond that it would sort in memory.
    """
    groups = [keys for keys in conditions(audience) if keys != [EVERYBODY]]
    if audience.rule is not None:
        keys = None if groups else keys_of_rule(audience.rule)
    elif len(groups) > 1:
        keys = None
    else:
        keys = groups[0] if groups else [EVERYBODY]
    return keys if keys is not None and len(keys) <= MOST_KEYS else None


def _without_exclusion(audience: Audience) -> tuple[Audience, Audience] | None:
    """Split "… and not who got X" into "…" and "… and who got X", if X is asked for once."""
    rule = normalised(audience.rule or Everybody())
    parts = rule.rules if isinstance(rule, AllOf) else (rule,)
    excluded = [part for part in parts if isinstance(part, Not) and isinstance(part.rule, Got)]
    if len(excluded) != 1:
        return None
    others = tuple(part for part in parts if part is not excluded[0])
    rest = AllOf(others) if others else Everybody()
    if broadcasts_in(rest):
        return None
    everybody = not (audience.topics or audience.regions or audience.tags)
    return (
        replace(audience, rule=rest, all=everybody),
        replace(audience, rule=AllOf((*others, excluded[0].rule))),
    )


def _sum(found: Iterable[Counted]) -> Counted:
    return sum(found, Counted())


def _find(stage: Document, name: str) -> Any:
    """Return a figure of an execution plan, wherever in it that stands."""
    if name in stage:
        return stage[name]
    inner: Sequence[Document] = [
        *([stage["inputStage"]] if "inputStage" in stage else []),
        *stage.get("inputStages", ()),
    ]
    return next((found for part in inner if (found := _find(part, name)) is not None), None)


def pick(ids: Sequence[str]) -> str | None:
    """Return one of them at random: where a sample begins."""
    return random.choice(ids) if ids else None  # noqa: S311  # nothing secret depends on it
