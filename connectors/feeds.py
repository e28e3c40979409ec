"""Departments' news (动态接口): pages of what is new since a mark, asked for conditionally.

The agreement for every feed, whatever it is about:

    GET <path>?since=<mark>&limit=<n>      If-None-Match: <etag of the same address>
    200 {"department", "as_of", "entries": […], "next": <mark>, "more": true|false}   ETag: …
    304                                     nothing since
    410 {"code": "unknown_mark"}            the department does not know the mark (any more)

A mark is the department's own opaque text; without one the feed begins with the oldest news it
keeps. Entries come in the order in which they were published and may come again. An entry that
does not make sense is an alarm, and only that entry is left out: the rest is still news.
"""

import logging
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import Field, ValidationError

from connectors.http import DepartmentClient, Refusal
from connectors.payload import Frame, Payload

LONGEST_PAGE = 100
UNKNOWN_MARK = "unknown_mark"

log = logging.getLogger(__name__)
Entry = TypeVar("Entry", bound=Payload)


class MarkUnknown(Exception):
    """The department cannot go on from this mark: begin again without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Entry]):
    """A page of news. `is_unchanged`: nothing since the last look, the rest is as it was."""

    entries: tuple[Entry, ...] = ()
    next: str
    etag: str = ""  # for the address with `since=next`; empty if that was never asked
    more: bool = False
    is_unchanged: bool = False
    broken: int = 0  # entries left out because they made no sense


class _Envelope(Frame):
    entries: tuple[Any, ...] = Field(max_length=10 * LONGEST_PAGE)
    next: str = Field(max_length=200)
    more: bool = False


async def read_page(
    client: DepartmentClient,
    path: str,
    model: type[Entry],
    *,
    since: str = "",
    etag: str = "",
    limit: int = LONGEST_PAGE,
) -> Page[Entry]:
    """Return what is new since the mark, or raise `MarkUnknown`."""
    params = {"limit": str(limit)} | ({"since": since} if since else {})
    try:
        fresh = await client.get_fresh(path, _Envelope, etag=etag, **params)
    except Refusal as refusal:
        if refusal.reason == UNKNOWN_MARK and since:
            raise MarkUnknown from refusal
        raise
    found = fresh.answer
    if found is None:
        return Page(next=since, etag=fresh.etag, is_unchanged=True)
    if found.more and found.next == since:
        raise client.broken(path, "there is more, but the mark stays where it is")
    entries = [_read(client, path, model, each) for each in found.entries]
    good = tuple(entry for entry in entries if entry is not None)
    return Page(
        entries=good,
        next=found.next,
        etag=fresh.etag if found.next == since else "",
        more=found.more,
        broken=len(entries) - len(good),
    )


def _read(client: DepartmentClient, path: str, model: type[Entry], content: Any) -> Entry | None:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    # not the error itself: it would write what stands in the entry into the log
    log.error(
        "department.broken_entry",
        extra={
            "department": client.department.key,
            "path": path,
            "problem": f"{where}: {first['type']}",
        },
    )
    return None
