"""The one place that asks what time it is."""

from datetime import UTC, datetime, time
from typing import Protocol
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Where the time comes from; tests pass their own."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def in_beijing(moment: datetime) -> datetime:
    """Return the same instant as people in China read it."""
    return moment.astimezone(BEIJING)


def aware(moment: datetime) -> datetime:
    """Return the instant in UTC, refusing a naive one, which would be a guess."""
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone, for example +08:00")
    return moment.astimezone(UTC)


def parse_hours(text: str) -> tuple[time, time] | None:
    """Read `"22:00-07:00"` into two times; the empty text means none."""
    if not text.strip():
        return None
    start, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} is not HH:MM-HH:MM")
    hours = time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
    if any(hour.tzinfo for hour in hours):
        raise ValueError(f"{text!r} has a zone; the hours are Beijing time")
    return hours
