"""Triggers put together for tests: the engine on real stores, departments over real HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp

from push.orders import BroadcastOrder
from push.triggers.engine import Plan, TriggerEngine
from push.triggers.ports import Cursor, Outcome, Trigger, Visit
from storage.mongo.triggers import MongoTriggerItems, MongoTriggers, TriggerRow
from tests.support.push import CITY, Engine

Run = Callable[[Visit], Awaitable[Outcome]]
A_DAY = timedelta(days=1)


@dataclass
class ScriptedTrigger:
    """A trigger that does what it is told: the engine's tests need no department."""

    script: Run
    name: str = "scripted"
    every: timedelta = timedelta(seconds=60)
    visits: list[Visit] = field(default_factory=list)

    async def run(self, visit: Visit) -> Outcome:
        self.visits.append(visit)
        return await self.script(visit)


class Desk:
    """One push engine with triggers; `new` makes another process's engine beside the first."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.rows = MongoTriggers(engine.database)
        self.items = MongoTriggerItems(engine.database)

    async def create_indexes(self) -> None:
        for store in (self.rows, self.items):
            await self.engine.database[store.collection].create_indexes(list(store.indexes))

    def new(self, *triggers: Trigger, publish: bool = True, **options: Any) -> TriggerEngine:
        """Return an engine that runs these triggers for the account city."""
        plans = [
            Plan(trigger=each, accounts=(CITY,), every=each.every, publish=publish)
            for each in triggers
        ]
        one = self.engine
        return TriggerEngine(
            self.rows, plans, one.broadcasts, one.store, one.notices, one.clock, **options
        )

    async def make_due(self) -> None:
        """Let every row be due now, as if its time had come."""
        await self.engine.database[self.rows.collection].update_many(
            {}, {"$set": {"next_at": self.engine.clock.now()}}
        )

    async def run(self, triggers: TriggerEngine) -> None:
        """Let an engine do everything that is due, at once."""
        await triggers.tick()  # makes the rows
        await self.make_due()
        await triggers.tick()
        await triggers.settle()

    async def hear(self) -> None:
        """Let everything that waits begin to go out, as if its time had come."""
        await self.engine.database["broadcasts"].update_many(
            {"state": "scheduled"},
            {"$set": {"state": "sending", "started_at": self.engine.clock.now()}},
        )

    async def row(self, trigger: str) -> TriggerRow:
        rows = {row.trigger: row for row in await self.rows.rows()}
        return rows[trigger]

    async def said(self) -> list[dict[str, Any]]:
        """Return every broadcast that triggers made, in order: phase, data, regions, state."""
        cursor = self.engine.database["broadcasts"].find(
            {"kind": "broadcast", "idempotency.key": {"$regex": "^trigger:"}}
        )
        return [
            {
                "phase": found["idempotency"]["key"].rsplit(":", 1)[1],
                "key": found["idempotency"]["key"],
                **found,
            }
            async for found in cursor.sort([("created_at", 1), ("_id", 1)])
        ]

    async def phases(self) -> list[str]:
        return [each["phase"] for each in await self.said()]


class Office:
    """The sandbox's news desks, as a test makes news and trouble over HTTP."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    async def news(self, department: str, verb: str, **content: Any) -> dict[str, Any]:
        address = f"{self.url}/{department}/news"
        async with self._http.post(address, json={"verb": verb, **content}) as answer:
            body: dict[str, Any] = await answer.json()
            assert answer.status == 200, body
            return body

    async def fault(self, department: str, kind: str, **content: Any) -> None:
        address = f"{self.url}/{department}/fault"
        async with self._http.post(address, json={"kind": kind, **content}) as answer:
            assert answer.status == 200, await answer.text()


async def say(visit: Visit, order: BroadcastOrder, events: Sequence[str]) -> Outcome:
    """Emit one broadcast an event, and move the cursor to the last."""
    for event in events:
        await visit.emit.broadcast(order, event=event, revision=1, phase="announced")
    return Outcome(cursor=Cursor(since=events[-1] if events else ""), seen=len(events))
