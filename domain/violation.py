"""Traffic violations (交通违法, domain.md 2.4): derived state, due date and late fee."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from domain.masking import Plate
from domain.records import Source

ViolationState = Literal["unhandled", "unpaid", "paid", "revoked", "in_review"]
DAYS_TO_PAY = timedelta(days=15)  # Road Traffic Safety Law, art. 108
LATE_PER_CENT_A_DAY = 3  # art. 109, capped at the fine: Administrative Penalty Law, art. 72
POSSIBLE_POINTS = frozenset({0, 1, 3, 6, 9, 12})  # rules in force since 1 April 2022


def late_fee(fine: int, days_late: int) -> int:
    """Return the surcharge (加处罚款): 3 % of the fine a day, never more than the fine."""
    return min(fine, fine * LATE_PER_CENT_A_DAY * max(0, days_late) // 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One record of the cameras or of an officer. The points are possible ones: they are only
    booked when a driver has the record handled."""

    seq: str
    at: datetime
    place: str
    act_code: str
    act: str
    fine: int
    points: int
    agency: str  # decides where it is handled
    handled: bool
    paid: bool  # also when no fine is due
    is_revoked: bool = False
    is_in_review: bool = False
    decided_on: date | None = None
    paid_on: date | None = None
    measured: int | None = None  # km/h
    limit: int | None = None

    @property
    def state(self) -> ViolationState:
        """未处理 → 已处理未缴款 → 已缴款; 处罚撤销 and 复议中 stand above them."""
        if self.is_revoked:
            return "revoked"
        if self.is_in_review:
            return "in_review"
        if not self.handled:
            return "unhandled"
        return "paid" if self.paid else "unpaid"

    @property
    def is_open(self) -> bool:
        """Whether the citizen still has to do something."""
        return self.state in ("unhandled", "unpaid")

    @property
    def pay_by(self) -> date | None:
        """Return the last day to pay without surcharge; the day of the decision is not counted."""
        return self.decided_on + DAYS_TO_PAY if self.decided_on else None

    def late_fee(self, today: date) -> int:
        """Return what has been added by today; nothing is added during a review."""
        if self.state != "unpaid" or self.pay_by is None:
            return 0
        return late_fee(self.fine, (today - self.pay_by).days)

    def due(self, today: date) -> int:
        """Return what is to be paid for this record today: 0 unless it is open."""
        return self.fine + self.late_fee(today) if self.is_open else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Violations:
    """All records of one vehicle, newest first."""

    source: Source
    plate: Plate
    plate_type: str
    records: tuple[Violation, ...]

    @property
    def open_(self) -> tuple[Violation, ...]:
        """Return the records that still want something done."""
        return tuple(record for record in self.records if record.is_open)

    @property
    def possible_points(self) -> int:
        """Return the points that not yet handled records may bring."""
        return sum(record.points for record in self.records if record.state == "unhandled")

    def due(self, today: date) -> int:
        """Return all fines and surcharges that are open today."""
        return sum(record.due(today) for record in self.records)

    def counts(self) -> Mapping[ViolationState, int]:
        """Return how many records are in each state."""
        found: dict[ViolationState, int] = {}
        for record in self.records:
            found[record.state] = found.get(record.state, 0) + 1
        return found
