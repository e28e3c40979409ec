"""Asking the medical-insurance bureau (医保, domain.md 2.2). Field names are the national ones."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field

from connectors.http import Department, DepartmentClient, Refusal
from connectors.payload import Code, Fen, Frame, Payload, Text
from domain.ids import RegionCode
from domain.masking import IdentityNumber, PersonName
from domain.records import (
    InsuranceState,
    MedicalAccount,
    MedicalFlow,
    MedicalInsurance,
    OutOfArea,
)

DEPARTMENT = Department(key="medical", title="医疗保障局", hotline="12393")

STATES: Mapping[str, InsuranceState] = {  # psn_insu_stas
    "0": "not_insured",
    "1": "active",
    "2": "suspended",
    "4": "ended",
}


def _agreed(status: str) -> str:
    if status not in STATES:
        raise ValueError("is not in the agreed vocabulary")
    return status


class MedicalInsuranceBureau(Protocol):
    """What the service asks the medical-insurance bureau."""

    async def record(self, id_number: IdentityNumber, name: PersonName) -> MedicalInsurance | None:
        """Return a person's insurance, or None when there is none."""
        ...


class _Account(Payload):
    history: Fen = Field(alias="balc_hist")
    this_year: Fen = Field(alias="balc_year")


class _Flow(Payload):
    on: date = Field(alias="date")
    institution: Text
    kind: Text = Field(alias="type")
    total: Fen
    fund_paid: Fen = 0
    account_paid: Fen = 0
    cash_paid: Fen = 0
    balance_after: Fen | None = None


class _OutOfArea(Payload):
    kind: Text = Field(alias="type")
    city: Text
    valid_from: date
    valid_to: date | None = None


class _Record(Frame):
    id_number: str = Field(alias="certno")
    name: Text = Field(alias="psn_name")
    kind: Code = Field(alias="insutype")
    status: Annotated[Code, AfterValidator(_agreed)] = Field(alias="psn_insu_stas")
    person_type: Text = Field(alias="psn_type")
    area: str = Field(alias="insuplc_admdvs", pattern=r"^\d{6}$")
    area_name: Text = ""
    unit: Text = Field("", alias="emp_name")
    civil_servant: bool = Field(False, alias="cvlserv_flag")
    account: _Account | None = None
    flow: tuple[_Flow, ...] = Field((), max_length=1000)
    deductible: Fen | None = None
    deductible_used: Fen | None = None
    ceiling: Fen | None = None
    ceiling_used: Fen | None = None
    chronic: tuple[Text, ...] = Field((), max_length=20)
    out_of_area: _OutOfArea | None = None


class HttpMedicalInsuranceBureau:
    """The bureau's HTTP interface."""

    def __init__(self, client: DepartmentClient) -> None:
        self._client = client

    async def record(self, id_number: IdentityNumber, name: PersonName) -> MedicalInsurance | None:
        """Return a person's insurance, or None when there is none."""
        question = {"certno": id_number.plain, "psn_name": name.plain}
        try:
            found = await self._client.query("/record", _Record, question)
        except Refusal as refusal:
            if refusal.reason == "no_data":
                return None
            raise
        if found.id_number != id_number.plain:
            raise self._client.broken("/record", "the answer is about somebody else")
        return _to_domain(found)


def _to_domain(found: _Record) -> MedicalInsurance:
    flow = (MedicalFlow(**dict(line)) for line in found.flow)
    return MedicalInsurance(
        source=found.source(DEPARTMENT.hotline),
        name=PersonName(found.name),
        kind=found.kind,
        state=STATES[found.status],
        person_type=found.person_type,
        area=RegionCode(found.area),
        area_name=found.area_name,
        unit=found.unit,
        civil_servant=found.civil_servant,
        account=MedicalAccount(**dict(found.account)) if found.account else None,
        flow=tuple(sorted(flow, key=lambda line: line.on, reverse=True)),
        deductible=found.deductible,
        deductible_used=found.deductible_used,
        ceiling=found.ceiling,
        ceiling_used=found.ceiling_used,
        chronic=found.chronic,
        out_of_area=OutOfArea(**dict(found.out_of_area)) if found.out_of_area else None,
    )
