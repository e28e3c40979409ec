"""The tax calendar's rule (征管法实施细则 109; `domain.md` 3.4): when a filing period ends.

For taxes filed within 15 days of a month's end the last day is the 15th, and:

(a) if the 15th is a rest day, the next working day;
(b) if the 1st to the 15th holds a run of three or more statutory rest days that ends before the
    15th, it moves on by as many working days as the run has days, counted from the 15th; this
    takes the place of (a).

The tax administration's annual notice wins over the rule (`config.tax_calendar`); the rule checks
the notice, and stands in for it until it is there.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from domain.workdays import ONE_DAY, Workdays, add_working_days, first_workday_from

BASE_DAY = 15
SHORTEST_RUN = 3  # of rest days, for the period to be prolonged


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxDeadline:
    """The last day for some taxes (申报纳税期限). `key` is stable, whatever day it falls on.

    `provisional`: made from the rule because the year's notice is not loaded, or from a year whose
    rest days are not published; it may move.
    """

    key: str  # "monthly:2026-10", "individual.settlement:2026"
    day: date
    title: str
    kinds: tuple[str, ...]  # tax kinds (税种), as in tax_calendar.toml
    provisional: bool
    source: str  # the notice, or the calendar the rule was worked out with
    opens: date | None = None  # when filing begins, where the calendar says so


def monthly_deadline(year: int, month: int, calendar: Workdays) -> date:
    """Return what the rule says for a month. Raises `CalendarMissing`."""
    base = date(year, month, BASE_DAY)
    longest = max(_runs(date(year, month, 1), base, calendar), default=0)
    if longest >= SHORTEST_RUN:
        return add_working_days(base, longest, calendar)
    return first_workday_from(base, calendar)


def reminder_day(deadline: date, days_before: int) -> date:
    """Return the day of a reminder D-n: natural days before the last day."""
    return deadline - timedelta(days=days_before)


def of_kinds(deadline: TaxDeadline, kinds: Collection[str]) -> bool:
    """Whether a deadline concerns somebody who chose these kinds; none chosen means all."""
    return not kinds or bool(set(deadline.kinds).intersection(kinds))


def _runs(first: date, last: date, calendar: Workdays) -> Iterator[int]:
    """Yield the lengths of the runs of rest days that end before `last`."""
    length = 0
    day = first
    while day <= last:
        if calendar.is_holiday(day):
            length += 1
        else:
            if length:
                yield length
            length = 0
        day += ONE_DAY
