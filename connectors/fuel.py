"""Decisions about fuel prices (油价调整, domain.md 3.3), as the pricing office publishes them.

The ceiling changes at 24:00 of the day of announcement. An entry whose direction and numbers
contradict each other is left out: nobody is told of a rise that is a cut.
"""

from datetime import UTC, date, datetime, time, timedelta

from pydantic import Field, model_validator

from connectors.http import Department, DepartmentClient
from connectors.news_feed import HttpNewsFeed, NewsFeed
from connectors.payload import FIRST_YEAR, FOR_EVER, Code, Fen, Instant, Payload, Revision, Text
from domain.city_news import Decision, FuelDecision, FuelPrice
from domain.clock import BEIJING

DEPARTMENT = Department(key="prices", title="发展改革委", hotline="12345")
PATH = "/fuel"


class _Price(Payload):
    grade: Code = Field(pattern=r"^-?\d{1,2}$")
    old: Fen
    new: Fen


class _PerTon(Payload):
    gasoline: int = Field(0, ge=-5_000, le=5_000)
    diesel: int = Field(0, ge=-5_000, le=5_000)


class FuelPayload(Payload):
    """One decision."""

    window_date: date = Field(ge=date(FIRST_YEAR, 1, 1), lt=FOR_EVER.date())
    revision: Revision = 1
    decision: Decision
    delta_per_ton: _PerTon = _PerTon(gasoline=0, diesel=0)
    price_per_litre: tuple[_Price, ...] = Field((), max_length=20)
    province: Text = ""
    zone: Text = ""
    effective_at: Instant | None = None
    source: Text

    @model_validator(mode="after")
    def _agrees(self) -> "FuelPayload":
        sign = {"up": 1, "down": -1, "hold": 0}[self.decision]
        for change in (
            self.delta_per_ton.gasoline,
            self.delta_per_ton.diesel,
            *(price.new - price.old for price in self.price_per_litre),
        ):
            if (change > 0) - (change < 0) not in (sign, 0):
                raise ValueError("the numbers contradict the decision")
        return self

    def to_domain(self) -> FuelDecision:
        """Return the decision; it applies from 00:00 of the next day unless it says otherwise."""
        next_day = datetime.combine(self.window_date + timedelta(days=1), time(0), BEIJING)
        return FuelDecision(
            window_date=self.window_date,
            revision=self.revision,
            decision=self.decision,
            gasoline_per_ton=self.delta_per_ton.gasoline,
            diesel_per_ton=self.delta_per_ton.diesel,
            prices=tuple(
                FuelPrice(grade=price.grade, old=price.old, new=price.new)
                for price in self.price_per_litre
            ),
            province=self.province,
            zone=self.zone,
            effective_at=self.effective_at or next_day.astimezone(UTC),
            source=self.source,
        )


def open_fuel(client: DepartmentClient) -> NewsFeed[FuelDecision]:
    """Return the office's feed."""
    return HttpNewsFeed(client, PATH, FuelPayload, FuelPayload.to_domain)
