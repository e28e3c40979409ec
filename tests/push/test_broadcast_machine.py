"""A broadcast as a state machine: whatever people and processes do in whatever order, it takes only
the transitions there are, an approval is of what was read, and the people add up."""

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

from domain.broadcast import EDITABLE, TRANSITIONS, Broadcast, BroadcastState, Counts
from domain.errors import NotAllowed, StateError
from domain.ids import BroadcastId, OpenId
from domain.ledger import Delivery, tally
from push.gate import Gate
from tests.push.conftest import MakeEngine
from tests.support.clock import FakeClock
from tests.support.push import DATA, Engine, order
from tests.support.stateful import Do, bounded, in_thread

TERMINAL: tuple[BroadcastState, ...] = ("finished", "cancelled", "failed")
PEOPLE = 5
SOME = st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)  # batches
OUTCOMES = st.sampled_from(["sent", "sent", "failed", "unknown", "skipped"])
REVIEWERS = st.sampled_from(["reviewer", "reviewer", "drafter", "editor"])


class BroadcastMachine(RuleBasedStateMachine):
    """One broadcast for five people, in batches of two."""

    def __init__(self, do: Do[Any], engine: Engine, clock: FakeClock) -> None:
        super().__init__()
        self.do, self.engine, self.clock = do, engine, clock
        self.seen: Any = None  # the broadcast as the last step left it
        self.approved: int | None = None  # the revision that was approved, if one was
        self.stopped_with: Counts | None = None  # what was counted when it was cancelled

    @initialize(minutes=st.sampled_from([0, 0, 5]), publish=st.booleans())
    def create(self, minutes: int, publish: bool) -> None:
        at = self.clock.now() + timedelta(minutes=minutes) if minutes else None
        accepted = self.do(
            self.engine.broadcasts.create(
                order(at=at, data=self._data(1)), author="drafter", publish=publish
            )
        )
        self.id: BroadcastId = accepted.id
        self.approved = 1 if publish else None
        self.seen = self._find()

    # --- people ---------------------------------------------------------------------------

    @precondition(lambda self: self.seen.state in EDITABLE)
    @rule(by=st.sampled_from(["drafter", "editor"]))
    def edit(self, by: str) -> None:
        revision = self.seen.revision + 1
        order_ = order(data=self._data(revision))
        assert self._try(self.engine.editing.edit(self.id, order_, author=by))
        self._follow({"in_review"})
        assert self.seen.revision == revision

    @precondition(lambda self: self.seen.state in EDITABLE)
    @rule(by=REVIEWERS, behind=st.sampled_from([0, 0, 0, 1]))
    def approve(self, by: str, behind: int) -> None:
        revision = self.seen.revision - behind
        done = self._try(self.engine.broadcasts.approve(self.id, by=by, revision=revision))
        allowed = by not in (self.seen.author, *self.seen.edited_by)
        assert done == (self.seen.state == "in_review" and allowed and not behind)
        if done:
            self.approved = revision
        self._follow({"scheduled"} if done else set())

    @precondition(lambda self: self.seen.state in EDITABLE)
    @rule()
    def reject(self) -> None:
        done = self._try(self.engine.broadcasts.reject(self.id, by="reviewer", reason="错别字"))
        self._follow({"rejected"} if done else set())

    @precondition(lambda self: self.seen.state not in EDITABLE)
    @rule()
    def come_too_late(self) -> None:
        broadcasts, revision = self.engine.broadcasts, self.seen.revision
        for late in (
            self.engine.editing.edit(self.id, order(data=self._data(99)), author="editor"),
            broadcasts.approve(self.id, by="reviewer", revision=revision),
            broadcasts.reject(self.id, by="reviewer", reason="太晚"),
        ):
            assert not self._try(late)
        assert self._find() == self.seen

    @rule()
    def pause(self) -> None:
        done = self._try(self.engine.broadcasts.pause(self.id))
        self._follow({"paused"} if done else set())

    @rule()
    def resume(self) -> None:
        done = self._try(self.engine.broadcasts.resume(self.id))
        self._follow({"scheduled", "sending"} if done else set())

    @rule(often=st.integers(0, 4))
    def cancel(self, often: int) -> None:
        if often:  # most of them are to come to another end
            return
        done = self._try(self.engine.broadcasts.cancel(self.id))
        self._follow({"cancelled"} if done else set())
        if done and self.stopped_with is None and self.seen.started_at:
            self.stopped_with = self.do(self.engine.counts(self.id))

    # --- processes ------------------------------------------------------------------------

    @rule()
    def plan(self) -> None:
        self.do(self.engine.plan())
        self._follow({"sending", "failed"})

    @rule(outcomes=st.lists(st.tuples(OUTCOMES, OUTCOMES), min_size=3, max_size=3), some=SOME)
    def send(self, outcomes: list[Any], some: list[int]) -> None:
        for seq in some:
            if self.seen.state == "sending":
                self.do(self._work(seq, list(outcomes[seq])))
                self._follow({"finished"})

    @rule(outcomes=st.lists(st.tuples(OUTCOMES, OUTCOMES), min_size=3, max_size=3), some=SOME)
    def let_it_run(self, outcomes: list[Any], some: list[int]) -> None:
        """What most of them do most of the time: begin when due, and send."""
        self.clock.advance(timedelta(minutes=6))
        self.plan()
        self.send(outcomes, some)

    @rule()
    def recover(self) -> None:
        self.do(self.engine.recovery.tick())
        self._follow({"finished"})

    @precondition(lambda self: self.seen.state == "scheduled")
    @rule()
    def sleep_too_long(self) -> None:
        self.clock.advance(timedelta(hours=2))

    @rule(seconds=st.sampled_from([1, 20, 400, 400]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    async def _work(self, seq: int, outcomes: list[Any]) -> None:
        """What a worker does, without a platform: ask the gate, write outcomes, close, finish."""
        engine, now = self.engine, self.clock.now()
        verdict = await Gate(engine.store, self.clock, quiet_hours=None).ask(self.seen)
        assert (verdict.word == "go") == (self.seen.state == "sending")
        batches = await engine.ledger.claim(
            [f"{self.id}:{seq}"], owner="w", now=now, until=now + timedelta(seconds=5)
        )
        if not batches:
            return
        (batch,) = batches
        for chunk in list(batch.open.values()):
            states = outcomes[: len(chunk.positions)]
            people = [batch.people[place] for place in chunk.positions]
            await engine.ledger.intend(batch, chunk, now)
            deliveries = [
                Delivery(openid=openid, state=state, at=now)
                for openid, state in zip(people, states, strict=True)
            ]
            await engine.deliveries.record(batch.account, self.id, None, deliveries)
            await engine.ledger.close_chunk(batch, chunk, tally(states))
        await engine.ledger.finish(batch)
        await engine.closer.close_if_complete(self.id)

    # --- what must hold -------------------------------------------------------------------

    @invariant()
    def the_people_add_up(self) -> None:
        if self.seen is None:  # not made yet
            return
        counts = self.do(self.engine.counts(self.id))
        concluded = counts.sent + counts.failed + counts.skipped + counts.unknown
        assert concluded <= counts.audience <= PEOPLE
        if self.seen.state == "finished":
            assert concluded == counts.audience == PEOPLE
        if self.stopped_with is not None:
            assert counts.sent == self.stopped_with.sent

    @invariant()
    def what_is_sent_is_what_was_approved(self) -> None:
        if self.seen is None or self.seen.state in (*EDITABLE, "cancelled"):
            return
        content = self.do(self.engine.store.find_content(self.id))
        assert self.approved == self.seen.revision
        assert self._data(self.approved)["area"] in content.fields.values()

    # --- inside ---------------------------------------------------------------------------

    def _follow(self, allowed: set[str]) -> None:
        """Look at it again: it took one of the allowed steps, or none, and never left an end."""
        found = self._find()
        before = self.seen
        if found.state != before.state:
            assert found.state in allowed
            assert found.state in TRANSITIONS[before.state]
            assert before.state not in TERMINAL
        assert found.revision >= before.revision
        self.seen = found

    def _find(self) -> Broadcast:
        return self.do(self.engine.find(self.id))

    def _try(self, work: Any) -> bool:
        try:
            self.do(work)
        except (StateError, NotAllowed):
            return False
        return True

    @staticmethod
    def _data(revision: int) -> dict[str, str]:
        return DATA | {"area": f"第 {revision} 版的地点"}


@pytest.mark.hypothesis
async def test_a_broadcast_keeps_its_rules_in_any_order_of_what_happens(
    make_engine: MakeEngine,
):
    engine = await make_engine(batch_size=2, chunk_size=1)
    await engine.add_people([OpenId(f"o{number}") for number in range(PEOPLE)])

    def machine(do: Do[Any]) -> None:
        run_state_machine_as_test(
            lambda: BroadcastMachine(do, engine, engine.clock),
            settings=bounded(25, stateful_step_count=25),
        )

    await in_thread(machine)
