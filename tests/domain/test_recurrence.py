"""Recurring times: cron, every working day, and days before the tax calendar's deadlines."""

from datetime import datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.tax_calendar import national_tax_calendar
from config.workdays import NationalCalendar, YearTable, national_calendar
from domain.clock import BEIJING, in_beijing
from domain.recurrence import first_time, parse_recurrence, times_between
from domain.schedule import open_at


def read(text: str):
    return parse_recurrence(text, national_calendar(), national_tax_calendar())


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def listed(text: str, first: str, last: str) -> list[str]:
    found = times_between(read(text), beijing(first), beijing(last))
    return [in_beijing(moment).strftime("%m-%d %H:%M") for moment in found]


def test_every_working_day_leaves_out_the_holiday_and_takes_the_weekends_worked_for_it():
    days = listed("@workdays 09:00", "2026-09-24 09:00", "2026-10-12 08:59")

    assert days == [
        "09-28 09:00", "09-29 09:00", "09-30 09:00", "10-08 09:00", "10-09 09:00", "10-10 09:00",
    ]  # fmt: skip


def test_days_before_each_tax_deadline_follow_the_official_calendar():
    found = listed("@tax D-5,D-2,D-0 09:00", "2026-09-30 00:00", "2026-11-30 00:00")

    assert found == [  # 26 October and 16 November
        "10-21 09:00", "10-24 09:00", "10-26 09:00", "11-11 09:00", "11-14 09:00", "11-16 09:00",
    ]  # fmt: skip


def test_another_deadline_of_the_tax_calendar_is_named():
    assert listed("@tax D-10,D-0 09:30 individual.settlement", "2026-01-01", "2027-01-01") == [
        "06-20 09:30",
        "06-30 09:30",
    ]
    assert len(listed("@tax D-0 09:00 quarterly", "2026-01-01", "2027-01-01")) == 4


def test_five_fields_are_still_cron():
    assert listed("0 12 * * *", "2026-11-24 12:00", "2026-11-26 12:00") == [
        "11-25 12:00",
        "11-26 12:00",
    ]


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("  @workdays   09:00 ", "@workdays 09:00"),
        ("@tax D-0,D-5,D-5 08:30", "@tax D-5,D-0 08:30"),
        ("@tax D-1 08:30 monthly", "@tax D-1 08:30"),
        ("0  9 * * 1-5", "0 9 * * 1-5"),
    ],
)
def test_a_recurring_time_has_one_spelling(text, spelt):
    assert read(text).text == spelt
    assert read(spelt).text == spelt


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("@workdays", "not a recurring time"),
        ("@workdays 9:00", "not a time of day"),
        ("@workdays 24:00", "not a time of day"),
        ("@holidays 09:00", "not a recurring time"),
        ("@tax D-5 09:00 lottery", "not in the tax calendar"),
        ("@tax D+5 09:00", "D-0 to D-30"),
        ("@tax D-31 09:00", "D-0 to D-30"),
        ("@tax D-5", "not a recurring time"),
        ("* * *", "five fields"),
        ("", "five fields"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(text, problem):
    with pytest.raises(ValueError, match=problem):
        read(text)


def test_times_of_a_year_without_calendar_are_provisional_and_move_when_it_arrives():
    before = read("@workdays 09:00")
    table = YearTable(
        year=2027,
        source="made up",
        rest=frozenset([beijing("2027-01-04").date()]),
        work=frozenset([beijing("2027-01-03").date()]),
    )
    after = parse_recurrence("@workdays 09:00", NationalCalendar([table]), national_tax_calendar())
    eve = beijing("2026-12-31 10:00")

    guess, known = before.next_after(eve), after.next_after(eve)

    assert in_beijing(guess).date().isoformat() == "2027-01-04"
    assert in_beijing(known).date().isoformat() == "2027-01-01"  # the table does not name it
    assert before.is_provisional(guess)
    assert not after.is_provisional(known)
    assert not before.is_provisional(eve)


def test_tax_times_of_a_year_without_notice_are_provisional():
    tax = read("@tax D-0 09:00")
    march = tax.next_after(beijing("2027-03-01"))

    assert tax.is_provisional(march)
    assert not tax.is_provisional(tax.next_after(beijing("2026-03-01")))


@given(
    st.sampled_from(
        [
            "*/7 3-5 * * *",
            "0 9 1,15 * 1",
            "@workdays 00:00",
            "@workdays 23:59",
            "@tax D-5,D-0 00:00",
        ]
    ),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001 - zones follow
)
def test_the_next_time_is_later_and_nothing_lies_between(text, moment):
    recurrence = read(text)
    moment = moment.replace(tzinfo=BEIJING)
    following = recurrence.next_after(moment)

    assert following > moment
    assert first_time(recurrence, following) == following
    middle = moment + (following - moment) / 2
    assert recurrence.next_after(middle) == following


@pytest.mark.parametrize(
    ("now", "quiet", "window", "opens"),
    [
        ("10:00", None, ("09:00", "18:00"), None),
        ("09:00", None, ("09:00", "18:00"), None),
        ("18:00", None, ("09:00", "18:00"), "25 09:00"),
        ("08:59", None, ("09:00", "18:00"), "24 09:00"),
        ("10:00", None, ("20:00", "02:00"), "24 20:00"),
        ("01:59", None, ("20:00", "02:00"), None),
        ("23:00", ("22:00", "07:00"), None, "25 07:00"),
        ("23:00", ("22:00", "07:00"), ("09:00", "18:00"), "25 09:00"),
        ("10:00", ("22:00", "12:00"), ("09:00", "18:00"), "24 12:00"),
        ("19:00", ("22:00", "12:00"), ("09:00", "18:00"), "25 12:00"),
    ],
)
def test_quiet_hours_and_a_window_together_say_when_sending_goes_on(now, quiet, window, opens):
    def hours(pair):
        return tuple(time.fromisoformat(text) for text in pair) if pair else None

    found = open_at(beijing(f"2026-11-24 {now}"), hours(quiet), hours(window))

    assert (in_beijing(found).strftime("%d %H:%M") if found else None) == opens
