"""Asking the social-insurance agency (社保, domain.md 2.1). Field names are the core system's."""

from collections.abc import Mapping
from datetime import date
from typing import Literal, Protocol, Self

from pydantic import Field, model_validator

from connectors.http import Department, DepartmentClient, Refusal
from connectors.payload import Code, Fen, Frame, Payload, Period, Text
from domain.masking import IdentityNumber, PersonName
from domain.records import (
    YEARLY_KINDS,
    Benefit,
    Contribution,
    Insurance,
    InsuranceState,
    PayType,
    SocialInsurance,
)

DEPARTMENT = Department(key="social", title="社保经办机构", hotline="12333")

# the same digits mean different things: employee systems count 1–3, resident ones 0, 1, 2, 4
EMPLOYEE_STATES: Mapping[str, InsuranceState] = {"1": "active", "2": "suspended", "3": "ended"}
RESIDENT_STATES: Mapping[str, InsuranceState] = {
    "0": "not_insured",
    "1": "active",
    "2": "suspended",
    "4": "ended",
}
PAY_TYPES: Mapping[str, PayType] = {
    "正常缴费": "normal",
    "补缴": "back_payment",
    "退费": "refund",
}


class SocialInsuranceOffice(Protocol):
    """What the service asks the social-insurance agency."""

    async def record(self, id_number: IdentityNumber, name: PersonName) -> SocialInsurance | None:
        """Return a person's record, or None when there is none yet."""
        ...


class _Line(Payload):
    kind: Code = Field(alias="AAE140")
    status: Code = Field(alias="AAC008")
    unit: Text = Field("", alias="AAB004")
    first_insured: Period | None = Field(None, alias="AAC049")
    months_total: int = Field(0, ge=0, le=1200)
    base: Fen | None = Field(None, alias="AAE180")
    balance: Fen | None = Field(None, alias="account_balance")
    balance_year: int | None = None

    @model_validator(mode="after")
    def _status_is_agreed(self) -> Self:
        if self.status not in self._states:
            raise ValueError("AAC008 is not in the agreed vocabulary")
        return self

    @property
    def _states(self) -> Mapping[str, InsuranceState]:
        return RESIDENT_STATES if self.kind in YEARLY_KINDS else EMPLOYEE_STATES

    def to_domain(self) -> Insurance:
        return Insurance(
            kind=self.kind,
            state=self._states[self.status],
            unit=self.unit,
            first_insured=self.first_insured,
            months_total=self.months_total,
            base=self.base,
            balance=self.balance,
            balance_year=self.balance_year,
        )


class _Payment(Payload):
    kind: Code = Field(alias="AAE140")
    period: Period = Field(alias="AAE003")
    pay_month: Period = Field(alias="AAE002")
    pay_type: Literal["正常缴费", "补缴", "退费"] = Field(alias="AAA115")
    base: Fen = Field(alias="AAE180")
    paid_person: Fen = Field(alias="AAE082")
    paid_unit: Fen = Field(alias="AAE020")
    late_fee: Fen = Field(0, alias="AAE056")
    arrived: Literal["已到账", "未到账"] = Field(alias="AAB165")
    unit: Text = Field("", alias="AAB004")

    def to_domain(self) -> Contribution:
        return Contribution(
            kind=self.kind,
            period=self.period,
            pay_month=self.pay_month,
            pay_type=PAY_TYPES[self.pay_type],
            base=self.base,
            paid_person=self.paid_person,
            paid_unit=self.paid_unit,
            late_fee=self.late_fee,
            arrived=self.arrived == "已到账",
            unit=self.unit,
        )


class _Benefit(Payload):
    since: Period
    monthly: Fen
    certified_until: date | None = None


class _Record(Frame):
    id_number: str = Field(alias="AAC002")
    name: Text = Field(alias="AAC003")
    lines: tuple[_Line, ...] = Field(max_length=30)
    payments: tuple[_Payment, ...] = Field(max_length=5000)
    benefit: _Benefit | None = None
    transfer_with: Text = ""


class HttpSocialInsuranceOffice:
    """The agency's HTTP interface."""

    def __init__(self, client: DepartmentClient) -> None:
        self._client = client

    async def record(self, id_number: IdentityNumber, name: PersonName) -> SocialInsurance | None:
        """Return a person's record, or None when there is none yet."""
        question = {"AAC002": id_number.plain, "AAC003": name.plain}
        try:
            found = await self._client.query("/record", _Record, question)
        except Refusal as refusal:
            if refusal.reason == "no_data":
                return None
            raise
        if found.id_number != id_number.plain:
            raise self._client.broken("/record", "the answer is about somebody else")
        return SocialInsurance(
            source=found.source(DEPARTMENT.hotline),
            name=PersonName(found.name),
            insurances=tuple(line.to_domain() for line in found.lines),
            contributions=tuple(payment.to_domain() for payment in found.payments),
            benefit=Benefit(**dict(found.benefit)) if found.benefit else None,
            transfer_with=found.transfer_with,
        )
