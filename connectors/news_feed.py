"""A feed of public news, whatever it is about: pages of domain objects since a mark.

The agreement is that of `connectors.feeds`; a module per kind of news knows its fields.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from connectors.feeds import LONGEST_PAGE, read_page
from connectors.http import DepartmentClient
from connectors.payload import Payload

News = TypeVar("News")
NewsOut = TypeVar("NewsOut", covariant=True)  # noqa: PLC0105 as typing names them
Entry = TypeVar("Entry", bound=Payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsPage(Generic[NewsOut]):
    """A page of news, in the order of publication."""

    news: tuple[NewsOut, ...]
    next: str
    etag: str
    more: bool
    is_unchanged: bool


class NewsFeed(Protocol[NewsOut]):
    """Where news of one kind comes from."""

    async def changes(self, *, since: str, etag: str) -> NewsPage[NewsOut]:
        """Return what is new since the mark; raises `MarkUnknown` when it cannot go on there."""
        ...


class HttpNewsFeed(Generic[Entry, News]):
    """A department's feed over HTTP: `model` reads an entry, `to_domain` makes news of it."""

    def __init__(
        self,
        client: DepartmentClient,
        path: str,
        model: type[Entry],
        to_domain: Callable[[Entry], News],
        *,
        page_size: int = LONGEST_PAGE,
    ) -> None:
        self._client = client
        self._path = path
        self._model = model
        self._to_domain = to_domain
        self._page_size = page_size

    async def changes(self, *, since: str, etag: str) -> NewsPage[News]:
        """Return the next page."""
        page = await read_page(
            self._client, self._path, self._model, since=since, etag=etag, limit=self._page_size
        )
        return NewsPage(
            news=tuple(map(self._to_domain, page.entries)),
            next=page.next,
            etag=page.etag,
            more=page.more,
            is_unchanged=page.is_unchanged,
        )
