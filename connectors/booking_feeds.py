"""What the insurance offices and the fund book, as they publish it (domain.md 2.1 to 2.3).

Three feeds of one form: whom it concerns, which kind, when; no amounts. A department publishes
what changed rather than being asked about a million people a day. Numbers that nobody bound are
forgotten with the page: they are neither kept nor logged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, Field

from connectors.feeds import read_page
from connectors.housing_fund import DEPARTMENT as FUND
from connectors.http import Department, DepartmentClient
from connectors.medical_insurance import DEPARTMENT as MEDICAL
from connectors.payload import Code, Instant, Payload
from connectors.social_insurance import DEPARTMENT as SOCIAL
from domain.booking import Booking
from domain.masking import IdentityNumber

PATH = "/changes"
PAGE = 200
Office = Literal["social", "medical", "fund"]
DEPARTMENTS: Mapping[Office, Department] = {"social": SOCIAL, "medical": MEDICAL, "fund": FUND}


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Number = Annotated[str, BeforeValidator(_upper), Field(pattern=r"^\d{17}[\dX]$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingPage:
    """A page of bookings, in the order of publication."""

    bookings: tuple[Booking, ...]
    next: str
    etag: str
    more: bool
    is_unchanged: bool


class BookingFeed(Protocol):
    """Where bookings come from."""

    async def changes(self, *, since: str, etag: str) -> BookingPage:
        """Return what is new since the mark; raises `MarkUnknown` when it cannot go on there."""
        ...


class _Booked(Payload):
    """What all three publish; where they spell it differently, the classes below say how."""

    number: Number
    seq: Code = Field(max_length=40)
    at: Instant
    kind: Code = ""
    tail: str = ""

    def to_domain(self) -> Booking:
        return Booking(
            id_number=IdentityNumber(self.number),
            seq=self.seq,
            at=self.at,
            kind=self.kind,
            tail=self.tail,
        )


class _Social(_Booked):
    number: Number = Field(alias="AAC002")
    kind: Code


class _Medical(_Booked):
    number: Number = Field(alias="certno")


class _Fund(_Booked):
    number: Number = Field(alias="zjhm")
    kind: Code = Field(alias="type")
    tail: str = Field("", alias="grzh_tail", pattern=r"^\d{0,4}$")


_MODELS: Mapping[Office, type[_Booked]] = {"social": _Social, "medical": _Medical, "fund": _Fund}


class HttpBookingFeed:
    """One office's feed over HTTP."""

    def __init__(self, client: DepartmentClient, office: Office, *, page_size: int = PAGE) -> None:
        self._client = client
        self._model = _MODELS[office]
        self._page_size = page_size

    async def changes(self, *, since: str, etag: str) -> BookingPage:
        """Return the next page of bookings."""
        page = await read_page(
            self._client, PATH, self._model, since=since, etag=etag, limit=self._page_size
        )
        return BookingPage(
            bookings=tuple(entry.to_domain() for entry in page.entries),
            next=page.next,
            etag=page.etag,
            more=page.more,
            is_unchanged=page.is_unchanged,
        )
