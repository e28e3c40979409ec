"""Water, power and gas interruptions (停水停电停气, domain.md 3.1): one model for all three."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from domain.ids import RegionCode
from domain.records import Source

Utility = Literal["water", "power", "gas"]
OutageKind = Literal["planned", "temporary", "fault", "rationing", "low_pressure"]
OutageStatus = Literal["announced", "changed", "in_progress", "delayed", "restored", "cancelled"]
PhaseMode = Literal["off", "low"]
# how sure it is that a place is hit: the whole area asked for, a place named in the notice,
# or only the same street
Match = Literal["area", "named", "street"]

UTILITY_NAMES: Mapping[Utility, str] = {"water": "停水", "power": "停电", "gas": "停气"}
# how long before it begins the public must know (提前公告); a fault is told as soon as possible
NOTICE_DUTIES: Mapping[tuple[Utility, OutageKind], timedelta] = {
    ("power", "planned"): timedelta(days=7),  # 供电监管办法
    ("power", "temporary"): timedelta(hours=24),
    ("water", "planned"): timedelta(hours=24),  # 供水条例
    ("water", "temporary"): timedelta(hours=24),
    ("gas", "planned"): timedelta(hours=48),  # 城镇燃气管理条例
    ("gas", "temporary"): timedelta(hours=48),
}
OVER: frozenset[OutageStatus] = frozenset({"restored", "cancelled"})
_STREET_ENDINGS = re.compile(r"(街道办事处|街道办|街道|办事处|镇|乡)$")


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of an interruption: off 23:00–04:00, then low pressure 04:00–11:00."""

    mode: PhaseMode
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Area:
    """A street of a region and what exactly in it: road section, compound, building, floors."""

    region: RegionCode
    street: str = ""
    detail: str = ""

    @property
    def text(self) -> str:
        return f"{self.street} {self.detail}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One interruption. A change is a new revision of it, never an edit."""

    id: str
    revision: int
    utility: Utility
    kind: OutageKind
    status: OutageStatus
    phases: tuple[Phase, ...]
    areas: tuple[Area, ...]
    reason: str
    announced_at: datetime
    planned_end: datetime
    actual_end: datetime | None = None
    line: str = ""  # power: line name; water: pipe; gas: valve area
    affected: int | None = None  # households
    substitute: str = ""  # temporary water points, emergency supply
    issuer: str
    hotline: str
    supersedes: str = ""

    @property
    def start(self) -> datetime:
        return min(phase.start for phase in self.phases)

    @property
    def missing_notice(self) -> timedelta:
        """Return by how much it was announced too late; zero if it was in time."""
        due = NOTICE_DUTIES.get((self.utility, self.kind), timedelta(0))
        missing = self.announced_at + due - self.start if due else due
        return max(missing, timedelta(0))

    def is_current(self, now: datetime) -> bool:
        """Whether it is going on now."""
        return self.status not in OVER and self.start <= now < self.end

    def is_relevant(self, now: datetime) -> bool:
        """Whether it is going on or still to come: a delayed one is late, not over."""
        return self.status not in OVER and (now < self.end or self.status == "delayed")

    def order(self, now: datetime) -> tuple[bool, datetime, str]:
        """Sort what is going on before what is to come, and sooner before later."""
        return (not self.is_current(now), self.start, self.id)

    @property
    def end(self) -> datetime:
        return self.actual_end or max(self.planned_end, *(phase.end for phase in self.phases))

    def match(self, region: RegionCode, place: str = "") -> Match | None:
        """Tell how this hits a region, or a street, compound or road in it."""
        below = region.rstrip("0") if region.endswith("00") else region
        areas = [area for area in self.areas if area.region.startswith(below)]
        if not areas:
            return None
        if not place:
            return "area"
        matches = {_match(area, place) for area in areas}
        return next((kind for kind in _SUREST_FIRST if kind in matches), None)


_SUREST_FIRST: tuple[Match, ...] = ("area", "named", "street")


def _match(area: Area, place: str) -> Match | None:
    if not area.street and not area.detail:
        return "area"  # the whole region is off
    street, wanted = normal_street(area.street), place.replace(" ", "")
    rest = wanted
    if street:
        for spelling in (area.street, street):
            if wanted.startswith(spelling):
                rest = wanted.removeprefix(spelling)
                break
    if rest and rest != wanted and rest in area.detail.replace(" ", ""):
        return "named"
    if wanted in area.detail.replace(" ", ""):
        return "named"
    if rest != wanted or normal_street(wanted) == street:
        return "area" if not area.detail else "street"
    return None


def normal_street(text: str) -> str:
    """Return a street's name without its kind: 园岭街道 → 园岭."""
    return _STREET_ENDINGS.sub("", text.replace(" ", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outages:
    """What is announced for one utility, as of a moment; `is_stale` while it cannot be renewed."""

    source: Source
    outages: tuple[Outage, ...]
    is_stale: bool = False

    def relevant(self, now: datetime) -> "Outages":
        """Leave out what is over, and every revision but the latest; what is on comes first."""
        latest = latest_revisions(self.outages)
        kept = sorted(
            (outage for outage in latest if outage.is_relevant(now)),
            key=lambda outage: outage.order(now),
        )
        return replace(self, outages=tuple(kept))

    def hitting(self, region: RegionCode, place: str = "") -> tuple[tuple[Outage, Match], ...]:
        """Return the interruptions that hit a place, with how sure that is."""
        found = ((outage, outage.match(region, place)) for outage in self.outages)
        return tuple((outage, match) for outage, match in found if match is not None)


def latest_revisions(outages: Iterable[Outage]) -> tuple[Outage, ...]:
    """Keep the newest revision of every outage, and none that another one supersedes."""
    newest: dict[str, Outage] = {}
    for outage in outages:
        known = newest.get(outage.id)
        if known is None or known.revision < outage.revision:
            newest[outage.id] = outage
    superseded = {outage.supersedes for outage in newest.values()}
    return tuple(outage for outage in newest.values() if outage.id not in superseded)
