"""A clock that stands still until it is told to move."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # a Tuesday, 10:00 in Beijing


class FakeClock:
    """The `Clock` of tests."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, by: float | timedelta) -> datetime:
        """Move on by seconds or a timedelta, and return the new time."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._now

    def set(self, moment: datetime) -> None:
        """Jump to an instant, which needs its zone."""
        if moment.tzinfo is None:
            raise ValueError("a time needs its zone")
        self._now = moment.astimezone(UTC)
