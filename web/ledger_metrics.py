"""What every process tells of the ledger all share (发送台账指标): gauges, read when scraped.

They are the same whichever process is asked, so let the alarm take the maximum. They come from
indexes and are at most five seconds old, however often one scrapes. When MongoDB does not answer
they are absent, `weizheng_push_ledger_readable` is 0, and the process's own counters are there.
"""

import logging

from prometheus_client import Gauge

from domain.overview import AccountView
from push.overview import Overviews

log = logging.getLogger(__name__)

READABLE = Gauge("weizheng_push_ledger_readable", "1 when the gauges of the ledger are true")
BATCHES = Gauge(
    "weizheng_push_batches", "Batches that are not done", ["account", "state"]
)  # state: ready, waiting (not due yet), leased, dead
BROADCASTS = Gauge(
    "weizheng_push_broadcasts", "Broadcasts and notices under way", ["account", "state"]
)  # state: sending, paused
LAG = Gauge(
    "weizheng_push_oldest_due_seconds", "How long the oldest due batch has waited", ["account"]
)
PACE = Gauge("weizheng_push_pace_per_second", "What the limiter allows now", ["account"])
HELD = Gauge("weizheng_push_held_seconds", "How long the account may not send", ["account"])
USED = Gauge("weizheng_push_day_used", "Sends counted for today's quota", ["account"])
QUOTA = Gauge("weizheng_push_day_quota", "Today's quota, where it is known", ["account"])
_OF_THE_LEDGER = (BATCHES, BROADCASTS, LAG, PACE, HELD, USED, QUOTA)


async def show_overview(overviews: Overviews) -> None:
    """Set the gauges from the ledger; never fails."""
    try:
        overview = await overviews.cached()
    except Exception as error:  # outermost: the process's own numbers must be scraped all the same
        log.warning("metrics.ledger_unreadable", extra={"reason": type(error).__name__})
        for gauge in _OF_THE_LEDGER:
            gauge.clear()
        READABLE.set(0)
        return
    READABLE.set(0 if overview.troubles else 1)
    for view in overview.accounts:
        _show(view)


def _show(view: AccountView) -> None:
    for state, number in view.batches.items():
        BATCHES.labels(view.account, state).set(number)
    BROADCASTS.labels(view.account, "sending").set(view.running)
    BROADCASTS.labels(view.account, "paused").set(view.paused)
    LAG.labels(view.account).set(view.lag.total_seconds())
    HELD.labels(view.account).set(view.held_for.total_seconds())
    known = ((PACE, view.per_second), (USED, view.used_today), (QUOTA, view.quota))
    for gauge, value in known:
        if value is not None:
            gauge.labels(view.account).set(value)
