"""The weather office's feed (预警): every document of the index is heard by the alert desk.

A document that is no alert is skipped with its reason kept, and the feed goes on. One that does
not come (the office is slow, an error) is asked for again in the next runs, after everything else
of the page was heard, and given up after a few: a broken document must not silence the ones behind
it. There is no baseline: an alert is worth relaying until it expires, whenever we begin to listen.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from connectors.alert_feed import AlertFeed, AlertPage, Listed
from connectors.http import Refusal
from domain.alert import CapRefused
from domain.errors import BrokenContract, DepartmentError
from push.triggers.alerts import NAME, AlertDesk
from push.triggers.bulletins import Items
from push.triggers.ports import Outcome, Visit
from push.triggers.reading import read_pages
from storage.mongo.triggers import Item

log = logging.getLogger(__name__)

TRIES = 5
KEPT = timedelta(days=30)
PAGES = 5
_HEARD = "heard"


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
        """Say what others left unsaid, then hear what is new."""
        await self._desk.finish(visit.account, visit.emit)

        async def ask(since: str, etag: str) -> AlertPage:
            return await self._feed.changes(since=since, etag=etag)

        async def hear(page: AlertPage, _: bool) -> int:
            await self._hear(visit, page)
            return len(page.listed)

        return await read_pages(visit, ask, hear, trigger=NAME, pages=self._pages)

    async def _hear(self, visit: Visit, page: AlertPage) -> None:
        ids = [_item_id(listed) for listed in page.listed]
        known = await self._items.find(visit.account, NAME, ids)
        missing: DepartmentError | None = None
        for listed in page.listed:
            item = known.get(_item_id(listed)) or Item(id=_item_id(listed), revision=0)
            if item.state.get(_HEARD):
                continue
            try:
                await self._hear_one(visit, listed)
            except (Refusal, BrokenContract) as error:
                await self._give_up(visit, listed, error)
            except DepartmentError as error:
                item = replace(item, revision=item.revision + 1, expires_at=visit.now + KEPT)
                if item.revision < TRIES:
                    await self._items.put(visit.account, NAME, item)
                    missing = error
                    continue
                await self._give_up(visit, listed, error)
            heard = replace(item, state={_HEARD: True}, expires_at=visit.now + KEPT)
            await self._items.put(visit.account, NAME, heard)
        if missing is not None:
            raise missing  # the page is read again: what was heard of it is known

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
    return f"document:{listed.id}"
