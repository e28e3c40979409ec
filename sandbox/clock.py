"""The platform's clock, which tests and demos may move."""

from datetime import UTC, datetime, timedelta

from domain.clock import BEIJING, Clock, SystemClock


class WorldClock:
    """Runs with a base clock, shifted at will; `set` stops it at one instant until `resume`."""

    def __init__(self, base: Clock | None = None) -> None:
        self._base = base or SystemClock()
        self._shift = timedelta()
        self._stopped_at: datetime | None = None

    def now(self) -> datetime:
        """Return the present instant of this world, aware, in UTC."""
        if self._stopped_at is not None:
            return self._stopped_at
        return self._base.now() + self._shift

    def timestamp(self) -> int:
        """Return whole Unix seconds, as WeChat writes times."""
        return int(self.now().timestamp())

    def advance(self, seconds: float) -> None:
        """Jump ahead (or back, if negative)."""
        if self._stopped_at is not None:
            self._stopped_at += timedelta(seconds=seconds)
        else:
            self._shift += timedelta(seconds=seconds)

    def set(self, moment: datetime, *, running: bool = True) -> None:
        """Make it that instant; with `running=False` time then stands still."""
        moment = moment.astimezone(UTC)
        self._shift = moment - self._base.now()
        self._stopped_at = None if running else moment

    def resume(self) -> None:
        """Follow the base clock again, without any shift."""
        self._shift = timedelta()
        self._stopped_at = None


def day_number(timestamp: float) -> int:
    """Return a number that changes at midnight in China, where quotas begin anew."""
    return datetime.fromtimestamp(timestamp, BEIJING).toordinal()
