"""When a broadcast will have reached everybody: pace, quiet hours, windows, the day's quota."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.forecast import FURTHEST, Road, forecast
from domain.schedule import open_at

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)  # 10:00 in Beijing
NIGHT = (time(22), time(7))


def _seconds(road: Road, people: int, *, ahead: int = 0, due: datetime = NOW) -> float | None:
    ends = forecast(people, ahead, road, now=NOW, due=due).ends
    return None if ends is None else (ends - NOW).total_seconds()


def test_the_pace_alone_decides_when_nothing_stands_in_the_way():
    assert _seconds(Road(per_second=100), 12_000) == 120


def test_who_was_ordered_before_goes_first():
    assert _seconds(Road(per_second=100), 1_000, ahead=5_000) == 60


def test_others_are_sent_to_while_it_waits_for_its_time():
    due = NOW + timedelta(minutes=1)

    assert _seconds(Road(per_second=100), 1_000, ahead=5_000, due=due) == 70


def test_what_is_not_done_by_night_goes_on_in_the_morning():
    road = Road(per_second=1, quiet=NIGHT)

    found = forecast(12 * 3600 + 60, 0, road, now=NOW, due=NOW)

    assert found.ends == NOW + timedelta(hours=21, minutes=1)  # 07:01
    assert (found.shut, found.over_days) == (True, False)


def test_a_broadcast_that_is_due_at_night_begins_in_the_morning():
    road = Road(per_second=100, quiet=NIGHT)

    found = forecast(10, 0, road, now=NOW, due=NOW + timedelta(hours=13))

    assert found.starts == NOW + timedelta(hours=21)
    assert found.shut


def test_its_own_window_shuts_it_too():
    road = Road(per_second=1, window=(time(9), time(11)))

    assert forecast(3600 + 1, 0, road, now=NOW, due=NOW).ends == NOW + timedelta(
        hours=23, seconds=1
    )


def test_what_the_day_does_not_take_goes_out_on_the_next():
    road = Road(per_second=100, left_today=500, per_day=1_000)

    found = forecast(1_200, 0, road, now=NOW, due=NOW)

    assert found.over_days
    assert found.ends == NOW + timedelta(hours=14, seconds=7)  # 700 after midnight


def test_nobody_says_when_it_takes_longer_than_two_months():
    assert _seconds(Road(per_second=100, left_today=1, per_day=1), 1_000) is None
    assert _seconds(Road(per_second=0.1), 10_000_000) is None


def test_nobody_is_reached_at_once():
    assert _seconds(Road(per_second=1), 0) == 0


@given(
    people=st.integers(0, 3_000_000),
    ahead=st.integers(0, 1_000_000),
    road=st.builds(
        Road,
        per_second=st.floats(0.5, 5_000),
        quiet=st.sampled_from([None, NIGHT, (time(1), time(2))]),
        window=st.sampled_from([None, (time(9), time(18)), (time(20), time(23))]),
        left_today=st.none() | st.integers(0, 200_000),
        per_day=st.none() | st.integers(0, 500_000),
    ),
    wait=st.integers(0, 3 * 86_400),
)
def test_it_never_ends_before_pace_and_hours_allow(people, ahead, road, wait):
    due = NOW + timedelta(seconds=wait)

    found = forecast(people, ahead, road, now=NOW, due=due)

    assert found.starts >= due
    assert open_at(found.starts, road.quiet, road.window) is None or road.window == (
        time(20),
        time(23),
    )
    if found.ends is not None:
        assert found.ends >= found.starts
        assert found.ends - NOW <= FURTHEST + timedelta(days=3)
        assert (found.ends - NOW).total_seconds() >= (people + ahead) / road.per_second - 1
