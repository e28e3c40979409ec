"""What one process sees of its departments (接口观察): numbers by minute, last errors, breakers.

Counting a question costs some microseconds and never waits; somebody takes what has gathered
every few seconds. What nobody takes is bounded and forgotten, the oldest first.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.breaker import Breaker
from domain.clock import Clock
from domain.department_health import BreakerState, Connector, Misfortune, Tally, Trouble
from domain.ids import AccountId

MINUTES_KEPT = 10
ERRORS_KEPT = 20
LONGEST_PATH = 60

# (account, department) → what citizens are to read instead of an answer, None: ask
NoticeFor = Callable[[AccountId, str], str | None]


def no_notice(_account: AccountId, _department: str) -> str | None:
    """Return None: there is no maintenance."""
    return None


@dataclass(slots=True)
class Taken:
    """What has gathered since the last time."""

    tallies: dict[tuple[int, str], Tally] = field(default_factory=dict)  # (minute, connector)
    errors: list[tuple[str, Misfortune]] = field(default_factory=list)  # (connector, error)


class Watch:
    """The connectors of one process. `notice_for` says which departments are not to be asked."""

    def __init__(self, clock: Clock) -> None:
        self.notice_for: NoticeFor = no_notice
        self._clock = clock
        self._connectors: dict[str, tuple[Connector, Breaker, bool]] = {}
        self._tallies: dict[tuple[int, str], Tally] = {}
        self._errors: deque[tuple[str, Misfortune]] = deque(maxlen=ERRORS_KEPT)

    def know(self, connector: Connector, breaker: Breaker, *, is_set_up: bool) -> None:
        """Take note of a connector there is; `is_set_up`: the settings say where it answers."""
        self._connectors[connector.id] = (connector, breaker, is_set_up)

    @property
    def connectors(self) -> Mapping[Connector, bool]:
        """The connectors there are, and whether the settings say where each answers."""
        return {connector: is_set_up for connector, _, is_set_up in self._connectors.values()}

    def count(
        self,
        connector: Connector,
        seconds: float,
        trouble: Trouble | None = None,
        *,
        path: str = "",
        reason: str = "",
    ) -> None:
        """Count one question and what came of it."""
        now = self._clock.now()
        key = (minute_of(now), connector.id)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
            self._forget(key[0] - MINUTES_KEPT)
        tally.add(seconds, trouble)
        if trouble is not None and trouble != "left_alone":
            found = Misfortune(
                at=now, trouble=trouble, path=path.partition("?")[0][:LONGEST_PATH], reason=reason
            )
            self._errors.append((connector.id, found))

    def take(self) -> Taken:
        """Return what has gathered, and begin anew."""
        taken = Taken(self._tallies, list(self._errors))
        self._tallies = {}
        self._errors.clear()
        return taken

    def give_back(self, taken: Taken) -> None:
        """Take back what could not be written, unless it has become too much."""
        for key, tally in taken.tallies.items():
            self._tallies.setdefault(key, tally)
        self._forget(minute_of(self._clock.now()) - MINUTES_KEPT)
        self._errors.extendleft(reversed(taken.errors))

    def breakers(self) -> dict[str, tuple[BreakerState, datetime | None]]:
        """Return the breakers that are not closed, by connector."""
        return {
            name: (breaker.state, breaker.opened_at)
            for name, (_, breaker, _) in self._connectors.items()
            if breaker.state != "closed"
        }

    def _forget(self, before: int) -> None:
        for key in [key for key in self._tallies if key[0] < before]:
            del self._tallies[key]


def minute_of(moment: datetime) -> int:
    """Return the minutes since 1970."""
    return int(moment.timestamp() // 60)
