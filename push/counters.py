"""What a push process counts (发送计数), in Prometheus's words.

Plain numbers while sending, put into Prometheus's form when it asks: counting a send costs about a
microsecond.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from prometheus_client import REGISTRY
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from domain.delivery import SendFailed
from domain.ids import AccountId

SEND_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
WAIT_BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(slots=True)
class Spread:
    """Durations by size."""

    bounds: tuple[float, ...]
    sum: float = 0.0
    numbers: list[int] = field(default_factory=list)  # one more than bounds

    def __post_init__(self) -> None:
        self.numbers = [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        self.sum += seconds
        self.numbers[bisect_left(self.bounds, seconds)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """Return cumulative counts, as Prometheus has them."""
        found, total = [], 0
        for bound, number in zip([*map(str, self.bounds), "+Inf"], self.numbers, strict=True):
            total += number
            found.append((bound, float(total)))
        return found


@dataclass(slots=True)
class Sends:
    """One account's calls to the platform from this process."""

    in_flight: int = 0
    accepted: int = 0
    refused: Counter[int] = field(default_factory=Counter)  # by errcode
    unanswered: int = 0
    seconds: Spread = field(default_factory=lambda: Spread(SEND_BOUNDS))
    waits: Spread = field(default_factory=lambda: Spread(WAIT_BOUNDS))


class PushCounters(Collector):
    """The numbers of all accounts in this process."""

    def __init__(self) -> None:
        self._sends: dict[AccountId, Sends] = {}

    def of(self, account: AccountId) -> Sends:
        """Return one account's numbers."""
        found = self._sends.get(account)
        if found is None:
            found = self._sends[account] = Sends()
        return found

    def accounts(self) -> Mapping[AccountId, Sends]:
        """Return the numbers of every account that has sent something."""
        return self._sends

    def collect(self) -> Iterator[Metric]:
        """Put the numbers into Prometheus's form."""
        sends = CounterMetricFamily(
            "weizheng_push_sends", "Calls that sent, or may have", labels=["account", "outcome"]
        )
        errors = CounterMetricFamily(
            "weizheng_push_errors", "Refusals by WeChat's errcode", labels=["account", "errcode"]
        )
        in_flight = GaugeMetricFamily(
            "weizheng_push_in_flight", "Calls under way", labels=["account"]
        )
        seconds = HistogramMetricFamily(
            "weizheng_push_send_seconds", "From a call to its answer", labels=["account"]
        )
        waits = HistogramMetricFamily(
            "weizheng_push_limiter_wait_seconds", "For the account's turn", labels=["account"]
        )
        for account, numbers in self._sends.items():
            sends.add_metric([account, "accepted"], numbers.accepted)
            sends.add_metric([account, "refused"], numbers.refused.total())
            sends.add_metric([account, "unanswered"], numbers.unanswered)
            for errcode, times in numbers.refused.items():
                errors.add_metric([account, str(errcode)], times)
            in_flight.add_metric([account], numbers.in_flight)
            seconds.add_metric([account], numbers.seconds.buckets(), numbers.seconds.sum)
            waits.add_metric([account], numbers.waits.buckets(), numbers.waits.sum)
        yield from (sends, errors, in_flight, seconds, waits)


class SendDifferences:
    """What has been counted since the last time, under the names of `domain.figures`."""

    def __init__(self, counters: PushCounters) -> None:
        self._counters = counters
        self._before: dict[AccountId, Counter[str]] = {}
        self.take()

    def take(self) -> list[tuple[AccountId, str, int]]:
        """Return (account, name, number) of what has become more."""
        found = []
        for account, sends in self._counters.accounts().items():
            now = Counter({"sent": sends.accepted, "unanswered": sends.unanswered})
            now.update({f"e:{code}": times for code, times in sends.refused.items()})
            more = now - self._before.get(account, Counter())
            self._before[account] = now
            found += [(account, name, number) for name, number in more.items()]
        return found


COUNTERS = PushCounters()
REGISTRY.register(COUNTERS)


class sending:  # noqa: N801 - used as a verb: with sending(account)
    """Count the call to the platform that the block makes, and what came of it.

    An answer that never came is `unanswered`: the message may have been sent.
    """

    __slots__ = ("_begun", "_numbers")

    def __init__(self, account: AccountId) -> None:
        self._numbers = COUNTERS.of(account)

    def __enter__(self) -> None:
        self._numbers.in_flight += 1
        self._begun = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        numbers = self._numbers
        numbers.in_flight -= 1
        numbers.seconds.add(time.perf_counter() - self._begun)
        if error is None:
            numbers.accepted += 1
        elif isinstance(error, SendFailed) and error.failure != "unknown":
            numbers.refused[error.errcode] += 1
        else:
            numbers.unanswered += 1


@contextmanager
def waiting(account: AccountId) -> Iterator[None]:
    """Note how long the block waited for the limiter, whatever it answered."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        COUNTERS.of(account).waits.add(time.perf_counter() - begun)
