"""The report of a broadcast (发送报告): what became of its people, over time and by reason."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

from domain.delivery import Outcome

Fate = Literal["sent", "delivered", "failed", "skipped", "unknown"]
FATES: tuple[Fate, ...] = get_args(Fate)
MOST_REASONS = 40  # kept apart; the rest is one sum
MOST_OVER_TIME = 5  # of them minute by minute
OTHER = "other"


Why: TypeAlias = tuple[Outcome, int | None, str]  # state, the platform's code, our own reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What happened in one minute, or in several that are shown together."""

    at: datetime
    counts: Mapping[Fate, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingReport:
    """`is_final` says that it is counted from every outcome, not from a look while sending."""

    made_at: datetime
    minutes: Sequence[Minute] = ()
    reasons: Mapping[Why, int] = field(default_factory=dict)
    when: Mapping[Why, Mapping[int, int]] = field(default_factory=dict)  # the most frequent reasons
    channels: Mapping[str, int] = field(default_factory=dict)
    delivered: int = 0
    is_final: bool = False


def minute_of(moment: datetime) -> int:
    """Return the number of the minute, counted from 1970."""
    return int(moment.timestamp() // 60)


def at_minute(number: int) -> datetime:
    """Return when a minute begins."""
    return datetime.fromtimestamp(number * 60, UTC)


def steps(points: Mapping[int, Sequence[int]], fates: Sequence[Fate]) -> list[Minute]:
    """Turn sums that only grow, noted now and then, into what happened between two of them.

    After a batch is written off or begun anew a sum may be smaller; then nothing is counted.
    """
    made: list[Minute] = []
    before: Sequence[int] = [0] * len(fates)
    for number in sorted(points):
        sums = points[number]
        counts = {
            fate: max(0, now - then) for fate, now, then in zip(fates, sums, before, strict=True)
        }
        made.append(Minute(at=at_minute(number), counts=counts))
        before = sums
    return made


def gathered(minutes: Iterable[Minute], *, most: int = 120) -> list[Minute]:
    """Join minutes so that a plot has at most so many places, without gaps between them.

    A minute in which nothing happened is a place too: a pause must be seen.
    """
    numbers: dict[int, Counter[Fate]] = {}
    for minute in minutes:
        numbers.setdefault(minute_of(minute.at), Counter()).update(minute.counts)
    if not numbers:
        return []
    first, last = min(numbers), max(numbers)
    width = -(-(last - first + 1) // most)
    joined: dict[int, Counter[Fate]] = {place: Counter() for place in range(first, last + 1, width)}
    for number, counts in numbers.items():
        joined[first + (number - first) // width * width].update(counts)
    return [
        Minute(at=at_minute(place), counts={fate: counts[fate] for fate in FATES})
        for place, counts in joined.items()
    ]


def spread(
    series: Mapping[Why, Mapping[int, int]], *, most: int = 120
) -> tuple[list[datetime], dict[Why, list[int]]]:
    """Return the places of a plot of several reasons, and how many people each has there."""
    numbers = [number for counts in series.values() for number in counts]
    if not numbers:
        return [], {}
    first, last = min(numbers), max(numbers)
    width = -(-(last - first + 1) // most)
    places = list(range(first, last + 1, width))
    made = {reason: [0] * len(places) for reason in series}
    for reason, counts in series.items():
        for number, people in counts.items():
            made[reason][(number - first) // width] += people
    return [at_minute(place) for place in places], made
