"""Collecting (汇集): who of a notice's people is told at once, and what waits for a digest.

Called by the fan-out, which may die anywhere and begin again:

- the counts of the daily cap name their notices, so claiming again claims nothing more;
- who is beyond the cap is decided once and kept with the notice before anything follows from it;
- items are unique on (notice, person), and a digest takes each of them once.

So from the answer "202" on, everybody found is either in a batch of the ledger or has an item.

**Fairness.** The cap never drops anything: what is beyond it goes into the person's next digest
at 08:00, with everything that waits for them, in the order of announcement. A day's first `cap`
notices of a topic go at once. One topic cannot use up another's share, nor one person another's.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, time

from config.catalogue import Catalogue
from domain.broadcast import Broadcast
from domain.clock import Clock, in_beijing
from domain.digest import Cadence, Item, next_digest
from domain.ids import BroadcastId, OpenId
from domain.schedule import quiet_until
from storage.mongo.digests import MongoCaps, MongoDigests
from storage.mongo.notices import MongoNotices, Notice

log = logging.getLogger(__name__)


class Collector:
    """Decides between now and later. Running it twice, or in two processes, is harmless."""

    def __init__(
        self,
        notices: MongoNotices,
        items: MongoDigests,
        caps: MongoCaps,
        catalogue: Catalogue,
        clock: Clock,
        *,
        quiet_hours: tuple[time, time] | None,
    ) -> None:
        self._notices = notices
        self._items = items
        self._caps = caps
        self._catalogue = catalogue
        self._clock = clock
        self._quiet_hours = quiet_hours

    async def spread(self, broadcast: Broadcast, notice: Notice) -> tuple[OpenId, ...]:
        """Keep an item for everybody who is told later, and return who is told at once."""
        if broadcast.priority == "urgent":  # neither modes nor caps hold what is urgent
            return (*notice.immediate, *notice.daily, *notice.weekly)
        over = await self._over(broadcast, notice)
        later: list[tuple[OpenId, Cadence]] = [
            *((openid, "daily") for openid in (*notice.daily, *sorted(over))),
            *((openid, "weekly") for openid in notice.weekly),
        ]
        await self._items.keep(
            [
                Item(
                    notice=broadcast.id,
                    account=broadcast.account,
                    openid=openid,
                    topic=broadcast.topic,
                    at=broadcast.created_at,
                    # counted from the announcement, so that a crash does not move the digest
                    due_at=next_digest(broadcast.created_at, cadence),
                    expires_at=broadcast.expires_at,
                    sealed=notice.sealed,
                )
                for openid, cadence in later
            ]
        )
        return tuple(openid for openid in notice.immediate if openid not in over)

    async def gather(self, digests: Sequence[Broadcast]) -> dict[BroadcastId, OpenId]:
        """Take what is due for the digests' people; returns those for whom anything waited."""
        marks = await self._notices.find_marks([digest.id for digest in digests])
        taken = await self._items.take(
            {
                digest.id: (digest.account, marks[digest.id])
                for digest in digests
                if digest.id in marks
            },
            now=self._clock.now(),
        )
        return {digest: marks[digest].openid for digest in taken}

    async def _over(self, broadcast: Broadcast, notice: Notice) -> frozenset[OpenId]:
        topic = self._catalogue.topics.get(broadcast.topic)
        if topic is None or not topic.daily_cap or not notice.immediate:
            return frozenset()
        decided = await self._notices.find_over(broadcast.id)
        if decided is not None:
            return decided
        day = in_beijing(self._sent_from(broadcast.created_at)).date()
        over = [
            openid
            for openid in notice.immediate
            if not await self._caps.claim(
                broadcast.account,
                broadcast.topic,
                openid,
                day=day,
                notice=broadcast.id,
                cap=topic.daily_cap,
                now=broadcast.created_at,
            )
        ]
        held = await self._notices.fix_over(broadcast.id, over)
        if held:
            log.info("notice.capped", extra={"broadcast": broadcast.id, "people": len(held)})
        return held

    def _sent_from(self, announced_at: datetime) -> datetime:
        """Return when a notice can go out first: what comes at night counts for the morning."""
        return quiet_until(announced_at, self._quiet_hours) or announced_at
