"""Any story of one watched vehicle, dying anywhere, tells every new record once.

What stands around the trigger is in memory; `test_trigger_violations` runs the real things. A
record's fine is a power of two, so that the sum on a card tells which records it is about.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from domain.ids import OpenId
from domain.masking import Plate
from domain.people import Bindings, Vehicle
from domain.violation import Violation, Violations
from push.triggers.ports import Visit
from push.triggers.violations import ViolationTrigger
from storage.mongo.vehicle_watch import Pending, Watch
from tests.support.clock import START
from tests.support.departments import source, violation
from tests.support.stories import CITY, Fuse, Items, Mortal

MOST = 12
CAR = Vehicle(id="car", plate=Plate("粤B88888"), plate_type="02", digits="6666", bound_at=START)


class Row:
    """The watch of one vehicle, as `MongoVehicleWatch` keeps it."""

    def __init__(self, fuse: Fuse, now: datetime) -> None:
        self.fuse = fuse
        self.watch = Watch(vehicle="car", until=now, seen=None, pending=None, announced_on="")

    def vehicle_hash(self, plate: str, plate_type: str) -> str:
        return "car"

    def record_hash(self, seq: str) -> str:
        return f"#{seq}"

    async def claim(self, account: Any, *, now: datetime, until: datetime) -> Watch | None:
        if self.watch.until > now:
            return None
        self.fuse.burn()
        self.watch = replace(self.watch, until=until)
        return self.watch

    async def holders(self, account: Any, topic: Any, vehicle: str) -> list[OpenId]:
        return [OpenId("oA")]

    async def note(self, account: Any, watch: Watch, pending: Pending) -> bool:
        self.fuse.burn()
        self.watch = replace(self.watch, pending=pending)
        return True

    async def done(
        self,
        account: Any,
        watch: Watch,
        *,
        seen: Sequence[str],
        announced_on: str,
        next_at: datetime,
    ) -> None:
        self.fuse.burn()
        self.watch = replace(
            self.watch, seen=tuple(seen), pending=None, announced_on=announced_on, until=next_at
        )


class Around:
    """Who follows, what they bound, and what the police know."""

    def __init__(self) -> None:
        self.records: dict[int, Violation] = {}
        self.hidden: set[int] = set()

    async def upper_bound(self, account: Any, audience: Any) -> None:
        return None  # the sweep is none of this story

    async def bindings(self, account: Any, openid: Any) -> Bindings:
        return Bindings(vehicles=(CAR,))

    async def violations(self, plate: Plate, plate_type: str, digits: str) -> Violations:
        shown = (record for n, record in self.records.items() if n not in self.hidden)
        return Violations(
            source=source("交警支队", "12123"),
            plate=plate,
            plate_type=plate_type,
            records=tuple(shown),
        )


class Story(Mortal):
    """A vehicle with its baseline, and new records every now and then."""

    @initialize()
    def begin(self) -> None:
        self.around = Around()
        self.row = Row(self.fuse, self.voice.now)
        self.publish()
        self.run(None)
        self.old = set(self.around.records)

    def publish(self) -> None:
        number = len(self.around.records)
        self.around.records[number] = violation(seq=str(number), fine=100 * 2**number)

    @precondition(lambda self: len(self.around.records) < MOST)
    @rule()
    def a_new_record(self) -> None:
        self.publish()

    @rule(number=st.integers(1, MOST))
    def somebody_handles_it(self, number: int) -> None:
        if number in self.around.records:
            handled = replace(self.around.records[number], handled=True, paid=True)
            self.around.records[number] = handled

    @rule(numbers=st.sets(st.integers(0, MOST)))
    def the_answer_is_incomplete(self, numbers: set[int]) -> None:
        self.around.hidden = numbers

    @rule(hours=st.integers(1, 50))
    def pass_time(self, hours: int) -> None:
        self.voice.now += timedelta(hours=hours)

    def live(self) -> None:
        around, items = self.around, Items(self.fuse)
        trigger = ViolationTrigger(around, self.row, items, around, around)
        visit = Visit(
            account=CITY, now=self.voice.now, cursor=None, emit=self.voice, save=self.unused
        )
        asyncio.run(trigger.run(visit))

    async def unused(self, cursor: Any) -> None:
        raise AssertionError("the watch has no mark")

    @property
    def told(self) -> list[int]:
        """Return the numbers of all records on all cards."""
        sums = [int(order.data["fine"].removesuffix("元")) for order in self.voice.announced]
        return [n for fine in sums for n in range(MOST) if fine & 2**n]

    @invariant()
    def nothing_is_told_twice(self) -> None:
        assert len(self.told) == len(set(self.told))

    def teardown(self) -> None:
        """In the end everything that is still open was told."""
        if not hasattr(self, "old"):
            return
        self.around.hidden = set()
        for _ in range(3):
            self.run(None)
            self.pass_time(26)
        open_ = {n for n, record in self.around.records.items() if record.is_open}
        assert open_ - self.old <= set(self.told)


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@pytest.mark.parametrize("fuse", [2, 3])  # before the notice, and after it
def test_a_record_that_the_answer_after_a_death_lacks_is_told_once(fuse: int):
    story = Story()
    story.begin()
    story.pass_time(26)
    story.publish()
    story.run(fuse)
    story.the_answer_is_incomplete({1})
    story.pass_time(1)
    story.run(None)
    story.teardown()

    assert story.told == [1]
