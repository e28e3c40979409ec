"""Bus detours (公交改道, domain.md 3.2): every entry is one revision of one detour."""

from typing import Annotated

from pydantic import Field, model_validator

from connectors.http import Department, DepartmentClient
from connectors.news_feed import HttpNewsFeed, NewsFeed
from connectors.payload import FOR_EVER, Code, Instant, Payload, Revision, Text
from domain.city_news import Detour, DetourStatus, Direction, MovedStop
from domain.ids import RegionCode

DEPARTMENT = Department(key="transit", title="公交集团", hotline="0755-96196")
PATH = "/detours"

Texts = Annotated[tuple[Text, ...], Field(max_length=200)]
Region = Annotated[str, Field(pattern=r"^[1-9]\d{5}(\d{3}|\d{6})?$")]


class _Moved(Payload):
    old: Text
    new: Text
    bearing: Text = ""
    metres: int | None = Field(None, ge=0, le=100_000)

    def to_domain(self) -> MovedStop:
        metres = f"{self.metres}米" if self.metres is not None else ""
        return MovedStop(old=self.old, new=self.new, where=f"{self.bearing}{metres}")


class DetourPayload(Payload):
    """A detour as the bus company publishes it; `to` is missing until the road is passable."""

    id: Code = Field(min_length=1, max_length=64)
    revision: Revision
    status: DetourStatus
    line: Code = Field(min_length=1)
    direction: Direction = "both"
    start: Instant = Field(alias="from")
    end: Instant | None = Field(None, alias="to")
    review_at: Instant | None = None
    reason: Text = ""
    path_before: Texts = ()
    path_after: Texts = ()
    stops_skipped: Texts = ()
    stops_added: Texts = ()
    stops_moved: tuple[_Moved, ...] = Field((), max_length=200)
    hours_changed: Text = ""
    regions: tuple[Region, ...] = Field((), max_length=100)
    issuer: Text
    hotline: Text = ""
    url: str | None = Field(None, max_length=1024, pattern=r"^https?://[^\s/]+\S*$")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "DetourPayload":
        if self.end is not None and self.end <= self.start:
            raise ValueError("to is not after from")
        return self

    def to_domain(self) -> Detour:
        """Return the detour."""
        return Detour(
            id=self.id,
            revision=self.revision,
            status=self.status,
            line=self.line,
            direction=self.direction,
            start=self.start,
            end=None if self.end == FOR_EVER else self.end,
            review_at=self.review_at,
            reason=self.reason,
            path_before=self.path_before,
            path_after=self.path_after,
            stops_skipped=self.stops_skipped,
            stops_added=self.stops_added,
            stops_moved=tuple(each.to_domain() for each in self.stops_moved),
            hours_changed=self.hours_changed,
            # citizens follow districts: one who lives in the town must not be missed
            regions=tuple(sorted({RegionCode(code[:6]) for code in self.regions})),
            issuer=self.issuer,
            hotline=self.hotline,
            url=self.url,
        )


def open_detours(client: DepartmentClient) -> NewsFeed[Detour]:
    """Return the company's feed."""
    return HttpNewsFeed(client, PATH, DetourPayload, DetourPayload.to_domain)
