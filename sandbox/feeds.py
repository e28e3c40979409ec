"""A department's feed of news: pages since a mark, ETag and 304, and marks that are forgotten.

The agreement stands in `connectors/feeds.py`. A mark is `<epoch>-<number>`; `reset` begins a new
epoch, as a department does that restored a backup, and the old marks are unknown from then on.
So are marks older than what is kept.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tornado.web import RequestHandler

from domain.clock import in_beijing

Json = dict[str, Any]
KEPT = 10_000
LONGEST_PAGE = 500


class NewsRefused(Exception):
    """A request for news cannot be understood; the text says which member."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What one question gets."""

    entries: list[Json]
    next: str
    more: bool
    etag: str


class Feed:
    """What was published, oldest first."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._entries: list[Json] = []
        self._dropped = 0
        self._epoch = secrets.token_hex(4)

    def publish(self, entry: Json) -> None:
        """Add an entry; the oldest go when there are too many."""
        self._entries.append(entry)
        while len(self._entries) > self._kept:
            self._entries.pop(0)
            self._dropped += 1

    def reset(self) -> None:
        """Begin a new epoch with the same entries: every mark given out so far is unknown."""
        self._epoch = secrets.token_hex(4)
        self._dropped = 0

    def page(self, since: str, limit: int) -> FeedPage | None:
        """Return what follows the mark; None when the mark is unknown."""
        start = self._dropped if not since else self._number(since)
        last = self._dropped + len(self._entries)
        if start is None or not self._dropped <= start <= last:
            return None
        limit = max(1, min(limit, LONGEST_PAGE))
        first = start - self._dropped
        entries = self._entries[first : first + limit]
        reached = start + len(entries)
        return FeedPage(
            entries=entries,
            next=f"{self._epoch}-{reached}",
            more=reached < last,
            etag=f'"{self._epoch}-{start}-{last}"',
        )

    def _number(self, mark: str) -> int | None:
        epoch, _, number = mark.partition("-")
        return int(number) if epoch == self._epoch and number.isdigit() else None


def answer(handler: RequestHandler, feed: Feed, title: str, now: datetime) -> None:
    """Answer a question to a feed."""
    limit = handler.get_query_argument("limit", "100")
    page = feed.page(
        handler.get_query_argument("since", ""), int(limit) if limit.isdigit() else 100
    )
    if page is None:
        handler.set_status(410)
        handler.finish({"code": "unknown_mark", "message": "begin again without since"})
        return
    handler.set_header("ETag", page.etag)
    if handler.request.headers.get("If-None-Match") == page.etag:
        handler.set_status(304)
        handler.finish()
        return
    handler.finish(
        {
            "department": title,
            "as_of": in_beijing(now).isoformat(timespec="seconds"),
            "entries": page.entries,
            "next": page.next,
            "more": page.more,
        }
    )
