"""What offices announce to everybody: bus detours, fuel prices, policies (`domain.md` 3.2, 3.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from domain.ids import RegionCode

Direction = Literal["up", "down", "both"]
DetourStatus = Literal["announced", "changed", "in_progress", "restored", "cancelled"]
Decision = Literal["up", "down", "hold"]
PolicyStatus = Literal["published", "withdrawn"]

DIRECTIONS: Mapping[Direction, str] = {"up": "上行", "down": "下行", "both": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedStop:
    """A stop at another place: `向西 100 米`."""

    old: str
    new: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """One revision of a bus detour (公交改道). No `end`: until the road is passable."""

    id: str
    revision: int
    status: DetourStatus
    line: str
    direction: Direction
    start: datetime
    end: datetime | None
    review_at: datetime | None  # when an open end is looked at again
    reason: str
    path_before: tuple[str, ...]
    path_after: tuple[str, ...]
    stops_skipped: tuple[str, ...]
    stops_added: tuple[str, ...]
    stops_moved: tuple[MovedStop, ...]
    hours_changed: str
    regions: tuple[RegionCode, ...]
    issuer: str
    hotline: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FuelPrice:
    """A ceiling price per litre in fen, before and after."""

    grade: str  # 92, 95, 98; 0, -10 (diesel)
    old: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FuelDecision:
    """One decision about fuel prices (油价调整): new ceilings from 24:00 of its day, or none."""

    window_date: date
    revision: int
    decision: Decision
    gasoline_per_ton: int  # yuan
    diesel_per_ton: int
    prices: tuple[FuelPrice, ...]
    province: str
    zone: str
    effective_at: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One revision of a policy for enterprises (惠企政策)."""

    id: str
    revision: int
    status: PolicyStatus
    title: str
    issuer: str
    published_at: datetime
    apply_until: datetime | None  # None: for good
    url: str | None
