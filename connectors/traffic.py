"""Asking the traffic police (交通违法, domain.md 2.4). Field names are the police systems'."""

from datetime import date
from typing import Annotated, Literal, Protocol

from pydantic import Field

from connectors.http import Department, DepartmentClient, Refusal
from connectors.payload import AsText, BeijingTime, Code, Fen, Frame, Payload, Text
from domain.errors import InvalidInput
from domain.masking import Plate
from domain.violation import Violation, Violations

DEPARTMENT = Department(key="traffic", title="公安交管部门", hotline="12123")


class TrafficPolice(Protocol):
    """What the service asks the traffic police."""

    async def violations(self, plate: Plate, plate_type: str, digits: str) -> Violations:
        """Return a vehicle's records; `InvalidInput` when the three do not belong together."""
        ...


class _Record(Payload):
    seq: Code = Field(alias="xh")
    at: BeijingTime = Field(alias="wfsj")
    place: Text = Field(alias="wfdz")
    act_code: Code = Field(alias="wfxw")
    act: Text = Field(alias="wfms")
    fine: Fen = Field(alias="fkje", ge=0)
    points: int = Field(alias="wfjfs", ge=0, le=12)
    agency: Text = Field(alias="cjjgmc")
    handled: Annotated[Literal["0", "1"], AsText] = Field(alias="clbj")
    paid: Annotated[Literal["0", "1", "9"], AsText] = Field(alias="jkbj")  # 9: no fine is due
    decided_on: date | None = Field(None, alias="clsj")
    paid_on: date | None = Field(None, alias="jkrq")
    standing: Literal["", "撤销", "复议"] = Field("", alias="cfzt")
    measured: int | None = Field(None, alias="scz")
    limit: int | None = Field(None, alias="bzz")

    def to_domain(self) -> Violation:
        return Violation(
            seq=self.seq,
            at=self.at,
            place=self.place,
            act_code=self.act_code,
            act=self.act,
            fine=self.fine,
            points=self.points,
            agency=self.agency,
            handled=self.handled == "1",
            paid=self.paid in ("1", "9"),
            is_revoked=self.standing == "撤销",
            is_in_review=self.standing == "复议",
            decided_on=self.decided_on,
            paid_on=self.paid_on,
            measured=self.measured,
            limit=self.limit,
        )


class _Answer(Frame):
    plate: str = Field(alias="hphm")
    plate_type: Code = Field(alias="hpzl")
    records: tuple[_Record, ...] = Field(max_length=500)


class HttpTrafficPolice:
    """The traffic police's HTTP interface."""

    def __init__(self, client: DepartmentClient) -> None:
        self._client = client

    async def violations(self, plate: Plate, plate_type: str, digits: str) -> Violations:
        """Return a vehicle's records, newest first."""
        question = {"hphm": plate.plain, "hpzl": plate_type, "fdjh": digits}
        try:
            found = await self._client.query("/violations", _Answer, question)
        except Refusal as refusal:
            if refusal.reason in ("bad_input", "no_data"):
                raise InvalidInput(
                    "车牌、号牌种类与发动机号后四位对不上，请核对行驶证后再试。"
                    f"如核对无误，请拨打 {DEPARTMENT.hotline}。"
                ) from refusal
            raise
        if found.plate != plate.plain:
            raise self._client.broken("/violations", "the answer is about another vehicle")
        records = (record.to_domain() for record in found.records)
        return Violations(
            source=found.source(DEPARTMENT.hotline),
            plate=plate,
            plate_type=plate_type,
            records=tuple(sorted(records, key=lambda record: record.at, reverse=True)),
        )
