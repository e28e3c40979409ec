"""The report of a broadcast (发送报告): how many, over time, and why not, with plots."""

from collections.abc import Mapping, Sequence

import orjson

from domain.clock import in_beijing
from domain.sending_report import SendingReport, gathered, spread
from push.live import Progress
from web.admin.broadcast_page import ONE, BroadcastPart
from web.admin.broadcast_words import FATES, Reason, reasons_in_words, why_in_words
from web.admin.table import route
from web.admin.words import mark

MOST_BARS = 15


class ReportPage(BroadcastPart):
    """Everything at a glance; numbers stand beside every plot."""

    async def get(self, broadcast_id: str) -> None:
        progress = await self.look(broadcast_id)
        report = await self.ctx.reports.read(progress.broadcast)
        reasons = await reasons_of(self, progress, report)
        minutes = gathered(report.minutes) if report else []
        moments, series = spread(report.when if report else {})
        self.page(
            "admin/broadcast_report.html",
            failure_heads=(self.say(_WHEN), *(self.say(why_in_words(*why)) for why in series)),
            failure_rows=[
                (f"{in_beijing(moment):%m-%d %H:%M}", *(each[place] for each in series.values()))
                for place, moment in enumerate(moments)
            ],
            broadcast=progress.broadcast,
            progress=progress,
            report=report,
            say=self.say,
            fates=fates_of(progress, report),
            fate_words=FATES,
            reasons=reasons,
            minutes=minutes,
            heads=(self.say(_WHEN), *(self.say(words) for words in FATES.values())),
            rows=[
                (
                    f"{in_beijing(minute.at):%m-%d %H:%M}",
                    *(minute.counts[fate] for fate in FATES),
                )
                for minute in minutes
            ],
        )


class ReportTime(BroadcastPart):
    """What was sent, delivered and failed over time, for the plot."""

    async def get(self, broadcast_id: str) -> None:
        progress = await self.look(broadcast_id)
        report = await self.ctx.reports.read(progress.broadcast)
        minutes = gathered(report.minutes) if report else []
        shown = [fate for fate in FATES if any(minute.counts[fate] for minute in minutes)]
        series = [
            {
                "name": self.say(FATES[fate]),
                "values": [minute.counts[fate] for minute in minutes],
            }
            for fate in shown
        ]
        self.plot(
            "line",
            self.say(_TIME),
            [f"{in_beijing(each.at):%m-%d %H:%M}" for each in minutes],
            series,
        )

    def plot(
        self, kind: str, title: str, x: Sequence[str], series: Sequence[Mapping[str, object]]
    ) -> None:
        """Answer with what `static/admin/charts.js` draws."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(
            orjson.dumps(
                {"kind": kind, "title": title, "x": x, "series": series, "unit": self.say(_UNIT)}
            )
        )


class ReportReasons(ReportTime):
    """Why people were not reached, for the plot."""

    async def get(self, broadcast_id: str) -> None:
        progress = await self.look(broadcast_id)
        report = await self.ctx.reports.read(progress.broadcast)
        reasons = (await reasons_of(self, progress, report))[:MOST_BARS]
        numbers = [each.number for each in reasons]
        self.plot(
            "bar",
            self.say(_REASONS),
            [self.say(each.words) for each in reasons],
            [{"name": self.say(_NUMBER), "values": numbers}],
        )


class ReportFailures(ReportTime):
    """Why people were not reached, minute by minute, for the plot."""

    async def get(self, broadcast_id: str) -> None:
        progress = await self.look(broadcast_id)
        report = await self.ctx.reports.read(progress.broadcast)
        moments, series = spread(report.when if report else {})
        self.plot(
            "stacked",
            self.say(_FAILURES),
            [f"{in_beijing(moment):%m-%d %H:%M}" for moment in moments],
            [
                {"name": self.say(why_in_words(*why)), "values": numbers}
                for why, numbers in series.items()
            ],
        )


async def reasons_of(
    page: BroadcastPart, progress: Progress, report: SendingReport | None
) -> Sequence[Reason]:
    """Return why people were not reached, those written off by a cancellation among them."""
    reasons = await page.ctx.reports.reasons(progress.broadcast, report)
    listed = sum(number for (state, _, _), number in reasons.items() if state == "skipped")
    is_cancelled = progress.broadcast.state == "cancelled" and progress.is_over
    written_off = progress.totals.skipped - listed if is_cancelled else 0
    return reasons_in_words(reasons, written_off=written_off)


def fates_of(progress: Progress, report: SendingReport | None) -> list[tuple[str, int | None]]:
    """Return the sums, from the ledger; delivered from whoever counted last.

    Of a mass send nobody's own receipt comes, only a sum, which no report adds up.
    """
    totals, delivered = progress.totals, progress.delivered
    if report is not None and report.is_final and progress.broadcast.channel != "mass":
        delivered = report.delivered
    return [
        (_PEOPLE, progress.people),
        (FATES["sent"], totals.sent),
        (FATES["delivered"], delivered),
        (FATES["failed"], totals.failed),
        (FATES["skipped"], totals.skipped),
        (FATES["unknown"], totals.unknown),
    ]


_PEOPLE, _NUMBER, _UNIT = mark("发送对象"), mark("人数"), mark("人")
_WHEN = mark("时间")
_FAILURES = mark("没有送达的原因（按时间）")
_TIME, _REASONS = mark("发送与送达（按时间）"), mark("没有送达的原因")

routes = (
    route(f"{ONE}/report", ReportPage, "broadcast-report", get="broadcasts.read"),
    route(rf"{ONE}/report/time\.json", ReportTime, "broadcast-report-time", get="broadcasts.read"),
    route(
        rf"{ONE}/report/failures\.json",
        ReportFailures,
        "broadcast-report-failures",
        get="broadcasts.read",
    ),
    route(
        rf"{ONE}/report/reasons\.json",
        ReportReasons,
        "broadcast-report-reasons",
        get="broadcasts.read",
    ),
)
