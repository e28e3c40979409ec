"""The weather office's feed (预警): every document of the index is heard by the alert desk.

A document that is no alert is skipped with its reason kept, and the feed goes on. One that does
not come is noted and asked for again, later and later; the feed goes on at its pace meanwhile, so
a broken document never silences the ones behind it. It is given up when the office has refused it
five times, or after twelve hours: an hour's trouble at the office must cost no alert. There is no
baseline: an alert is worth relaying until it expires, whenever we begin to listen.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.alert_feed import AlertFeed, AlertPage, Listed
from connectors.http import Refusal
from domain.alert import CapRefused
from domain.errors import BrokenContract, DepartmentError
from push.triggers.alerts import NAME, AlertDesk
from push.triggers.outages import Items
from push.triggers.ports import Outcome, Visit
from push.triggers.reading import read_pages
from storage.mongo.triggers import Item

log = logging.getLogger(__name__)

TRIES = 5  # of a document that the office says it has not, or that is not as agreed
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=10)
LONGEST = timedelta(hours=12)  # from the first try: an alert without `expires` is news for 24
PATIENCE = 3  # documents of a run that did not come before the others wait as well
AGAIN = 20  # documents asked for again in one run
KEPT = timedelta(days=30)
PAGES = 5
_PREFIX = "document:"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    """Since when a document is asked for, and how often it was."""

    since: datetime
    tries: int


class AlertTrigger:
    """The feed, for those who follow weather.alert."""

    name = NAME
    every = timedelta(seconds=30)

    def __init__(
        self, feed: AlertFeed, desk: AlertDesk, items: Items, *, pages: int = PAGES
    ) -> None:
        self._feed = feed
        self._desk = desk
        self._items = items
        self._pages = pages

    async def run(self, visit: Visit) -> Outcome:
        """Say what others left unsaid, hear what is new, then ask for what did not come."""
        await self._desk.finish(visit.account, visit.emit)

        async def ask(since: str, etag: str) -> AlertPage:
            return await self._feed.changes(since=since, etag=etag)

        async def hear(page: AlertPage, _: bool) -> int:
            await self._hear(visit, page)
            return len(page.listed)

        outcome = await read_pages(visit, ask, hear, trigger=NAME, pages=self._pages)
        await self._ask_again(visit)
        return outcome

    async def _hear(self, visit: Visit, page: AlertPage) -> None:
        known = await self._items.find(visit.account, NAME, [_item_id(one) for one in page.listed])
        missing = 0
        for listed in page.listed:
            if _item_id(listed) in known:
                continue  # heard, or waiting to be asked for again
            if missing >= PATIENCE:
                await self._wait(visit, listed, _Wait(since=visit.now, tries=0))
            elif not await self._try(visit, listed, _Wait(since=visit.now, tries=0)):
                missing += 1

    async def _ask_again(self, visit: Visit) -> None:
        missing = 0
        for item in await self._items.due(visit.account, NAME, visit.now, limit=AGAIN):
            listed = Listed(id=item.id.removeprefix(_PREFIX), path=item.state["path"])
            before = _Wait(since=item.state["since"], tries=item.state["tries"])
            missing += not await self._try(visit, listed, before)
            if missing >= PATIENCE:
                return

    async def _try(self, visit: Visit, listed: Listed, before: "_Wait") -> bool:
        """Fetch and hear one; False when it did not come and is asked for again later."""
        wait = replace(before, tries=before.tries + 1)
        try:
            await self._hear_one(visit, listed)
        except DepartmentError as error:
            is_refused = isinstance(error, Refusal | BrokenContract)
            if visit.now - wait.since < LONGEST and not (is_refused and wait.tries >= TRIES):
                await self._wait(visit, listed, wait)
                return False
            await self._give_up(visit, listed, error)
        heard = Item(id=_item_id(listed), revision=0, expires_at=visit.now + KEPT)
        await self._items.put(visit.account, NAME, heard)
        return True

    async def _wait(self, visit: Visit, listed: Listed, wait: "_Wait") -> None:
        waiting = Item(
            id=_item_id(listed),
            revision=0,
            state={"path": listed.path, "since": wait.since, "tries": wait.tries},
            due_at=visit.now + min(FIRST_WAIT * 2 ** max(wait.tries - 1, 0), LONGEST_WAIT),
            expires_at=visit.now + KEPT,
        )
        await self._items.put(visit.account, NAME, waiting)
        log.warning(
            "alert.document_missing",
            extra={"account": visit.account, "document": listed.id, "tries": wait.tries},
        )

    async def _hear_one(self, visit: Visit, listed: Listed) -> None:
        document = await self._feed.document(listed.path)
        try:
            await self._desk.hear(
                visit.account,
                document.content,
                visit.emit,
                via=f"feed:{listed.id}",
                charset=document.charset,
            )
        except CapRefused as refused:
            await self._desk.refuse(
                visit.account, refused, document.content, source=f"feed:{listed.id}"
            )

    async def _give_up(self, visit: Visit, listed: Listed, error: DepartmentError) -> None:
        refused = CapRefused("not_available", f"目录列出的文件取不到：{error}", listed.path)
        await self._desk.refuse(visit.account, refused, b"", source=f"feed:{listed.id}")


def _item_id(listed: Listed) -> str:
    return f"{_PREFIX}{listed.id}"
