"""The ledger as a state machine: any order of claims, writes, crashes and write-offs by several
owners leaves every person in exactly one place, and what a lost lease writes never arrives."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain.delivery import Outcome
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Batch, Chunk, NewBatch, Totals, first_chunks, tally
from storage.mongo.ledger import OUTCOMES, LeaseLost, MongoLedger
from tests.support.clock import FakeClock
from tests.support.stateful import Do, bounded, in_thread

LEASE = timedelta(seconds=10)
OWNERS = st.sampled_from(["w0", "w1", "recovery"])
# where each person of a sub-chunk goes: an outcome, or one of the three kinds of child
FATES = st.sampled_from([*OUTCOMES, "r", "p", "u"])


class LedgerMachine(RuleBasedStateMachine):
    """One batch of eleven people, four owners, and what a careful reader would expect."""

    def __init__(self, do: Do[Any], ledger: MongoLedger, documents: Any) -> None:
        super().__init__()
        self.do, self.ledger, self.documents = do, ledger, documents
        self.clock = FakeClock()
        self.broadcast = BroadcastId(f"bc_{secrets.token_hex(6)}")
        self.name = f"{self.broadcast}:0"
        self.handles: list[Batch] = []  # every lease that was ever given, lost ones too
        self.outcomes: dict[int, str] = {}  # position → outcome, as acknowledged
        self.closed: list[tuple[Batch, Chunk]] = []

    @initialize(size=st.integers(1, 11))
    def write(self, size: int) -> None:
        self.size = size
        people = tuple(OpenId(f"o{number}") for number in range(size))
        self.do(
            self.ledger.add(
                [
                    NewBatch(
                        broadcast=self.broadcast,
                        account=AccountId("city"),
                        seq=0,
                        people=people,
                        cursor="",
                        queue=f"city:{self.broadcast}",
                        priority="normal",
                        due_at=self.clock.now(),
                    )
                ]
            )
        )

    # --- what processes do ----------------------------------------------------------------

    @rule(owner=OWNERS, after_a_crash=st.booleans())
    def claim(self, owner: str, after_a_crash: bool) -> None:
        if after_a_crash:
            self.clock.advance(LEASE + timedelta(seconds=1))
        now = self.clock.now()
        taken = self.ledger.claim([self.name], owner=owner, now=now, until=now + LEASE)
        self._keep(next(iter(self.do(taken)), None))

    @rule(owner=OWNERS)
    def claim_for_closing(self, owner: str) -> None:
        now = self.clock.now()
        self._keep(
            self.do(
                self.ledger.claim_for_closing(self.name, owner=owner, now=now, until=now + LEASE)
            )
        )

    @precondition(lambda self: self.handles)
    @rule(data=st.data())
    def intend(self, data: st.DataObject) -> None:
        batch = self._draw(data)
        if batch.open:
            chunk = data.draw(st.sampled_from(sorted(batch.open.values(), key=lambda c: c.id)))
            self._write(batch, self.ledger.intend(batch, chunk, self.clock.now()))

    @precondition(lambda self: self.handles)
    @rule(data=st.data(), seconds=st.integers(0, 30))
    def put_back(self, data: st.DataObject, seconds: int) -> None:
        batch = self._draw(data)
        if batch.open:
            chunk = data.draw(st.sampled_from(sorted(batch.open.values(), key=lambda c: c.id)))
            waits = replace(chunk, due_at=self.clock.now() + timedelta(seconds=seconds))
            if self._write(batch, self.ledger.put_back(batch, waits)):
                batch.open[chunk.id] = waits

    @precondition(lambda self: self.handles)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        """Close some sub-chunks at the same moment: the store may join their writes."""
        batch = self._draw(data)
        count = data.draw(st.integers(0, 3))
        chosen = [batch.open[name] for name in sorted(batch.open)[:count]]
        closings = [self._closing(data, chunk) for chunk in chosen]
        is_current = self._is_current(batch, self._document())
        done = self.do(
            _together(
                self.ledger.close_chunk(batch, chunk, tally(concluded.values()), children)
                for chunk, concluded, children in closings
            )
        )
        assert done == [is_current] * len(closings)
        for chunk, concluded, children in closings if is_current else ():
            del batch.open[chunk.id]
            batch.open.update({child.id: child for child in children})
            assert not concluded.keys() & self.outcomes.keys()
            self.outcomes |= concluded
            self.closed.append((batch, chunk))

    @precondition(lambda self: self.closed)
    @rule()
    def close_again(self) -> None:
        """The acknowledgement of a closing was lost, and the worker closes once more."""
        batch, chunk = self.closed.pop()
        with pytest.raises(LeaseLost):
            self.do(self.ledger.close_chunk(batch, chunk, {"sent": len(chunk.positions)}))

    @precondition(lambda self: self.handles)
    @rule(data=st.data())
    def write_off(self, data: st.DataObject) -> None:
        batch = self._draw(data)
        places = [place for chunk in batch.open.values() for place in chunk.positions]
        fates = {place: data.draw(st.sampled_from(OUTCOMES)) for place in places}
        if self._write(batch, self.ledger.write_off(batch, tally(fates.values()))):
            assert not fates.keys() & self.outcomes.keys()
            self.outcomes |= fates
            batch.open.clear()

    @precondition(lambda self: self.handles)
    @rule(data=st.data(), seconds=st.integers(0, 30))
    def release(self, data: st.DataObject, seconds: int) -> None:
        batch = self._draw(data)
        due_at = self.clock.now() + timedelta(seconds=seconds)
        self._write(batch, self.ledger.release(batch, due_at))

    @precondition(lambda self: self.handles)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        batch = self._draw(data)
        before = self._document()
        finished = self._write(batch, self.ledger.finish(batch), may_refuse=True)
        assert finished == (self._is_current(batch, before) and before["left"] == 0)

    @rule(owner=OWNERS)
    def renew(self, owner: str) -> None:
        before = self._document()
        until = self.clock.now() + LEASE
        kept = self.do(self.ledger.renew(owner, [self.name], until))
        held = before["state"] == "leased" and before["owner"] == owner
        assert kept == ({self.name} if held else set())

    @rule()
    def expire_leases(self) -> None:
        self.do(self.ledger.expire_leases(self.clock.now()))

    @rule()
    def bury(self) -> None:
        self.do(self.ledger.bury(self.clock.now()))

    @rule()
    def revive(self) -> None:
        self.do(self.ledger.revive(self.broadcast, self.clock.now()))

    @rule(seconds=st.sampled_from([1, 5, 11, 40]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    # --- what must hold -------------------------------------------------------------------

    @invariant()
    def every_person_is_in_exactly_one_place_and_the_counters_say_so(self) -> None:
        if not hasattr(self, "size"):
            return
        document = self._document()
        is_done = document["state"] == "done"
        open_chunks = {} if is_done else _open(document)
        places = Counter(place for chunk in open_chunks.values() for place in chunk)
        assert places + Counter(self.outcomes.keys()) == Counter(range(self.size))
        counted = Counter(self.outcomes.values())
        assert document["counts"] == {outcome: counted[outcome] for outcome in OUTCOMES}
        assert document["left"] == len(open_chunks)

    def teardown(self) -> None:
        if hasattr(self, "size"):
            document = self._document()
            totals = self.do(self.ledger.totals(self.broadcast))
            assert totals == Totals(people=self.size, **document["counts"])
            is_complete = self.do(self.ledger.is_complete(self.broadcast))
            assert is_complete == (document["state"] == "done")
            assert not is_complete or totals.concluded == self.size

    # --- inside ---------------------------------------------------------------------------

    def _closing(
        self, data: st.DataObject, chunk: Chunk
    ) -> tuple[Chunk, dict[int, Outcome], list[Chunk]]:
        """Draw what became of a sub-chunk's people: outcomes, and those who go on in children."""
        fates = {position: data.draw(FATES) for position in chunk.positions}
        children = [
            Chunk(
                id=f"{chunk.id}{mark}",
                positions=tuple(place for place, fate in fates.items() if fate == mark),
                intended_at=self.clock.now() if mark == "u" else None,
            )
            for mark in "rpu"
            if mark in fates.values()
        ]
        concluded = {place: fate for place, fate in fates.items() if fate in OUTCOMES}
        return chunk, concluded, children

    def _keep(self, batch: Batch | None) -> None:
        if batch is None:
            return
        assert all(batch.attempt > earlier.attempt for earlier in self.handles)
        document = self._document()
        assert {name: chunk.positions for name, chunk in batch.open.items()} == _open(document)
        self.handles.append(batch)

    def _draw(self, data: st.DataObject) -> Batch:
        """The newest lease, or now and then one that may be lost."""
        index = data.draw(st.sampled_from([1, 1, 2, 3]))
        return self.handles[-min(index, len(self.handles))]

    def _write(self, batch: Batch, work: Any, *, may_refuse: bool = False) -> bool:
        """Do a worker's write; it must arrive exactly when its lease is the current one."""
        is_current = self._is_current(batch, self._document())
        try:
            self.do(work)
        except LeaseLost:
            assert may_refuse or not is_current
            return False
        assert is_current
        return True

    @staticmethod
    def _is_current(batch: Batch, document: Any) -> bool:
        return (
            not batch.lost
            and document["state"] == "leased"
            and (document["owner"], document["attempt"]) == (batch.owner, batch.attempt)
        )

    def _document(self) -> Any:
        return self.do(self.documents.find_one({"_id": self.name}))


async def _together(writes: Iterable[Awaitable[None]]) -> list[bool]:
    """Make the writes at once; False for each that was refused."""
    answers = await asyncio.gather(*writes, return_exceptions=True)
    for answer in answers:
        if answer is not None and not isinstance(answer, LeaseLost):
            raise answer
    return [answer is None for answer in answers]


def _open(document: Any) -> dict[str, tuple[int, ...]]:
    """Return the open sub-chunks and their people, read without the store's help."""
    first = first_chunks(document["size"], document["chunk_size"])
    places = {name: chunk.positions for name, chunk in first.items()}
    for name, kept in document["chunks"].items():
        if "p" in kept:
            places[name] = tuple(kept["p"])
        if kept.get("d"):
            places.pop(name, None)  # nothing else is kept of it
    return places


@pytest.fixture
async def ledger(mongo) -> MongoLedger:
    ledger = MongoLedger(mongo, chunk_size=3)
    await ledger.create_indexes()
    return ledger


@pytest.mark.hypothesis
async def test_any_order_of_what_owners_do_loses_nobody_and_counts_nobody_twice(ledger, mongo):
    def machine(do: Do[Any]) -> None:
        run_state_machine_as_test(
            lambda: LedgerMachine(do, ledger, mongo[ledger.collection]),
            settings=bounded(25, stateful_step_count=30),
        )

    await in_thread(machine)
