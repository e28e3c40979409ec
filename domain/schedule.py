"""When something is due: quiet hours (免打扰时段) and recurring times (cron, in Beijing time).

Only the five classical fields are read (minute hour day month weekday), with lists, ranges,
steps and English names; weekdays are 0–7 with Sunday at both ends. As in every cron, when both
the day and the weekday are restricted, either of them is enough. China has had no daylight
saving time since 1991, so a wall-clock time is one instant and never falls into a gap.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

from domain.clock import BEIJING, in_beijing

DIGEST_HOUR = time(8)  # when those who chose a daily digest get it
_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_WEEKDAY_NAMES = "sun mon tue wed thu fri sat"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
_WEEKDAYS = {name: number for number, name in enumerate(_WEEKDAY_NAMES.split())}
_HORIZON_DAYS = 366 * 8  # 29 February is at most eight years away


def quiet_until(now: datetime, hours: tuple[time, time] | None) -> datetime | None:
    """Return when the quiet hours end that `now` lies in, or None outside them."""
    if hours is None:
        return None
    start, end = hours
    local = in_beijing(now)
    clock = local.time()
    over_midnight = start > end
    inside = (clock >= start or clock < end) if over_midnight else start <= clock < end
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if over_midnight and clock >= start else 0)
    return datetime.combine(day, end, BEIJING).astimezone(UTC)


def open_at(
    now: datetime, quiet: tuple[time, time] | None, window: tuple[time, time] | None
) -> datetime | None:
    """Return when sending may go on that quiet hours or a send window hold now; None: at once.

    Outside its window (发送时段) a broadcast waits as it does in quiet hours. When the two leave
    no common moment, the answer is one at which to ask again.
    """
    shut = (window[1], window[0]) if window else None
    moment = now
    for _ in range(3):
        until = quiet_until(moment, quiet) or quiet_until(moment, shut)
        if until is None:
            break
        moment = until
    return moment if moment > now else None


def next_time_of_day(now: datetime, at: time) -> datetime:
    """Return the first instant after `now` when clocks in China show `at`."""
    local = in_beijing(now)
    today = datetime.combine(local.date(), at, BEIJING)
    return (today if today > local else today + timedelta(days=1)).astimezone(UTC)


def next_midnight(now: datetime) -> datetime:
    """Return when the platform's daily counters start again (00:00 in China)."""
    return next_time_of_day(now, time(0))


class Cron:
    """A recurring time. Raises `ValueError` with a sentence when the text cannot be used."""

    def __init__(self, text: str) -> None:
        parts = text.split()
        if len(parts) != 5:
            raise ValueError(
                f"cron needs five fields (minute hour day month weekday), not {len(parts)}"
            )
        self.text = " ".join(parts)
        self._minutes = sorted(_field(parts[0], "minute", 0, 59))
        self._hours = sorted(_field(parts[1], "hour", 0, 23))
        self._days = _field(parts[2], "day", 1, 31)
        self._months = _field(parts[3], "month", 1, 12, _MONTHS)
        self._weekdays = {day % 7 for day in _field(parts[4], "weekday", 0, 7, _WEEKDAYS)}
        self._either_day = not parts[2].startswith("*") and not parts[4].startswith("*")
        if next(self._days_from(date(2000, 1, 1)), None) is None:
            raise ValueError(f"cron {self.text!r} never happens: no month has that day")

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time strictly after `moment`, in UTC."""
        local = in_beijing(moment)
        for day in self._days_from(local.date()):
            today = day == local.date()
            for hour in self._hours:
                if today and hour < local.hour:
                    continue
                for minute in self._minutes:
                    found = datetime.combine(day, time(hour, minute), BEIJING)
                    if found > local:
                        return found.astimezone(UTC)
        raise ValueError(f"cron {self.text!r} does not happen again")

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Yield the times after `first`, up to and including `last`."""
        moment = self.next_after(first)
        while moment <= last:
            yield moment
            moment = self.next_after(moment)

    def _days_from(self, start: date) -> Iterator[date]:
        for offset in range(_HORIZON_DAYS):
            day = start + timedelta(days=offset)
            if day.month in self._months and self._is_on(day):
                yield day

    def _is_on(self, day: date) -> bool:
        by_day = day.day in self._days
        by_weekday = day.isoweekday() % 7 in self._weekdays
        return by_day or by_weekday if self._either_day else by_day and by_weekday


def _field(
    text: str, name: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        every = _number(step, name, 1, high) if slash else 1
        if span == "*":
            first, last = low, high
        elif "-" in span:
            left, _, right = span.partition("-")
            first = _number(left, name, low, high, names)
            last = _number(right, name, low, high, names)
            if first > last:
                raise ValueError(f"cron {name}: {span!r} runs backwards")
        else:
            first = _number(span, name, low, high, names)
            last = high if slash else first
        values.update(range(first, last + 1, every))
    return values


def _number(
    text: str, name: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> int:
    value = (names or {}).get(text.lower())
    if value is None:
        if not (text.isascii() and text.isdigit() and len(text) <= 2):
            raise ValueError(f"cron {name}: {text!r} is not a number from {low} to {high}")
        value = int(text)
    if not low <= value <= high:
        raise ValueError(f"cron {name}: {text!r} is not between {low} and {high}")
    return value
