"""Reading a department's feed page by page: what all triggers with a `since` mark have in common.

The cursor moves behind a page when everything of it was heard, so a crash repeats one page. A
mark that the department does not know (any more) means reading from the beginning: what was said
is known by its keys. Until the first look has reached the end of the feed, it is the baseline;
the cursor carries that too, so that a baseline of many runs stays one.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from connectors.feeds import MarkUnknown
from push.triggers.ports import Cursor, Outcome, Visit

SECONDS = 10.0  # no new page after this: the engine ends a run at 20
FIRST_LOOK = "first-look:"  # before the mark while the baseline is being read

log = logging.getLogger(__name__)


class FeedPage(Protocol):
    """What a page of any feed tells about itself."""

    @property
    def next(self) -> str: ...

    @property
    def etag(self) -> str: ...

    @property
    def more(self) -> bool: ...

    @property
    def is_unchanged(self) -> bool: ...


Page = TypeVar("Page", bound=FeedPage)


async def read_pages(
    visit: Visit,
    ask: Callable[[str, str], Awaitable[Page]],
    hear: Callable[[Page, bool], Awaitable[int]],
    *,
    trigger: str,
    pages: int,
) -> Outcome:
    """Read up to so many pages, as long as there is time.

    `ask` takes a mark and an ETag; `hear` takes a page and whether it belongs to the baseline, and
    returns how many pieces of news it held.
    """
    cursor = visit.cursor or Cursor(since=FIRST_LOOK)
    is_first = cursor.since.startswith(FIRST_LOOK)
    start = FIRST_LOOK if is_first else ""
    seen, more, unchanged = 0, True, False
    until = time.monotonic() + SECONDS
    for _ in range(pages):
        if time.monotonic() > until:
            break
        try:
            page = await ask(cursor.since.removeprefix(FIRST_LOOK), cursor.etag)
        except MarkUnknown:
            log.warning("trigger.feed_reset", extra={"trigger": trigger, "account": visit.account})
            cursor = Cursor(since=start)
            continue
        seen += await hear(page, is_first)
        more, unchanged = page.more, page.is_unchanged
        if not more:
            cursor = Cursor(since=page.next, etag=page.etag)
            break
        cursor = Cursor(since=start + page.next)
        await visit.save(cursor)
    return Outcome(cursor=cursor, seen=seen, unchanged=unchanged, more=more)
