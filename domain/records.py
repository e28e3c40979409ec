"""What departments keep about one person (查数据): social and medical insurance, housing fund.

Every record carries its `Source`, because every answer ends with who says so, as of when, and
whom to call. Money is fen; periods are the text YYYYMM. Violations and outages have modules of
their own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from domain.ids import RegionCode
from domain.masking import AccountNumber, PersonName


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Whose data it is, from when, and who answers the telephone (数据来源)."""

    department: str
    hotline: str
    as_of: datetime


# --- social insurance (社保, domain.md 2.1) -------------------------------------------------

# one vocabulary for all sources: employee systems say 1/2/3, resident and medical ones 0/1/2/4
InsuranceState = Literal["not_insured", "active", "suspended", "ended"]
PayType = Literal["normal", "back_payment", "refund"]

INSURANCE_KINDS: Mapping[str, str] = {
    "110": "职工养老保险",
    "120": "机关事业养老保险",
    "170": "居民养老保险",
    "210": "失业保险",
    "310": "职工医疗保险",
    "390": "居民医疗保险",
    "410": "工伤保险",
    "510": "生育保险",
}
YEARLY_KINDS = frozenset({"170", "390"})  # paid once a year: months have no meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Insurance:
    """One kind of insurance (险种) of one person, as it stands."""

    kind: str
    state: InsuranceState
    unit: str = ""  # the employer now
    first_insured: str | None = None
    months_total: int = 0
    base: int | None = None
    balance: int | None = None  # pension personal account, by the end of `balance_year`
    balance_year: int | None = None

    @property
    def title(self) -> str:
        """Return what people call the kind; a local supplement keeps its code."""
        return INSURANCE_KINDS.get(self.kind, f"险种{self.kind}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One payment (缴费) for one kind and period; a refund is negative."""

    kind: str
    period: str  # the month it belongs to 费款所属期
    pay_month: str  # the month it was booked
    pay_type: PayType = "normal"
    base: int
    paid_person: int
    paid_unit: int
    late_fee: int = 0
    arrived: bool = True
    unit: str = ""

    @property
    def total(self) -> int:
        return self.paid_person + self.paid_unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """A pension being paid (待遇): who has one owes no contributions any more."""

    since: str
    monthly: int
    certified_until: date | None = None  # 待遇资格认证


@dataclass(frozen=True, slots=True)
class Month:
    """One month of one kind: all its payments, of every employer."""

    period: str
    payments: tuple[Contribution, ...]

    @property
    def paid_person(self) -> int:
        return sum(payment.paid_person for payment in self.payments)

    @property
    def paid_unit(self) -> int:
        return sum(payment.paid_unit for payment in self.payments)

    @property
    def is_gap(self) -> bool:
        """Nothing was paid, or all of it was refunded."""
        return sum(payment.total for payment in self.payments) <= 0

    @property
    def is_pending(self) -> bool:
        """Paid, but the money has not reached the fund yet."""
        return any(not payment.arrived for payment in self.payments)

    @property
    def units(self) -> tuple[str, ...]:
        """Return the employers that paid, each once."""
        return tuple(dict.fromkeys(p.unit for p in self.payments if p.unit and p.total > 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SocialInsurance:
    """Everything the social-insurance agency knows about one person."""

    source: Source
    name: PersonName
    insurances: tuple[Insurance, ...]
    contributions: tuple[Contribution, ...] = field(default=(), repr=False)
    benefit: Benefit | None = None
    transfer_with: str = ""  # a city, while 转移接续 is under way

    def insurance(self, kind: str) -> Insurance | None:
        """Return the person's line for one kind."""
        return next((line for line in self.insurances if line.kind == kind), None)

    def months(self, kind: str, today: date, count: int = 12) -> tuple[Month, ...]:
        """Return the last `count` months before this one, newest first, gaps included.

        The present month is left out: it is booked at its end. A back-payment counts for the
        month it belongs to, whenever it was made.
        """
        return tuple(
            Month(
                period,
                tuple(c for c in self.contributions if c.kind == kind and c.period == period),
            )
            for period in months_before(today, count)
        )

    def gaps(self, kind: str, today: date, count: int = 12) -> tuple[str, ...]:
        """Return the months of the last `count` without contribution (断缴), oldest first.

        None before the first insured month, none once a pension is paid, none for kinds that
        are paid by the year or have ended.
        """
        line = self.insurance(kind)
        if line is None or kind in YEARLY_KINDS or line.state in ("not_insured", "ended"):
            return ()
        start = line.first_insured or ""
        end = self.benefit.since if self.benefit else "999999"
        return tuple(
            month.period
            for month in reversed(self.months(kind, today, count))
            if month.is_gap and start <= month.period < end
        )


def months_before(today: date, count: int) -> Iterator[str]:
    """Yield YYYYMM of the months before today's, newest first: 2026-01-05 → 202512, 202511 …"""
    index = today.year * 12 + today.month - 1
    for back in range(1, count + 1):
        year, month = divmod(index - back, 12)
        yield f"{year}{month + 1:02d}"


# --- medical insurance (医保, 2.2) ----------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MedicalAccount:
    """The personal account (个人账户): history and current year apart."""

    history: int
    this_year: int

    @property
    def balance(self) -> int:
        return self.history + self.this_year


@dataclass(frozen=True, slots=True, kw_only=True)
class MedicalFlow:
    """One visit, purchase or credit."""

    on: date
    institution: str
    kind: str  # 门诊 / 药店 / 住院 / 划入 / 计息
    total: int
    fund_paid: int = 0
    account_paid: int = 0
    cash_paid: int = 0
    balance_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfArea:
    """Leave to see doctors elsewhere (异地就医备案)."""

    kind: str
    city: str
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MedicalInsurance:
    """One person's medical insurance. `account` is None where there is no personal account."""

    source: Source
    name: PersonName
    kind: str
    state: InsuranceState
    person_type: str  # 在职 / 退休 / 居民
    area: RegionCode
    area_name: str
    unit: str = ""
    civil_servant: bool = False
    account: MedicalAccount | None = None
    flow: tuple[MedicalFlow, ...] = field(default=(), repr=False)
    deductible: int | None = None
    deductible_used: int | None = None
    ceiling: int | None = None
    ceiling_used: int | None = None
    chronic: tuple[str, ...] = field(default=(), repr=False)  # 门慢门特备案
    out_of_area: OutOfArea | None = None

    @property
    def title(self) -> str:
        return INSURANCE_KINDS.get(self.kind, f"险种{self.kind}")


# --- housing fund (公积金, 2.3) -------------------------------------------------------------

FundState = Literal["normal", "sealed", "merged", "moved_out", "withdrawn", "frozen", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FundFlow:
    """One booking; a withdrawal is negative."""

    on: date
    kind: str  # 汇缴 / 补缴 / 提取 / 转入 / 转出 / 结息 / 还贷
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundLoan:
    """A housing-fund loan (公积金贷款); `rate` is in per cent a year."""

    contract: AccountNumber
    principal: int
    remaining: int
    rate: Decimal
    months: int
    monthly: int
    next_due: date | None
    overdue_periods: int = 0
    paid_by_withdrawal: bool = False  # 冲还贷

    @property
    def is_overdue(self) -> bool:
        return self.overdue_periods > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HousingFund:
    """One housing-fund account (公积金账户)."""

    source: Source
    name: PersonName
    account: AccountNumber
    state: FundState
    unit: str
    balance: int
    opened: date
    base: int
    rate_unit: Decimal  # per cent
    rate_person: Decimal
    monthly: int
    paid_to: str | None  # 缴至年月
    is_frozen: bool = False
    flow: tuple[FundFlow, ...] = field(default=(), repr=False)
    loan: FundLoan | None = None
