"""What departments' answers are made of: checked at the edge, free of their spelling inside.

Departments may add fields at any time; what we read must be there and make sense, or the answer
counts as a broken contract.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from domain.clock import BEIJING
from domain.records import Source

MAX_YUAN = Decimal(10_000_000_000)
FIRST_YEAR = 1900
FOR_EVER = datetime(2500, 1, 1, tzinfo=UTC)  # what is later means for good, often 9999-12-31


def _instant(moment: datetime) -> datetime:
    """Return a time that can be reckoned with: neither end of the calendar is near."""
    if moment.year < FIRST_YEAR:
        raise ValueError(f"is before {FIRST_YEAR}")
    return moment.astimezone(UTC) if moment.year < FOR_EVER.year else FOR_EVER


Instant = Annotated[AwareDatetime, AfterValidator(_instant)]  # in UTC


class Payload(BaseModel):
    """A part of an answer, read by the department's own field names."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Frame(Payload):
    """What every answer carries: who says so, and as of when."""

    department: str = Field(min_length=1, max_length=40)
    as_of: Instant

    def source(self, hotline: str) -> Source:
        return Source(department=self.department, hotline=hotline, as_of=self.as_of)


def _fen(value: Any) -> int:
    """Read yuan, written as a number or as text, into whole fen."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("is not an amount of yuan")  # noqa: TRY004 pydantic wants ValueError
    try:
        fen = Decimal(value) * 100
    except ArithmeticError as error:
        raise ValueError("is not an amount of yuan") from error
    if not fen.is_finite() or abs(fen) > MAX_YUAN * 100 or fen != fen.to_integral_value():
        raise ValueError("is not an amount of yuan in whole fen")
    return int(fen)


def _rate(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("is not a rate")  # noqa: TRY004 pydantic wants ValueError
    try:
        return Decimal(value)
    except ArithmeticError as error:
        raise ValueError("is not a rate") from error


def _beijing(value: Any) -> Any:
    """Read the local time police systems write, `2026-06-03 08:00`, as an instant."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)
    return value


def _text(value: Any) -> Any:
    """Read a code that some systems write as text and some as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Fen = Annotated[int, BeforeValidator(_fen)]
Rate = Annotated[Decimal, BeforeValidator(_rate), Field(ge=0, le=100)]
BeijingTime = Annotated[Instant, BeforeValidator(_beijing)]
AsText = BeforeValidator(_text)
Code = Annotated[str, AsText, Field(max_length=20)]
Period = Annotated[str, AsText, Field(pattern=r"^(19|20)\d{2}(0[1-9]|1[0-2])$")]  # YYYYMM
Revision = Annotated[int, Field(ge=1, le=2**53)]
Text = Annotated[str, Field(max_length=200)]
