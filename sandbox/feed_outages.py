"""The companies' news desk: announce, change, restore and cancel interruptions.

`POST /sandbox/departments/utilities/news`:

    announce  {utility?, id?, region?, street?, detail?, kind?, reason?, in_hours?, hours?,
               low_hours?, status?, supersedes?}    off for `hours`, then low for `low_hours`
    change    {id, …the same}                        the next revision with what is named changed
    restore   {id}     cancel {id}

Each answers the revision it published; what was announced here also appears in `/outages`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from domain.clock import Clock, in_beijing
from sandbox.feeds import Feed, NewsRefused

Json = dict[str, Any]
COMPANIES: Mapping[str, Json] = {
    "water": {"issuer": "市水务集团（样例）", "hotline": "12345"},
    "power": {"issuer": "市供电局（样例）", "hotline": "95598"},
    "gas": {"issuer": "市燃气集团（样例）", "hotline": "12345"},
}
DEFAULTS: Json = {
    "utility": "water",
    "region": "440304",
    "street": "园岭街道",
    "detail": "",
    "kind": "planned",
    "reason": "管网检修",
    "in_hours": 24.0,
    "hours": 5.0,
    "low_hours": 0.0,
    "status": "announced",
    "supersedes": "",
}


class OutageDesk:
    """Every interruption by its id, in its newest revision, and the feed of all revisions."""

    def __init__(self, clock: Clock) -> None:
        self.feed = Feed()
        self._clock = clock
        self._told: dict[str, Json] = {}  # what was said of each, as asked for
        self._newest: dict[str, Json] = {}
        self.verbs: Mapping[str, Callable[[Json], Json]] = {
            "announce": self._announce,
            "change": self._change,
            "restore": self._restore,
            "cancel": self._cancel,
        }

    def revisions(self) -> list[Json]:
        """Return the newest revision of each."""
        return list(self._newest.values())

    def _announce(self, content: Json) -> Json:
        name = str(content.get("id") or f"S{len(self._told) + 1}")
        if name in self._told:
            raise NewsRefused(f"id {name} is announced already; change it")
        return self._publish(name, DEFAULTS | _known(content), 1, self._clock.now())

    def _change(self, content: Json) -> Json:
        before = self._find(content)
        known = {"status": "changed"} | _known(content)
        start = datetime.fromisoformat(before["phases"][0]["start"])
        announced = start - timedelta(hours=float(self._told[before["id"]]["in_hours"]))
        base = self._clock.now() if "in_hours" in known else announced
        told = self._told[before["id"]] | known
        return self._publish(before["id"], told, before["revision"] + 1, base)

    def _restore(self, content: Json) -> Json:
        now = in_beijing(self._clock.now()).isoformat()
        return self._end(content, "restored", {"actual_end": now})

    def _cancel(self, content: Json) -> Json:
        return self._end(content, "cancelled", {})

    def _end(self, content: Json, status: str, more: Json) -> Json:
        before = self._find(content)
        ended = before | {"status": status, "revision": before["revision"] + 1} | more
        return self._out(ended)

    def _find(self, content: Json) -> Json:
        name = str(content.get("id", ""))
        if name not in self._newest:
            raise NewsRefused(f"id is one of {', '.join(self._newest) or 'none yet'}")
        return self._newest[name]

    def _publish(self, name: str, told: Json, revision: int, base: datetime) -> Json:
        if told["utility"] not in COMPANIES:
            raise NewsRefused(f"utility is one of {', '.join(COMPANIES)}")
        self._told[name] = told
        start = in_beijing(base) + timedelta(hours=float(told["in_hours"]))
        off = start + timedelta(hours=float(told["hours"]))
        low = off + timedelta(hours=float(told["low_hours"]))
        phases = [{"mode": "off", "start": start.isoformat(), "end": off.isoformat()}]
        if low > off:
            phases.append({"mode": "low", "start": off.isoformat(), "end": low.isoformat()})
        area = {key: told[key] for key in ("region", "street", "detail")}
        return self._out(
            {
                "id": name,
                "revision": revision,
                "utility": told["utility"],
                "kind": told["kind"],
                "status": told["status"],
                "phases": phases,
                "areas": [area],
                "reason": told["reason"],
                "announced_at": in_beijing(self._clock.now()).isoformat(),
                "planned_end": low.isoformat(),
                "supersedes": told["supersedes"],
                **COMPANIES[told["utility"]],
            }
        )

    def _out(self, outage: Json) -> Json:
        self._newest[outage["id"]] = outage
        self.feed.publish(outage)
        return outage


def _known(content: Json) -> Json:
    wrong = sorted(set(content) - set(DEFAULTS) - {"verb", "id"})
    if wrong:
        raise NewsRefused(f"{', '.join(wrong)}: not known here; see sandbox/feed_outages.py")
    for name in ("in_hours", "hours", "low_hours"):
        if not isinstance(content.get(name, 0), int | float):
            raise NewsRefused(f"{name} must be a number")
    return {key: content[key] for key in DEFAULTS if key in content}
