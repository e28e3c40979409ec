"""The recurring times a broadcast may have (周期), read with the calendars of this installation."""

from collections.abc import Callable

from config.tax_calendar import national_tax_calendar
from config.workdays import national_calendar
from domain.recurrence import Recurrence, parse_recurrence

ReadRecurrence = Callable[[str], Recurrence]


def recurrence(text: str) -> Recurrence:
    """Read a broadcast's `cron`, or raise `ValueError` with a sentence."""
    return parse_recurrence(text, national_calendar(), national_tax_calendar())
