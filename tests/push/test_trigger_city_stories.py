"""Any story of one detour or one decision about prices, dying anywhere, ends with the truth.

What stands around the triggers is in memory (`tests.support.stories`); `test_trigger_city` and
`test_trigger_fuel` run the real things.
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from config.workdays import national_calendar
from connectors.news_feed import NewsPage
from domain.city_news import Detour, FuelDecision, FuelPrice
from domain.clock import BEIJING
from push.triggers.detours import detour_trigger, note
from push.triggers.fuel import FuelTrigger, matter
from tests.support.stories import Told

OVER = ("restored", "cancelled")
STOPS = ("市民中心", "莲花村", "岗厦北")
WINDOW_DAY = date(2026, 11, 24)


class City(Told):
    """One piece of a city's news."""

    page = staticmethod(lambda found, **page: NewsPage(news=found, **page))


class DetourStory(City):
    """One detour, announced, changed back and forth, and ended."""

    @initialize(is_baseline=st.booleans(), days=st.integers(1, 9))
    def begin(self, is_baseline: bool, days: int) -> None:
        self.trigger = detour_trigger(self.feed, self.items)
        self.is_baseline = is_baseline
        if not is_baseline:
            self.run(None)  # the first look, at an empty feed
        now = self.voice.now
        self.publish(
            Detour(
                id="A",
                revision=1,
                status="announced",
                line="M392",
                direction="both",
                start=now,
                end=now + timedelta(days=days),
                review_at=None,
                reason="道路施工",
                path_before=(),
                path_after=(),
                stops_skipped=(STOPS[0],),
                stops_added=(),
                stops_moved=(),
                hours_changed="",
                regions=(),
                issuer="公交集团",
                hotline="",
                url=None,
            )
        )

    @rule(stop=st.sampled_from(STOPS), forgets=st.booleans())
    def change(self, stop: str, forgets: bool) -> None:
        revision = self.newest.revision + 1
        changed = replace(self.newest, revision=revision, status="changed", stops_skipped=(stop,))
        self.publish(changed, forgets=forgets)

    @rule(status=st.sampled_from(OVER), forgets=st.booleans())
    def end(self, status: Any, forgets: bool) -> None:
        ended = replace(self.newest, revision=self.newest.revision + 1, status=status)
        self.publish(ended, forgets=forgets)

    @rule(hours=st.integers(1, 40))
    def pass_time(self, hours: int) -> None:
        self.voice.now += timedelta(hours=hours)
        self.is_read = False

    @invariant()
    def nothing_outdated_is_still_going_out(self) -> None:
        is_over = self.newest.status in OVER if hasattr(self, "newest") else False
        for said in self.going_out if self.is_read else ():
            # what was over, and goes on in a time that has passed, is over
            assert (said.phase == "ended") == is_over or self.voice.now >= self.newest.end
            if said.phase != "ended":
                assert said.order.data["note"] == note(self.newest, "changed")

    @invariant()
    def what_goes_on_has_been_said(self) -> None:
        if not self.is_read or self.is_baseline or self.newest.status in OVER:
            return
        assert self.going_out or self.voice.now >= self.newest.end

    @invariant()
    def nobody_hears_of_a_change_or_an_end_first(self) -> None:
        heard = False
        for said in self.voice.said.values():
            assert said.phase == "announced" or heard or self.is_baseline
            heard = heard or said.is_heard


class FuelStory(City):
    """One window: a decision, corrected back and forth before and after five o'clock."""

    @initialize(hour=st.integers(8, 23))
    def begin(self, hour: int) -> None:
        self.trigger = FuelTrigger(self.feed, self.items, national_calendar())
        self.voice.now = self.at(hour)
        self.run(None)
        self.publish(
            FuelDecision(
                window_date=WINDOW_DAY,
                revision=1,
                decision="up",
                gasoline_per_ton=0,
                diesel_per_ton=0,
                prices=(FuelPrice(grade="92", old=700, new=710),),
                province="广东",
                zone="",
                effective_at=self.at(24),
                source="发展改革委",
            )
        )

    @staticmethod
    def at(hour: int) -> datetime:
        return datetime.combine(WINDOW_DAY, time(0), BEIJING) + timedelta(hours=hour)

    @rule(new=st.sampled_from([710, 720, 730]), forgets=st.booleans())
    def correct(self, new: int, forgets: bool) -> None:
        prices = (FuelPrice(grade="92", old=700, new=new),)
        revision = self.newest.revision + 1
        self.publish(replace(self.newest, revision=revision, prices=prices), forgets=forgets)

    @precondition(lambda self: self.voice.now < self.at(23))
    @rule()
    def pass_an_hour(self) -> None:
        self.voice.now += timedelta(hours=1)
        self.is_read = False

    @invariant()
    def one_window_is_one_push_and_it_is_not_cut_short(self) -> None:
        heard = [said for said in self.voice.said.values() if said.is_heard]
        assert len(heard) <= 1
        assert not any(said.is_stopped for said in heard)

    @invariant()
    def what_nobody_has_heard_yet_is_the_newest(self) -> None:
        if not self.is_read:
            return
        [said] = self.going_out
        assert said.is_heard or said.order.data["matter"] == matter(self.newest)


TestDetour = DetourStory.TestCase
TestFuel = FuelStory.TestCase
TestDetour.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestFuel.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@pytest.mark.parametrize("fuse", range(6))
def test_a_detour_that_is_what_it_was_after_a_death_is_said(fuse: int):
    story = DetourStory()
    story.begin(is_baseline=False, days=3)
    story.run(None)
    story.deliver()
    story.change(stop=STOPS[1], forgets=False)
    story.run(fuse)
    story.change(stop=STOPS[0], forgets=True)  # what it was at first
    story.run(None)
    story.nothing_outdated_is_still_going_out()
    story.what_goes_on_has_been_said()


@pytest.mark.parametrize("fuse", range(6))
def test_a_price_that_is_what_it_was_after_a_death_is_said_once(fuse: int):
    story = FuelStory()
    story.begin(hour=8)
    story.run(None)
    story.correct(new=720, forgets=False)
    story.run(fuse)
    story.correct(new=710, forgets=True)  # what it was at first
    story.run(None)
    story.what_nobody_has_heard_yet_is_the_newest()
