"""Makes reports of broadcasts (发送报告), beside the sending and without slowing it.

`tick` is called every few seconds by each scheduler process. It notes the sums of what is being
sent, and makes one report that is due from the outcomes themselves, slice by slice. It is made
again while receipts may still come in. Everything can be repeated, and done by two processes at
once: the later one writes the same.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.ids import BroadcastId
from domain.ledger import Totals
from domain.sending_report import SendingReport, Why, minute_of
from push.dead import OVER
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.deliveries import MongoDeliveries
from storage.mongo.ledger import MongoLedger
from storage.mongo.overview import MongoOverview
from storage.mongo.reports import MongoReports, Tally

log = logging.getLogger(__name__)

COUNTED_AT_ONCE = 20_000  # people whose outcomes are read while somebody waits for the page
PATIENCE = timedelta(minutes=5)  # for one report; then another process may take it
A_MOMENT = timedelta(seconds=5)  # that a report may be old just after the end
BREATH = 0.05  # seconds between two slices: others need the database as well
# receipts come within minutes; a few after a day (wechat-platform.md 4.9)
AGAIN = (timedelta(minutes=2), timedelta(minutes=15), timedelta(hours=2), timedelta(days=1))


class Reports:
    """Reads and makes reports (runtime: `ctx.reports`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        ledger: MongoLedger,
        overview: MongoOverview,
        deliveries: MongoDeliveries,
        reports: MongoReports,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._overview = overview
        self._deliveries = deliveries
        self._counted: dict[BroadcastId, tuple[int, int]] = {}  # the minute, how many delivered
        self._reports = reports
        self._clock = clock

    async def read(self, broadcast: Broadcast) -> SendingReport | None:
        """Return the report as far as there is one; None while it is being made.

        The report of a small broadcast that is over is made at once.
        """
        found = await self._reports.find(broadcast.id)
        if broadcast.state not in OVER or self._is_good(broadcast, found):
            return found
        totals = await self._store.find_totals(broadcast.id)
        if totals is None:  # not written off yet, or never begun
            return found
        if totals.people <= COUNTED_AT_ONCE:
            return await self._make(broadcast)
        if found is not None and found.is_final:
            return found
        await self._reports.ask(broadcast.id, broadcast.account, self._clock.now())
        return found

    async def reasons(
        self, broadcast: Broadcast, report: SendingReport | None
    ) -> Mapping[Why, int]:
        """Return why people were not reached: of all, or of the first ones while it is sent."""
        if report is not None and report.is_final:
            return report.reasons
        if broadcast.started_at is None:
            return Counter()
        return await self._reports.reasons(broadcast.id)

    async def tick(self) -> None:
        """Note what is being sent, and make one report that is due."""
        now = self._clock.now()
        running = await self._overview.running()
        for each in running:
            if each.state == "sending":
                totals = await self._ledger.totals(each.id)
                delivered = await self._delivered(each.id, totals, now)
                await self._reports.note(each.id, each.account, totals, delivered, now)
        ids = {each.id for each in running}
        self._counted = {key: kept for key, kept in self._counted.items() if key in ids}
        await self._reports.end_others(ids, now)
        taken = await self._reports.take(now, now + PATIENCE)
        if taken is not None:
            await self._make_due(taken)

    # --- inside ---------------------------------------------------------------------------

    def _is_good(self, broadcast: Broadcast, report: SendingReport | None) -> bool:
        """Whether a final report needs no other look; just after the end receipts come in."""
        if report is None or not report.is_final:
            return False
        now, ended = self._clock.now(), broadcast.finished_at
        return ended is None or now - ended > AGAIN[0] or now - report.made_at < A_MOMENT

    async def _delivered(self, broadcast: BroadcastId, totals: Totals, now: datetime) -> int:
        """Count the messages that arrived; of a large broadcast once a minute."""
        minute, known = self._counted.get(broadcast, (0, 0))
        if minute != minute_of(now) or totals.concluded <= COUNTED_AT_ONCE:
            known = await self._deliveries.count_delivered(broadcast)
            self._counted[broadcast] = (minute_of(now), known)
        return known

    async def _make_due(self, broadcast_id: BroadcastId) -> None:
        broadcast = await self._store.find(broadcast_id)
        if broadcast is None:
            await self._reports.drop(broadcast_id)
        elif broadcast.state in OVER:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                report = await self._make(broadcast)
            log.info("report.made", extra={"broadcast": broadcast_id, "sent": report.delivered})

    async def _make(self, broadcast: Broadcast) -> SendingReport:
        tally = Tally()
        place = await self._reports.slice(broadcast.id, None, tally)
        while place is not None:
            await asyncio.sleep(BREATH)
            place = await self._reports.slice(broadcast.id, place, tally)
        now = self._clock.now()
        report = tally.report(now)
        await self._reports.keep(
            broadcast.id, broadcast.account, report, again=_again(broadcast, now)
        )
        return report


def _again(broadcast: Broadcast, now: datetime) -> datetime | None:
    """Return when receipts may have made a report old; None when no more are expected."""
    ended = broadcast.finished_at or now
    return next((ended + after for after in AGAIN if ended + after > now), None)
