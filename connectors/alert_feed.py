"""The weather office's alerts (预警): an index of what it published, and the CAP documents.

    GET /alerts?since=…            entries {"id", "document": "/documents/…"}, as `connectors.feeds`
    GET /documents/…               one CAP 1.2 document, whatever its encoding

The address of a document is below the office's own: an index cannot send us anywhere else.
"""

from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from connectors.feeds import read_page
from connectors.http import Department, DepartmentClient, Document
from connectors.payload import Payload

DEPARTMENT = Department(key="weather", title="气象台", hotline="12121")
PATH = "/alerts"
PAGE = 20  # documents are fetched one by one, and a run has seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A document that the index names."""

    id: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPage:
    """A page of the index, in the order of publication."""

    listed: tuple[Listed, ...]
    next: str
    etag: str
    more: bool
    is_unchanged: bool


class AlertFeed(Protocol):
    """Where alerts come from."""

    async def changes(self, *, since: str, etag: str) -> AlertPage:
        """Return what is new since the mark; raises `MarkUnknown` when it cannot go on there."""
        ...

    async def document(self, path: str) -> Document:
        """Return a document as it is; raises `DepartmentError` when it does not come."""
        ...


class _Entry(Payload):
    id: str = Field(min_length=1, max_length=200)
    document: str = Field(max_length=500, pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$")


class HttpAlertFeed:
    """The office's index and documents over HTTP."""

    def __init__(self, client: DepartmentClient, *, page_size: int = PAGE) -> None:
        self._client = client
        self._page_size = page_size

    async def changes(self, *, since: str, etag: str) -> AlertPage:
        """Return the next page of the index."""
        page = await read_page(
            self._client, PATH, _Entry, since=since, etag=etag, limit=self._page_size
        )
        return AlertPage(
            listed=tuple(Listed(id=entry.id, path=entry.document) for entry in page.entries),
            next=page.next,
            etag=page.etag,
            more=page.more,
            is_unchanged=page.is_unchanged,
        )

    async def document(self, path: str) -> Document:
        """Return a document."""
        return await self._client.get_document(path)
