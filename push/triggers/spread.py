"""Spreading work over time: everything has its own place in the interval, and keeps it.

A thousand rows that all want a look once a day must not want it in the same second, not after a
restart either; so the place comes from a stable hash of the name.
"""

import hashlib
import random
from datetime import UTC, datetime, timedelta

FIRST_BACKOFF = timedelta(seconds=30)
LONGEST_BACKOFF = timedelta(minutes=15)
MOST_MISSED = 10  # looks that are left out, and at least
SHORTEST_LIMIT = timedelta(minutes=1)
JITTER = 0.1
MOST_JITTER = 5.0  # seconds
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def next_on_grid(name: str, every: timedelta, now: datetime) -> datetime:
    """Return the next time of a name: its own place in `every`, and a little chance."""
    length = every.total_seconds()
    digest = hashlib.sha256(name.encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64 * length
    passed = ((now - _EPOCH).total_seconds() - place) % length
    late = random.uniform(0, min(length * JITTER, MOST_JITTER))  # noqa: S311 nobody gains by guessing
    return now + timedelta(seconds=length - passed + late)


def backoff(failures: int, every: timedelta = LONGEST_BACKOFF) -> timedelta:
    """Return how long to leave a department alone after so many failures before this one.

    Who is usually asked `every` half a minute, because lives depend on it, is not left alone for
    a quarter of an hour.
    """
    longest = min(max(MOST_MISSED * every, SHORTEST_LIMIT), LONGEST_BACKOFF).total_seconds()
    wait = min(FIRST_BACKOFF.total_seconds() * 2 ** min(failures, 16), longest)
    return timedelta(seconds=wait * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
