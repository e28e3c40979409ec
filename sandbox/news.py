"""All departments' news desks: which feeds there are, and how tests and demos make news.

`POST /sandbox/departments/<name>/news {"verb": …}` does what the desk of that department knows:

    utilities   announce change restore cancel     interruptions, see `sandbox.feed_outages`
    traffic     violate                            a new record, see `sandbox.new_violations`
    social, medical, fund   book                   a new booking, see `sandbox.feed_bookings`
    weather     issue update cancel document lost  alerts, see `sandbox.feed_alerts`
    transit, prices, enterprise                    see `sandbox.feed_city`
    any         raw {"feed", "entry"}              publish exactly this, however wrong
                reset {"feed"}                     begin a new epoch: old marks are unknown
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.clock import Clock
from sandbox.feed_alerts import AlertOffice
from sandbox.feed_bookings import BookingDesk
from sandbox.feed_city import BusDesk, FuelDesk, PolicyDesk
from sandbox.feed_outages import OutageDesk
from sandbox.feeds import Feed, NewsRefused
from sandbox.new_violations import ViolationDesk

__all__ = ["News", "NewsRefused"]

Json = dict[str, Any]
Verb = Callable[[Json], Json]


class News:
    """The feeds by department and path, and the verbs by department."""

    def __init__(self, clock: Clock) -> None:
        self.outages = OutageDesk(clock)
        self.vehicles = ViolationDesk(clock)
        offices = {name: BookingDesk(name, clock) for name in ("social", "medical", "fund")}
        self.alerts = AlertOffice(clock)
        buses, fuel, policies = BusDesk(clock), FuelDesk(clock), PolicyDesk(clock)
        self._feeds: dict[tuple[str, str], Feed] = {
            ("utilities", "changes"): self.outages.feed,
            **{(name, "changes"): office.feed for name, office in offices.items()},
            ("weather", "alerts"): self.alerts.feed,
            ("transit", "detours"): buses.feed,
            ("prices", "fuel"): fuel.feed,
            ("enterprise", "policies"): policies.feed,
        }
        self._verbs: dict[str, Mapping[str, Verb]] = {
            "utilities": self.outages.verbs,
            "traffic": self.vehicles.verbs,
            **{name: office.verbs for name, office in offices.items()},
            "weather": self.alerts.verbs,
            "transit": buses.verbs,
            "prices": fuel.verbs,
            "enterprise": policies.verbs,
        }

    def find(self, department: str, path: str) -> Feed | None:
        """Return a department's feed."""
        return self._feeds.get((department, path))

    def make(self, department: str, content: Json) -> Json:
        """Do what the verb says and return what was published."""
        name = str(content.get("verb", ""))
        if name in ("raw", "reset"):
            return self._any(department, name, content)
        verb = self._verbs.get(department, {}).get(name)
        if verb is None:
            known = sorted({*self._verbs.get(department, {}), "raw", "reset"})
            raise NewsRefused(f"verb is one of {', '.join(known)}")
        return verb(content)

    def _any(self, department: str, verb: str, content: Json) -> Json:
        paths = [path for name, path in self._feeds if name == department]
        path = str(content.get("feed", paths[0] if paths else ""))
        feed = self.find(department, path)
        if feed is None:
            raise NewsRefused(f"feed is one of {', '.join(paths) or 'none'}")
        if verb == "reset":
            feed.reset()
            return {"feed": path}
        entry = content.get("entry")
        if not isinstance(entry, dict):
            raise NewsRefused("entry must be an object")
        feed.publish(entry)
        return entry
