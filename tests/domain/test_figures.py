"""Numbers by the minute: counted in memory, handed over, put together."""

import time
from datetime import timedelta

from domain.clock import SystemClock
from domain.figures import Figures, days_until, minute_of, named, quantile, together
from domain.ids import AccountId
from tests.support.clock import FakeClock

CITY = AccountId("city")


def test_what_is_taken_is_gone_and_what_is_given_back_is_added_to_what_came_since(clock):
    figures = Figures(clock)
    figures.add(CITY, "sent", 2)
    taken = figures.take()
    figures.add(CITY, "sent")

    figures.give_back(taken)

    assert figures.take() == {(CITY, minute_of(clock.now())): {"sent": 3}}
    assert figures.take() == {}


def test_what_nobody_takes_for_an_hour_is_forgotten(clock: FakeClock):
    figures = Figures(clock)
    figures.add(CITY, "sent")
    taken = figures.take()
    clock.advance(timedelta(minutes=61))

    figures.give_back(taken)

    assert figures.take() == {}


def test_the_time_that_most_answers_stay_below_lies_within_its_bounds(clock):
    figures = Figures(clock)
    for milliseconds in [3] * 90 + [40] * 8 + [9000] * 2:
        figures.answered(CITY, milliseconds / 1000)
    counts = together(figures.take().values())

    assert counts["calls"] == 100
    assert 25 < quantile(counts, 0.95) <= 50
    assert quantile(counts, 0.99) == 4000
    assert quantile({}, 0.95) is None


def test_names_with_a_beginning_are_listed_by_number(clock):
    counts = {"q:outage": 1, "q:fund": 3, "calls": 9}

    assert named(counts, "q:") == {"fund": 3, "outage": 1}


def test_days_begin_at_midnight_in_beijing(clock):
    days = days_until(clock.now(), 2)

    assert [day.hour for day in days] == [16, 16]
    assert days[1] - days[0] == timedelta(days=1)
    assert days[1] <= clock.now() < days[1] + timedelta(days=1)


def test_counting_an_answer_costs_microseconds():
    figures = Figures(SystemClock())
    begun = time.perf_counter()
    for _ in range(10_000):
        figures.answered(CITY, 0.012)

    assert (time.perf_counter() - begun) / 10_000 < 100e-6  # about 1.5 where nothing else runs
