"""The tax calendar: the notice wins, the rule agrees with it, and what is worked out says so."""

from datetime import date

import pytest

from config.tax_calendar import FILE, load_tax_calendar
from config.workdays import load_workdays
from domain.errors import ConfigError
from domain.tax_calendar import monthly_deadline, of_kinds, reminder_day
from domain.workdays import CalendarMissing, Provisional

OFFICIAL_2026 = [20, 24, 16, 20, 22, 15, 15, 17, 15, 26, 16, 15]  # domain.md 3.4


@pytest.fixture(scope="module")
def taxes():
    return load_tax_calendar()


@pytest.mark.parametrize(("month", "day"), list(enumerate(OFFICIAL_2026, 1)))
def test_the_rule_reproduces_every_month_of_the_official_calendar(month, day):
    assert monthly_deadline(2026, month, load_workdays()) == date(2026, month, day)


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [(2022, 5, 19), (2023, 4, 17), (2024, 10, 24), (2025, 2, 20), (2025, 5, 22)],
)
def test_the_rule_reproduces_months_of_earlier_years(year, month, day):
    assert monthly_deadline(year, month, load_workdays()) == date(year, month, day)


def test_the_file_holds_the_official_days_and_agrees_with_the_rule(taxes):
    monthly = [
        item
        for item in taxes.deadlines(date(2026, 1, 1), date(2026, 12, 31))
        if item.key.startswith("monthly:")
    ]

    assert [item.day.day for item in monthly] == OFFICIAL_2026
    assert not any(item.provisional for item in monthly)
    assert taxes.disagreements() == []


def test_a_notice_that_differs_from_the_rule_wins_and_is_reported(tmp_path):
    file = tmp_path / "tax_calendar.toml"
    file.write_text(FILE.read_text(encoding="utf-8").replace('"01-20"', '"01-23"'))

    changed = load_tax_calendar(file)

    assert changed.deadlines(date(2026, 1, 1), date(2026, 1, 31))[0].day == date(2026, 1, 23)
    assert changed.disagreements() == [(date(2026, 1, 23), date(2026, 1, 20))]


def test_a_year_without_notice_is_worked_out_and_marked_provisional(taxes):
    found = taxes.deadlines(date(2027, 3, 1), date(2027, 3, 31))

    assert [(item.key, item.provisional) for item in found] == [
        ("monthly:2027-03", True),
        ("business.settlement:2027", True),
    ]
    assert found[0].day == date(2027, 3, 15)
    with pytest.raises(CalendarMissing):
        monthly_deadline(2027, 3, load_workdays())
    assert monthly_deadline(2027, 3, Provisional(load_workdays())) == date(2027, 3, 15)


def test_yearly_settlements_move_off_a_rest_day(taxes):
    days = {
        item.key: item.day
        for item in taxes.deadlines(date(2026, 1, 1), date(2026, 12, 31))
        if "settlement" in item.key
    }

    assert days == {
        "business.settlement:2026": date(2026, 3, 31),
        "enterprise.settlement:2026": date(2026, 6, 1),  # 31 May is a Sunday
        "individual.settlement:2026": date(2026, 6, 30),
    }


def test_a_settlement_says_when_it_opens(taxes):
    (found,) = taxes.deadlines(date(2026, 6, 30), date(2026, 6, 30))

    assert (found.opens, found.day) == (date(2026, 3, 1), date(2026, 6, 30))


def test_quarterly_taxes_are_due_four_times_a_year_with_the_monthly_ones(taxes):
    found = [
        item
        for item in taxes.deadlines(date(2026, 1, 1), date(2026, 12, 31))
        if item.key.startswith("quarterly:")
    ]

    assert [item.day for item in found] == [
        date(2026, 1, 20),
        date(2026, 4, 20),
        date(2026, 7, 15),
        date(2026, 10, 26),
    ]
    assert of_kinds(found[0], {"enterprise"})
    assert not of_kinds(found[0], {"individual"})
    assert of_kinds(found[0], set())


def test_bounds_are_inclusive_and_reminders_are_natural_days_before(taxes):
    day = date(2026, 10, 26)

    assert [item.day for item in taxes.deadlines(day, day)] == [day, day]
    assert reminder_day(day, 5) == date(2026, 10, 21)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"02-24"', '"03-24"', "month 2"),
        ('kinds = ["business"]', 'kinds = ["bogus"]', "bogus"),
        ('last_day = "05-31"', 'last_day = "05-32"', "day"),
        ("[kinds]", "[kinds", "cannot be read"),
    ],
)
def test_a_wrong_entry_stops_the_process_with_the_name_of_the_file(tmp_path, old, new, problem):
    file = tmp_path / "tax_calendar.toml"
    file.write_text(FILE.read_text(encoding="utf-8").replace(old, new))

    with pytest.raises(ConfigError, match=f"(?s)tax_calendar.toml.*{problem}"):
        load_tax_calendar(file)
