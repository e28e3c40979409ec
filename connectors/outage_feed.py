"""What the water, power and gas companies announce, change and end (停水停电停气, domain.md 3.1).

One feed for all three: every entry is one revision of one interruption.
"""

from dataclasses import dataclass
from typing import Protocol

from connectors.feeds import LONGEST_PAGE, read_page
from connectors.http import Department, DepartmentClient
from connectors.utilities import OutagePayload
from domain.outage import Outage

DEPARTMENT = Department(key="utilities", title="水电气部门", hotline="12345")
PATH = "/changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutagePage:
    """A page of revisions, in the order of publication."""

    outages: tuple[Outage, ...]
    next: str
    etag: str
    more: bool
    is_unchanged: bool


class OutageFeed(Protocol):
    """Where revisions of interruptions come from."""

    async def changes(self, *, since: str, etag: str) -> OutagePage:
        """Return what is new since the mark; raises `MarkUnknown` when it cannot go on there."""
        ...


class HttpOutageFeed:
    """The companies' feed over HTTP."""

    def __init__(self, client: DepartmentClient, *, page_size: int = LONGEST_PAGE) -> None:
        self._client = client
        self._page_size = page_size

    async def changes(self, *, since: str, etag: str) -> OutagePage:
        """Return the next page of revisions."""
        page = await read_page(
            self._client, PATH, OutagePayload, since=since, etag=etag, limit=self._page_size
        )
        return OutagePage(
            outages=tuple(entry.to_domain() for entry in page.entries),
            next=page.next,
            etag=page.etag,
            more=page.more,
            is_unchanged=page.is_unchanged,
        )
