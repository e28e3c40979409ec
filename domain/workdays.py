"""Working days (工作日) and counting in them (`domain.md` 12).

A working day is Monday to Friday, minus statutory rest days, plus the weekends worked instead
(调休). The State Council publishes next year's list in about November; until it is there, a
deadline must not be guessed: `CalendarMissing` says which year is missing. Where a guess is better
than nothing (a reminder that is looked at again each time), `Provisional` answers Monday to Friday
and tells that it did.

In counting, the day of the act is not counted and the last day ends at 24:00.
"""

from datetime import date, timedelta
from typing import Protocol

from domain.errors import ServiceError
from domain.sentence import Sentence

ONE_DAY = timedelta(days=1)


class CalendarMissing(ServiceError):
    """The list of rest days of a year is not there yet."""

    code = "calendar_missing"
    say = Sentence("放假安排尚未公布，暂时无法推算这个日期。")

    def __init__(self, year: int) -> None:
        super().__init__(
            f"calendar missing: the rest days of {year} are not known yet; when the State Council "
            "has published them, add them to config/workdays.toml or update chinesecalendar"
        )
        self.year = year


class Workdays(Protocol):
    """A calendar of rest days; the national one is `config.workdays`."""

    @property
    def version(self) -> str:
        """Return which table this is, to be kept with each deadline made from it."""
        ...

    def covers(self, year: int) -> bool:
        """Whether the year's list is known."""
        ...

    def is_workday(self, day: date) -> bool:
        """Whether offices work on this day. Raises `CalendarMissing`."""
        ...

    def is_holiday(self, day: date) -> bool:
        """Whether the year's list names it a rest day, its weekends included (法定休假日)."""
        ...


class Provisional:
    """A calendar that answers for any year: Monday to Friday where the list is missing (暂定)."""

    def __init__(self, calendar: Workdays) -> None:
        self._calendar = calendar

    @property
    def version(self) -> str:
        return self._calendar.version

    def covers(self, year: int) -> bool:
        return self._calendar.covers(year)

    def is_workday(self, day: date) -> bool:
        if self.covers(day.year):
            return self._calendar.is_workday(day)
        return day.weekday() < 5 and not self.is_holiday(day)

    def is_holiday(self, day: date) -> bool:
        if self.covers(day.year):
            return self._calendar.is_holiday(day)
        return (day.month, day.day) == (1, 1)  # the one rest day that never moves


def add_working_days(start: date, number: int, calendar: Workdays) -> date:
    """Return the last day of a limit of that many working days, counted from the day after."""
    if number < 0:
        raise ValueError(f"a limit cannot have {number} days")
    day = start
    while number:
        day += ONE_DAY
        number -= calendar.is_workday(day)
    return day


def add_natural_days(start: date, number: int, calendar: Workdays) -> date:
    """Return the last day of a limit in natural days; a rest day moves it on (民法典 203)."""
    return first_workday_from(start + number * ONE_DAY, calendar)


def first_workday_from(day: date, calendar: Workdays) -> date:
    """Return this day if it is worked, else the next that is."""
    while not calendar.is_workday(day):
        day += ONE_DAY
    return day
