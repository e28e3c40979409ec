"""Working days are counted as offices count them, and a missing year is never guessed."""

from datetime import date, timedelta

import pytest

from config.workdays import load_workdays
from domain.errors import ConfigError
from domain.workdays import (
    CalendarMissing,
    Provisional,
    add_natural_days,
    add_working_days,
    first_workday_from,
)

# domain.md 12
REST_2026 = [(1, 1, 3), (2, 15, 23), (4, 4, 6), (5, 1, 5), (6, 19, 21), (9, 25, 27), (10, 1, 7)]
WORKED_2026 = [(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)]


@pytest.fixture(scope="module")
def calendar():
    return load_workdays()


@pytest.mark.parametrize(
    ("start", "days", "last"),
    [  # domain.md 15
        ((2, 13), 5, (2, 27)),
        ((4, 3), 3, (4, 9)),
        ((4, 30), 15, (5, 25)),
        ((6, 18), 20, (7, 17)),
        ((9, 24), 5, (10, 9)),
        ((9, 30), 3, (10, 10)),
    ],
)
def test_a_limit_in_working_days_ends_where_the_vectors_say(calendar, start, days, last):
    assert add_working_days(date(2026, *start), days, calendar) == date(2026, *last)


def test_the_day_after_the_last_known_year_says_which_calendar_is_missing(calendar):
    with pytest.raises(CalendarMissing, match=r"calendar missing.*2027"):
        add_working_days(date(2026, 12, 31), 1, calendar)


def test_rest_days_and_working_weekends_of_2026_are_those_published(calendar):
    rest = {date(2026, month, day) for month, a, b in REST_2026 for day in range(a, b + 1)}
    worked = {date(2026, month, day) for month, day in WORKED_2026}
    year = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]

    assert {day for day in year if calendar.is_holiday(day)} == rest
    for day in year:
        expected = day in worked or (day.weekday() < 5 and day not in rest)
        assert calendar.is_workday(day) is expected, day


def test_a_limit_in_natural_days_that_ends_on_a_rest_day_ends_on_the_next_working_day(calendar):
    assert add_natural_days(date(2026, 9, 25), 10, calendar) == date(2026, 10, 8)
    assert first_workday_from(date(2026, 2, 14), calendar) == date(2026, 2, 14)


def test_a_negative_limit_is_refused(calendar):
    with pytest.raises(ValueError, match="-1"):
        add_working_days(date(2026, 3, 2), -1, calendar)


def test_the_provisional_calendar_answers_monday_to_friday_and_says_so(calendar):
    guess = Provisional(calendar)

    assert not guess.covers(2027)
    assert add_working_days(date(2026, 12, 31), 1, guess) == date(2027, 1, 4)
    assert guess.is_workday(date(2026, 10, 10))  # what is known is not guessed


def test_a_year_added_by_hand_takes_the_place_of_the_guess(tmp_path):
    file = tmp_path / "workdays.toml"
    file.write_text(
        '[[years]]\nyear = 2027\nsource = "made up"\nrest = ["01-01", "01-04"]\nwork = ["01-02"]\n'
    )

    calendar = load_workdays(file)

    assert calendar.is_workday(date(2027, 1, 2))
    assert not calendar.is_workday(date(2027, 1, 4))
    assert calendar.is_holiday(date(2027, 1, 4))
    assert add_working_days(date(2026, 12, 31), 2, calendar) == date(2027, 1, 5)
    assert "2027: made up" in calendar.version


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[years]]\nyear = 2027\nsource = "x"\nrest = ["02-30"]\n', "day is out of range"),
        ('[[years]]\nyear = 2027\nsource = "x"\nrest = ["soon"]\n', "soon"),
        ("years = 3", "years"),
        ("years = ", "cannot be read"),
    ],
)
def test_a_wrong_table_stops_the_process_with_the_name_of_the_file(tmp_path, text, problem):
    file = tmp_path / "workdays.toml"
    file.write_text(text)

    with pytest.raises(ConfigError, match=f"workdays.toml.*{problem}"):
        load_workdays(file)
