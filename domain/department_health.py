"""How a department's system is doing (委办局接口状况), counted by minute over all processes.

A connector is one door to a department: questions of citizens and the reading of its feeds are two
doors, because they have a breaker each. Nothing here knows who asked or what about.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from domain.sentence import Sentence

Lane = Literal["query", "feed"]
Trouble = Literal["timeout", "refused", "broken", "left_alone"]
BreakerState = Literal["closed", "open", "probing"]
# seconds: up to the three that a citizen's question may take, and the eight of a feed
BOUNDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
TROUBLES: dict[Trouble, str] = {
    "timeout": Sentence("没有按时回答，或连接失败"),
    "refused": Sentence("拒绝回答"),
    "broken": Sentence("回答与约定的格式不符"),
    "left_alone": Sentence("连续失败后暂停访问（熔断）"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """One door to a department."""

    key: str  # the department's name in the settings
    title: str
    lane: Lane = "query"

    @property
    def id(self) -> str:
        """How it is named where its numbers lie."""
        return f"{self.key}|{self.lane}|{self.title}"


@dataclass(slots=True)
class Tally:
    """What one connector did in one minute, or in several put together."""

    calls: int = 0  # questions that were really asked
    troubles: dict[Trouble, int] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, seconds: float, trouble: Trouble | None) -> None:
        """Count one question. One that the breaker stopped was not asked."""
        if trouble is not None:
            self.troubles[trouble] = self.troubles.get(trouble, 0) + 1
        if trouble != "left_alone":
            self.calls += 1
            self.numbers[bisect_left(BOUNDS, seconds)] += 1

    @property
    def errors(self) -> int:
        """How many questions that were asked got no usable answer."""
        return sum(number for kind, number in self.troubles.items() if kind != "left_alone")

    def quantile(self, share: float) -> float | None:
        """Return the seconds that this share of the answers stayed below, None without any.

        Between two bounds it is assumed that answers lie evenly; beyond the last bound, there.
        """
        total = sum(self.numbers)
        if not total:
            return None
        wanted, seen, lower = share * total, 0.0, 0.0
        for bound, number in zip(BOUNDS, self.numbers, strict=False):
            if number and seen + number >= wanted:
                return lower + (bound - lower) * (wanted - seen) / number
            seen += number
            lower = bound
        return BOUNDS[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfortune:
    """One error as people may read it: no question, no answer, no person."""

    at: datetime
    trouble: Trouble
    path: str  # of the department's interface
    reason: str = ""  # a word of the agreement, never the department's own text


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSeen:
    """A breaker as one process has it."""

    process: str
    state: BreakerState
    since: datetime | None = None


def together(tallies: Iterable[Tally]) -> Tally:
    """Put minutes together."""
    total = Tally()
    for tally in tallies:
        total.calls += tally.calls
        for kind, number in tally.troubles.items():
            total.troubles[kind] = total.troubles.get(kind, 0) + number
        total.numbers = [a + b for a, b in zip(total.numbers, tally.numbers, strict=True)]
    return total
