"""Builders of what departments know, and fakes that stand for their connectors."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.departments import Departments
from domain.clock import BEIJING
from domain.masking import AccountNumber, IdentityNumber, PersonName, Plate
from domain.outage import Area, Outage, Outages, Phase
from domain.records import (
    Contribution,
    FundFlow,
    FundLoan,
    HousingFund,
    Insurance,
    MedicalAccount,
    MedicalFlow,
    MedicalInsurance,
    SocialInsurance,
    Source,
    months_before,
)
from domain.violation import Violation, Violations

AS_OF = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
YEAR = 2026


def at(text: str) -> datetime:
    """Return `06-03 08:00`, Beijing time of the tests' year, as an instant."""
    return datetime.strptime(f"{YEAR}-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=BEIJING)


def source(department: str = "样例局", hotline: str = "12345") -> Source:
    return Source(department=department, hotline=hotline, as_of=AS_OF)


def contribution(period: str, **more: Any) -> Contribution:
    facts: dict[str, Any] = {
        "kind": "110",
        "period": period,
        "pay_month": period,
        "base": 1_000_000,
        "paid_person": 80_000,
        "paid_unit": 160_000,
        "unit": "甲公司",
    }
    return Contribution(**(facts | more))


def social_insurance(*, missing: Sequence[str] = (), **more: Any) -> SocialInsurance:
    """Return an employee's record; `missing` are months without contribution."""
    periods = [p for p in months_before(date(2026, 11, 24), 24) if p not in missing]
    facts: dict[str, Any] = {
        "source": source("社保局", "12333"),
        "name": PersonName("张伟"),
        "insurances": (
            Insurance(
                kind="110",
                state="active",
                unit="甲公司",
                first_insured="202008",
                months_total=75,
                balance=6_336_045,
                balance_year=2025,
            ),
            Insurance(kind="310", state="active", unit="甲公司", months_total=75),
        ),
        "contributions": tuple(contribution(period) for period in periods),
    }
    return SocialInsurance(**(facts | more))


def medical_insurance(**more: Any) -> MedicalInsurance:
    facts: dict[str, Any] = {
        "source": source("医保局", "12393"),
        "name": PersonName("张伟"),
        "kind": "310",
        "state": "active",
        "person_type": "在职",
        "area": "440300",
        "area_name": "深圳市",
        "unit": "甲公司",
        "account": MedicalAccount(history=200_000, this_year=23_450),
        "flow": (
            MedicalFlow(
                on=date(2026, 11, 20),
                institution="市第二人民医院",
                kind="门诊",
                total=23_850,
                fund_paid=16_695,
                account_paid=7_155,
            ),
        ),
    }
    return MedicalInsurance(**(facts | more))


def housing_fund(**more: Any) -> HousingFund:
    facts: dict[str, Any] = {
        "source": source("公积金中心", "12329"),
        "name": PersonName("张伟"),
        "account": AccountNumber("200319900101001"),
        "state": "normal",
        "unit": "甲公司",
        "balance": 8_812_345,
        "opened": date(2019, 7, 15),
        "base": 1_200_000,
        "rate_unit": Decimal(5),
        "rate_person": Decimal(5),
        "monthly": 120_000,
        "paid_to": "202610",
        "flow": (
            FundFlow(on=date(2026, 11, 5), kind="汇缴", amount=120_000, balance_after=8_812_345),
        ),
    }
    return HousingFund(**(facts | more))


def fund_loan(**more: Any) -> FundLoan:
    facts: dict[str, Any] = {
        "contract": AccountNumber("GJD199001010088"),
        "principal": 60_000_000,
        "remaining": 48_235_017,
        "rate": Decimal("2.6"),
        "months": 360,
        "monthly": 240_207,
        "next_due": date(2026, 12, 20),
    }
    return FundLoan(**(facts | more))


def violation(**more: Any) -> Violation:
    facts: dict[str, Any] = {
        "seq": "4403000000000001",
        "at": at("11-20 08:15"),
        "place": "深南大道与上步路路口",
        "act_code": "1625",
        "act": "违反交通信号灯通行",
        "fine": 20_000,
        "points": 6,
        "agency": "福田大队",
        "handled": False,
        "paid": False,
    }
    return Violation(**(facts | more))


def outage(**more: Any) -> Outage:
    """Return water off in 园岭街道 tonight, then low pressure, unless told otherwise."""
    facts: dict[str, Any] = {
        "id": "W1",
        "revision": 1,
        "utility": "water",
        "kind": "planned",
        "status": "announced",
        "phases": (
            Phase("off", at("11-24 23:00"), at("11-25 04:00")),
            Phase("low", at("11-25 04:00"), at("11-25 11:00")),
        ),
        "areas": (Area("440304", "园岭街道", "百花二路"),),
        "reason": "管道接驳",
        "announced_at": at("11-22 10:00"),
        "issuer": "市水务集团",
        "hotline": "12345",
    }
    facts |= more
    facts.setdefault("planned_end", max(phase.end for phase in facts["phases"]))
    return Outage(**facts)


@dataclass
class _Fake:
    """What every fake can do: fail, or be slow until released."""

    error: Exception | None = None
    held: asyncio.Event | None = None
    asked: list[Any] = field(default_factory=list)

    async def _reached(self, *question: Any) -> None:
        self.asked.append(question)
        if self.held is not None:
            await asyncio.wait_for(self.held.wait(), 10)
        if self.error is not None:
            raise self.error


@dataclass
class FakePersonDepartment(_Fake):
    """The social, medical or fund department: one record for whoever asks."""

    answer: Any = None

    async def record(self, id_number: IdentityNumber, name: PersonName) -> Any:
        await self._reached(id_number.plain, name.plain)
        return self.answer


@dataclass
class FakeTraffic(_Fake):
    """The traffic police: records of any vehicle, after checking the digits if told to."""

    records: tuple[Violation, ...] = ()

    async def violations(self, plate: Plate, plate_type: str, digits: str) -> Violations:
        await self._reached(plate.plain, plate_type, digits)
        return Violations(
            source=source("交警支队", "12123"),
            plate=plate,
            plate_type=plate_type,
            records=self.records,
        )


@dataclass
class FakeUtilities(_Fake):
    """The companies: what is announced, filtered by utility; some may be away."""

    announced: list[Outage] = field(default_factory=list)
    away: dict[str, Exception] = field(default_factory=dict)
    is_stale: bool = False

    async def outages(self, utility: str, region: str) -> Outages:
        await self._reached(utility, region)
        if utility in self.away:
            raise self.away[utility]
        below = region.removesuffix("00")
        return Outages(
            source=source(f"{utility}公司", "12345"),
            outages=tuple(
                outage
                for outage in self.announced
                if outage.utility == utility
                and any(area.region.startswith(below) for area in outage.areas)
            ),
            is_stale=self.is_stale,
        )


@dataclass(frozen=True)
class FakeDepartments:
    """All departments, to be told what they know."""

    social: FakePersonDepartment = field(default_factory=FakePersonDepartment)
    medical: FakePersonDepartment = field(default_factory=FakePersonDepartment)
    fund: FakePersonDepartment = field(default_factory=FakePersonDepartment)
    traffic: FakeTraffic = field(default_factory=FakeTraffic)
    utilities: FakeUtilities = field(default_factory=FakeUtilities)

    def as_departments(self) -> Departments:
        """Return them in the place of the real ones."""
        return Departments(
            social=self.social,
            medical=self.medical,
            fund=self.fund,
            traffic=self.traffic,
            utilities=self.utilities,
        )


HOUR = timedelta(hours=1)
