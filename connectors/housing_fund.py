"""Asking the housing-fund centre (公积金, domain.md 2.3). Field names are the industry's."""

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from pydantic import Field

from connectors.http import Department, DepartmentClient, Refusal
from connectors.payload import Code, Fen, Frame, Payload, Period, Rate, Text
from domain.masking import AccountNumber, IdentityNumber, PersonName
from domain.records import FundFlow, FundLoan, FundState, HousingFund

DEPARTMENT = Department(key="fund", title="住房公积金管理中心", hotline="12329")

STATES: Mapping[str, FundState] = {  # grzhzt
    "01": "normal",
    "02": "sealed",
    "03": "merged",
    "04": "moved_out",
    "05": "withdrawn",
    "06": "frozen",
}


class HousingFundCentre(Protocol):
    """What the service asks the housing-fund centre."""

    async def record(self, id_number: IdentityNumber, name: PersonName) -> HousingFund | None:
        """Return a person's account, or None when there is none."""
        ...


class _Flow(Payload):
    on: date = Field(alias="date")
    kind: Text = Field(alias="type")
    amount: Fen
    balance_after: Fen


class _Loan(Payload):
    contract: str = Field(min_length=4, max_length=40)
    principal: Fen
    remaining: Fen
    rate: Rate
    months: int = Field(ge=1, le=480)
    monthly: Fen
    next_due: date | None = None
    overdue_periods: int = Field(0, ge=0)
    paid_by_withdrawal: bool = False


class _Record(Frame):
    id_number: str = Field(alias="zjhm")
    name: Text = Field(alias="xingming")
    account: str = Field(alias="grzh", min_length=4, max_length=20)
    unit: Text = Field("", alias="dwmc")
    status: Code = Field(alias="grzhzt")
    balance: Fen = Field(alias="grzhye")
    opened: date = Field(alias="khrq")
    base: Fen = Field(alias="grjcjs")
    rate_unit: Rate = Field(alias="dwjcbl")
    rate_person: Rate = Field(alias="grjcbl")
    monthly: Fen = Field(alias="yjce")
    paid_to: Period | None = Field(None, alias="jzny")
    freeze: Code = Field("0", alias="djbz")
    flow: tuple[_Flow, ...] = Field((), max_length=2000)
    loan: _Loan | None = None


class HttpHousingFundCentre:
    """The centre's HTTP interface."""

    def __init__(self, client: DepartmentClient) -> None:
        self._client = client

    async def record(self, id_number: IdentityNumber, name: PersonName) -> HousingFund | None:
        """Return a person's account, or None when there is none."""
        question = {"zjhm": id_number.plain, "xingming": name.plain}
        try:
            found = await self._client.query("/record", _Record, question)
        except Refusal as refusal:
            if refusal.reason == "no_data":
                return None
            raise
        if found.id_number != id_number.plain:
            raise self._client.broken("/record", "the answer is about somebody else")
        return _to_domain(found)


def _to_domain(found: _Record) -> HousingFund:
    flow = (FundFlow(**dict(line)) for line in found.flow)
    return HousingFund(
        source=found.source(DEPARTMENT.hotline),
        name=PersonName(found.name),
        account=AccountNumber(found.account),
        state=STATES.get(found.status, "other"),  # 99 其他 and whatever a centre adds
        unit=found.unit,
        balance=found.balance,
        opened=found.opened,
        base=found.base,
        rate_unit=found.rate_unit,
        rate_person=found.rate_person,
        monthly=found.monthly,
        paid_to=found.paid_to,
        is_frozen=found.freeze != "0" or found.status == "06",
        flow=tuple(sorted(flow, key=lambda line: line.on, reverse=True)),
        loan=_loan(found.loan) if found.loan else None,
    )


def _loan(found: _Loan) -> FundLoan:
    return FundLoan(
        contract=AccountNumber(found.contract),
        principal=found.principal,
        remaining=found.remaining,
        rate=found.rate,
        months=found.months,
        monthly=found.monthly,
        next_due=found.next_due,
        overdue_periods=found.overdue_periods,
        paid_by_withdrawal=found.paid_by_withdrawal,
    )
