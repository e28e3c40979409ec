"""A circuit breaker (熔断): stop asking a system that is down, and try again a little later.

In-process on purpose: each process finds out by itself within a few questions, and no citizen
waits for a shared answer about somebody else's health.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from domain.clock import Clock
from domain.department_health import BreakerState


class BreakerOpen(Exception):
    """The system is being left alone for now."""


class Breaker:
    """Opens after `limit` failures in a row; after `rest` one probe may pass."""

    def __init__(
        self, clock: Clock, *, limit: int = 5, rest: timedelta = timedelta(seconds=15)
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._rest = rest
        self._failures = 0
        self._opened_at: datetime | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether it is shut off, be it with a probe under way."""
        return self._opened_at is not None

    @property
    def opened_at(self) -> datetime | None:
        """Since when it has been shut off, or tried again in vain."""
        return self._opened_at

    @property
    def state(self) -> BreakerState:
        """Return how it is, for people who look; a rest that is over lets the next one try."""
        if self._opened_at is None:
            return "closed"
        resting = self._clock.now() < self._opened_at + self._rest
        return "open" if resting and not self._probing else "probing"

    @contextmanager
    def attempt(self, *failures: type[Exception]) -> Iterator[None]:
        """Guard one call: an error of these types counts as a failure, other errors do not.

        Raises `BreakerOpen` instead of running it while the system rests. A call that was
        cancelled says nothing about the system, but gives the probe's place back.
        """
        probe = self._enter()
        try:
            yield
        except failures:
            self._failed()
            raise
        except Exception:
            self._worked()
            raise
        else:
            self._worked()
        finally:
            if probe:
                self._probing = False

    def _enter(self) -> bool:
        if self._opened_at is None:
            return False
        if self._probing or self._clock.now() < self._opened_at + self._rest:
            raise BreakerOpen
        self._probing = True
        return True

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= self._limit:
            self._opened_at = self._clock.now()

    def _worked(self) -> None:
        self._failures = 0
        self._opened_at = None
