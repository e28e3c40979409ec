"""Recurring times (周期): a cron line, every working day, or days before the tax calendar's.

Three spellings, all in Beijing time:

- `0 9 * * 1-5` — five cron fields (`domain.schedule.Cron`);
- `@workdays 09:00` — every Chinese working day, make-up weekends included (每个工作日);
- `@tax D-5,D-2,D-0 09:00` — that many natural days before each monthly tax deadline; a name after
  it chooses another one of the tax calendar: `@tax D-10,D-0 09:00 individual.settlement`.

Times of a year whose rest days or tax notice are not published are provisional: they are worked
out each time anew, and move when the table arrives.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from domain.clock import BEIJING, in_beijing
from domain.schedule import Cron
from domain.tax_calendar import TaxDeadline, reminder_day
from domain.workdays import ONE_DAY, Provisional, Workdays

LONGEST_REST = 60  # days; far more than any run of rest days
EARLIEST_REMINDER = 30  # days before a deadline
_ONE_TICK = timedelta(milliseconds=1)  # what the database tells apart
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_BEFORE = re.compile(r"D-(\d{1,2})")


class Recurrence(Protocol):
    """Times without end. `text` is its one spelling."""

    @property
    def text(self) -> str: ...

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time strictly after `moment`, in UTC."""
        ...

    def is_provisional(self, moment: datetime) -> bool:
        """Whether this time may still move."""
        ...


class TaxDates(Protocol):
    """The tax calendar (`config.tax_calendar`)."""

    @property
    def names(self) -> Collection[str]:
        """Return what can be chosen: "monthly", "individual.settlement"."""
        ...

    def deadlines(self, first: date, last: date) -> Sequence[TaxDeadline]:
        """Return the last days from `first` to `last`, both included, in order."""
        ...


class CronTimes:
    """Times of a cron line; they never move."""

    def __init__(self, text: str) -> None:
        self._cron = Cron(text)
        self.text = self._cron.text

    def next_after(self, moment: datetime) -> datetime:
        return self._cron.next_after(moment)

    def is_provisional(self, moment: datetime) -> bool:
        return False


class WorkdayTimes:
    """A time of day on every working day."""

    def __init__(self, at: time, calendar: Workdays) -> None:
        self.text = f"@workdays {at:%H:%M}"
        self._at = at
        self._calendar = Provisional(calendar)

    def next_after(self, moment: datetime) -> datetime:
        first = in_beijing(moment).date()
        for offset in range(LONGEST_REST):
            day = first + offset * ONE_DAY
            found = datetime.combine(day, self._at, BEIJING)
            if found > moment and self._calendar.is_workday(day):
                return found.astimezone(UTC)
        raise ValueError(f"the calendar has no working day within {LONGEST_REST} days of {first}")

    def is_provisional(self, moment: datetime) -> bool:
        return not self._calendar.covers(in_beijing(moment).year)


class TaxTimes:
    """A time of day on days before a tax deadline, and on the last day itself (D-0)."""

    def __init__(self, days: Collection[int], at: time, name: str, taxes: TaxDates) -> None:
        self._days = sorted(set(days), reverse=True)
        spelt = ",".join(f"D-{days}" for days in self._days)
        self.text = f"@tax {spelt} {at:%H:%M}" + ("" if name == "monthly" else f" {name}")
        self._at = at
        self._name = name
        self._taxes = taxes

    def next_after(self, moment: datetime) -> datetime:
        first = in_beijing(moment).date()
        for year in (0, 1, 2):
            start = first + timedelta(days=366 * year)
            found = [at for at, _ in self._times(start, start + timedelta(days=366)) if at > moment]
            if found:
                return min(found)
        raise ValueError(f"the tax calendar has no {self._name} deadline after {first}")

    def is_provisional(self, moment: datetime) -> bool:
        day = in_beijing(moment).date()
        return any(
            deadline.provisional
            for at, deadline in self._times(day, day + timedelta(days=EARLIEST_REMINDER))
            if at == moment
        )

    def _times(self, first: date, last: date) -> Iterator[tuple[datetime, TaxDeadline]]:
        for deadline in self._taxes.deadlines(first, last + timedelta(days=EARLIEST_REMINDER)):
            if deadline.key.startswith(f"{self._name}:"):
                for days in self._days:
                    day = reminder_day(deadline.day, days)
                    yield datetime.combine(day, self._at, BEIJING).astimezone(UTC), deadline


def parse_recurrence(text: str, workdays: Workdays, taxes: TaxDates) -> Recurrence:
    """Read one of the three spellings, or raise `ValueError` with a sentence."""
    words = text.split()
    if not text.lstrip().startswith("@"):
        return CronTimes(text)
    if words[0] == "@workdays" and len(words) == 2:
        return WorkdayTimes(_time(words[1]), workdays)
    if words[0] == "@tax" and len(words) in (3, 4):
        name = words[3] if len(words) == 4 else "monthly"
        if name not in taxes.names:
            known = ", ".join(sorted(taxes.names))
            raise ValueError(f"{name!r} is not in the tax calendar (known: {known})")
        return TaxTimes(_days_before(words[1]), _time(words[2]), name, taxes)
    raise ValueError(
        f"{text!r} is not a recurring time; write five cron fields, `@workdays 09:00` or "
        "`@tax D-5,D-2,D-0 09:00`"
    )


def first_time(recurrence: Recurrence, since: datetime) -> datetime:
    """Return the first time that is not before `since`."""
    return recurrence.next_after(since - _ONE_TICK)


def times_between(recurrence: Recurrence, first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the times after `first`, up to and including `last`."""
    moment = recurrence.next_after(first)
    while moment <= last:
        yield moment
        moment = recurrence.next_after(moment)


def _time(text: str) -> time:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time of day like 09:00")
    return time(int(match[1]), int(match[2]))


def _days_before(text: str) -> list[int]:
    days: list[int] = []
    for part in text.split(","):
        match = _BEFORE.fullmatch(part)
        if match is None or int(match[1]) > EARLIEST_REMINDER:
            raise ValueError(f"{part!r} is not D-0 to D-{EARLIEST_REMINDER}, as in D-5,D-2,D-0")
        days.append(int(match[1]))
    return days
