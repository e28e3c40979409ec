"""What happens in an account, counted by the minute (运行数据): numbers only, nobody's name.

A process counts in memory, where a count costs about a microsecond, and hands over what has
gathered every few seconds. Names of numbers:

    calls, failed      pushes of the platform answered, and those that we could not answer
    b0 … b13           of the calls, how long the answer took, by `BOUNDS`
    follow, unfollow   people who came and went
    q:{router}         questions to one service; what the platform reports by itself is none
    sent, delivered    messages the platform took, and those that reached a phone
    unanswered         sends of which the platform said nothing
    e:{errcode}        sends that the platform refused
    r:{status}         messages that did not arrive, by the status of their receipt
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from domain.clock import BEIJING, Clock, in_beijing
from domain.ids import AccountId

BOUNDS = (5, 10, 25, 50, 100, 200, 300, 500, 750, 1000, 2000, 3000, 4000)  # milliseconds
_SECONDS = tuple(bound / 1000 for bound in BOUNDS)
_NAMES = tuple(f"b{number}" for number in range(len(BOUNDS) + 1))
KEPT = 60  # minutes that wait for somebody to take them; older ones are forgotten

Counts = Mapping[str, int]
Gathered = dict[tuple[AccountId, int], Counter[str]]  # by account and minute


class Figures:
    """The numbers of one process that nobody has taken yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gathered: Gathered = {}

    def add(self, account: AccountId, name: str, number: int = 1) -> None:
        """Count something."""
        self._now(account)[name] += number

    def answered(self, account: AccountId, seconds: float) -> None:
        """Count a push of the platform and how long its answer took."""
        counts = self._now(account)
        counts["calls"] += 1
        counts[_NAMES[bisect_left(_SECONDS, seconds)]] += 1

    def take(self) -> Gathered:
        """Return what has gathered, and begin anew."""
        taken, self._gathered = self._gathered, {}
        return taken

    def give_back(self, gathered: Gathered) -> None:
        """Take back what could not be written, but for what is an hour old."""
        oldest = minute_of(self._clock.now()) - KEPT
        for key, counts in gathered.items():
            if key[1] >= oldest:
                self._gathered.setdefault(key, Counter()).update(counts)

    def _now(self, account: AccountId) -> Counter[str]:
        key = (account, minute_of(self._clock.now()))
        found = self._gathered.get(key)
        if found is None:
            found = self._gathered[key] = Counter()
        return found


def minute_of(moment: datetime) -> int:
    """Return the minutes since 1970."""
    return int(moment.timestamp()) // 60


def moment_of(minute: int) -> datetime:
    """Return the beginning of a minute."""
    return datetime.fromtimestamp(minute * 60, UTC)


def day_of(moment: datetime) -> datetime:
    """Return the beginning of the day in Beijing, in UTC."""
    local = in_beijing(moment)
    return datetime(local.year, local.month, local.day, tzinfo=BEIJING).astimezone(UTC)


def together(parts: Iterable[Counts]) -> Counter[str]:
    """Add numbers up."""
    total: Counter[str] = Counter()
    for counts in parts:
        total.update(counts)
    return total


def named(counts: Counts, prefix: str) -> dict[str, int]:
    """Return the numbers whose name begins so, without the beginning, the largest first."""
    found = {name[len(prefix) :]: n for name, n in counts.items() if name.startswith(prefix)}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def quantile(counts: Counts, share: float) -> float | None:
    """Return the milliseconds that this share of the answers stayed below, None without any.

    Between two bounds answers are taken to lie evenly; beyond the last bound, there.
    """
    numbers = [counts.get(name, 0) for name in _NAMES]
    wanted, seen, lower = share * sum(numbers), 0.0, 0.0
    if not wanted:
        return None
    for bound, number in zip(BOUNDS, numbers, strict=False):
        if number and seen + number >= wanted:
            return lower + (bound - lower) * (wanted - seen) / number
        seen += number
        lower = bound
    return float(BOUNDS[-1])


def net_follows(counts: Counts) -> int:
    """Return how many more people came than went."""
    return counts.get("follow", 0) - counts.get("unfollow", 0)


def days_until(last: datetime, number: int) -> list[datetime]:
    """Return the beginnings of the last `number` days, the day of `last` being the last."""
    end = day_of(last)
    return [end - timedelta(days=back) for back in reversed(range(number))]
