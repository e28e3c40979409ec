"""Any story of one interruption, with the process dying anywhere in it, ends with the truth.

Feed, items and the way out are stand-ins in memory, so that hypothesis can live through hundreds
of stories; `test_trigger_outages` runs the real ones.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from connectors.outage_feed import OutagePage
from domain.outage import OVER, Outage, Phase
from push.triggers.outages import OutageTrigger
from tests.support.departments import outage
from tests.support.stories import Said, Told


class Story(Told):
    """One interruption in the feed, and everything that may happen to it and to us."""

    page = staticmethod(lambda found, **page: OutagePage(outages=found, **page))

    @initialize(is_baseline=st.booleans(), start=st.integers(1, 60))
    def begin(self, is_baseline: bool, start: int) -> None:
        self.trigger = OutageTrigger(self.feed, self.items, pages=50)
        self.is_baseline = is_baseline
        self.replaced: Outage | None = None
        if not is_baseline:
            self.run(None)
        self.publish(self.timed(outage(id="A", revision=1, supersedes=""), start, 5))

    def timed(self, one: Outage, start: int, hours: int) -> Outage:
        begins = self.voice.now + timedelta(hours=start)
        ends = begins + timedelta(hours=hours)
        return replace(one, phases=(Phase("off", begins, ends),), planned_end=ends)

    @property
    def next(self) -> Outage:
        return replace(self.newest, revision=self.newest.revision + 1, actual_end=None)

    @rule(
        start=st.one_of(st.integers(-2, 60), st.integers(0, 1)),
        hours=st.one_of(st.integers(1, 9), st.just(5)),
        forgets=st.booleans(),
    )
    def move(self, start: int, hours: int, forgets: bool) -> None:
        moved = self.timed(replace(self.next, status="changed"), start, hours)
        self.publish(moved, forgets=forgets)

    @precondition(lambda self: self.newest.status not in OVER)
    @rule(reason=st.sampled_from(["阀门更换", "水表更换"]))
    def revise_the_text(self, reason: str) -> None:
        self.publish(replace(self.next, reason=reason))

    @rule(status=st.sampled_from(["restored", "cancelled"]))
    def end(self, status: Any) -> None:
        ended = replace(self.next, status=status)
        if status == "restored":
            ended = replace(ended, actual_end=max(self.voice.now, ended.start))
        self.publish(ended)

    @precondition(lambda self: self.replaced is None)
    @rule(start=st.integers(1, 30), is_same=st.booleans())
    def take_its_place(self, start: int, is_same: bool) -> None:
        """Another interruption supersedes it."""
        self.replaced = self.newest
        other = replace(self.newest, id="B", revision=1, supersedes="A")
        other = replace(other, status="announced", actual_end=None)
        self.publish(other if is_same else self.timed(other, start, 5))

    @precondition(lambda self: self.replaced is not None)
    @rule(status=st.sampled_from(["restored", "cancelled"]))
    def close_what_was_replaced(self, status: Any) -> None:
        revision = self.replaced.revision + 1
        self.replaced = replace(self.replaced, revision=revision, status=status)
        self.feed.entries.append(self.replaced)
        self.is_read = False

    @rule()
    def come_near(self) -> None:
        """Jump to eleven hours before it starts: the reminder is due."""
        self.deliver()
        self.voice.now = max(self.voice.now, self.newest.start - timedelta(hours=11))
        self.is_read = False

    @rule(hours=st.integers(1, 15))
    def pass_time(self, hours: int) -> None:
        self.voice.now += timedelta(hours=hours)
        self.is_read = False

    # --- what always holds ----------------------------------------------------------------

    @invariant()
    def nothing_outdated_is_still_going_out(self) -> None:
        if not self.is_read:
            return
        for said in self.going_out:
            if self.newest.status in OVER:
                assert said.phase in ("restored", "cancelled")
            elif said.phase in ("restored", "cancelled"):  # true of a time that has passed
                assert self.voice.now >= self.newest.end
            else:
                assert said.order.data["start"] == self.newest.start.isoformat()
                assert said.order.data["end"] == self.newest.end.isoformat()

    @invariant()
    def what_is_to_come_has_been_said(self) -> None:
        if not self.is_read or self.is_baseline:
            return
        if self.newest.status not in OVER and self.voice.now < self.newest.end:
            assert self.going_out

    @invariant()
    def nobody_is_reminded_twice_of_one_time(self) -> None:
        reminders = [
            said.order.data["start"]
            for said in self.voice.said.values()
            if said.phase == "soon" and said.is_heard
        ]
        assert len(reminders) == len(set(reminders))


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)


def told_of_the_way_back(there: Callable[[Story], None]) -> list[Said]:
    """Live a story whose word of the way there is said, and its run dies before it is noted."""
    story = Story()
    story.begin(is_baseline=False, start=1)
    story.run(None)
    story.deliver()
    there(story)
    story.die_just_after_speaking()
    story.move(start=1, hours=5, forgets=True)  # what it was at first
    story.run(None)
    story.nothing_outdated_is_still_going_out()
    return list(story.voice.said.values())


@pytest.mark.parametrize("hours", [2, 30])
def test_back_to_the_first_time_after_a_crash_is_news(hours: int):
    said = told_of_the_way_back(lambda story: story.move(start=hours, hours=5, forgets=False))

    assert [(one.phase, one.is_stopped) for one in said] == [
        ("announced", True),
        ("changed", True),
        ("changed", False),
    ]


def test_taken_up_again_after_a_crash_is_news():
    said = told_of_the_way_back(lambda story: story.end(status="restored"))

    assert [(one.phase, one.is_stopped) for one in said][-1] == ("changed", False)
    assert all(one.is_stopped for one in said[:-1])
