"""History (发送记录): what was sent to one person, when, delivered or why not.

It never holds what a message said. An openid is masked wherever it is shown; whoever reads the
history of somebody else leaves a line in the log `audit`.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime

from config.catalogue import Catalogue
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from domain.masking import mask_openid
from domain.sentence import Sentence
from push.audit import note_access
from push.outcomes import in_words
from storage.mongo.digests import MongoDigests
from storage.mongo.history import MongoHistory, Record

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicCount:
    """How many notices of a topic a message was about."""

    topic: TopicId
    title: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One message. `title` is the department's name of it; `topics` what its reader knows."""

    at: datetime
    broadcast: BroadcastId
    kind: str
    title: str
    topics: tuple[TopicCount, ...]
    left_out: tuple[TopicCount, ...]  # of a digest: cancelled, unbound or expired before it went
    channel: str
    state: str  # delivered, sent, failed, skipped, unknown
    outcome: str  # the same in words, and why not
    errcode: int | None
    msgid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Some rows, the newest first; `before` asks for the next page, if there is one."""

    rows: tuple[HistoryRow, ...]
    before: datetime | None


class History:
    """Reads sending records (runtime: `ctx.history`, bot `Services.history`)."""

    def __init__(self, store: MongoHistory, items: MongoDigests, catalogue: Catalogue) -> None:
        self._store = store
        self._items = items
        self._catalogue = catalogue

    async def page(
        self,
        account: AccountId,
        openid: OpenId,
        *,
        before: datetime | None = None,
        limit: int = PAGE,
    ) -> HistoryPage:
        """Return one page of a person's history."""
        records = await self._store.list_(account, openid, before=before, limit=limit)
        return HistoryPage(
            rows=tuple(map(self._row, records)),
            before=records[-1].at if len(records) >= limit else None,
        )

    async def rows(self, account: AccountId, openid: OpenId) -> AsyncIterator[HistoryRow]:
        """Yield the whole history, the newest first."""
        before: datetime | None = None
        while True:
            page = await self.page(account, openid, before=before)
            for row in page.rows:
                yield row
            before = page.before
            if before is None:
                return

    async def waiting(self, account: AccountId, openid: OpenId) -> int:
        """Count the notices that wait for the person's next digest."""
        return await self._items.count_waiting(account, openid)

    def _row(self, record: Record) -> HistoryRow:
        if record.kind == "digest":
            topics = self._counts(record.outline.topics.items())
        else:
            topics = self._counts([(record.topic, 1)])
        return HistoryRow(
            at=record.at,
            broadcast=record.broadcast,
            kind=record.kind,
            title=record.title,
            topics=topics,
            left_out=self._counts(record.outline.left_out.items()),
            channel=record.channel,
            state="delivered" if record.is_delivered else record.state,
            outcome=in_words(record),
            errcode=record.errcode,
            msgid=record.msgid,
        )

    def _counts(self, numbers: Iterable[tuple[TopicId, int]]) -> tuple[TopicCount, ...]:
        return tuple(
            TopicCount(topic=topic, title=self._title(topic), count=number)
            for topic, number in numbers
        )

    def _title(self, topic: TopicId) -> str:
        known = self._catalogue.topics.get(topic)
        return known.title if known else Sentence("其他通知")


def note_reading(
    *, actor: str, account: AccountId, openid: OpenId, purpose: str, unmasked: bool
) -> None:
    """Leave a line about who read whose history, and what for (domain.md 1.8, 10.2)."""
    note_access(
        actor=actor,
        account=account,
        what=f"history of {mask_openid(openid)}",
        purpose=purpose,
        unmasked=unmasked,
    )
