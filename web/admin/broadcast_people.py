"""Who was sent to (名单): lists of people by outcome, masked, and their export as CSV or XLSX.

An export reads a few thousand people at a time and holds no more: a million fit. Two run at once
in a process; who comes third is asked to wait.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import get_args
from urllib.parse import quote, urlencode

from domain.broadcast import Broadcast
from domain.clock import in_beijing
from domain.delivery import Outcome
from domain.errors import TooOften
from domain.masking import mask_openid
from push.live import Progress
from push.outcomes import in_words
from web.admin.broadcast_page import ONE, BroadcastPart
from web.admin.broadcast_report import fates_of, reasons_of
from web.admin.broadcast_words import CHANNELS, FATES, OUTCOMES
from web.admin.download import READ_SECONDS, Download
from web.admin.table import route
from web.admin.words import mark
from web.sheets import Row, Workbook, csv_parts

SIZE = 100
AT_ONCE = 2
PIECE = 256 * 1024
HEAD = (
    mark("接收人"),
    mark("结果"),
    mark("原因"),
    mark("渠道"),
    mark("时间（北京）"),
    mark("错误代码"),
)
_BUSY = mark("正在导出的人太多，请过一会儿再试。")
_running = asyncio.Semaphore(AT_ONCE)


class RecipientsPage(BroadcastPart):
    """What became of whom, page by page."""

    async def get(self, broadcast_id: str) -> None:
        broadcast = (await self.look(broadcast_id)).broadcast
        state = self.outcome()
        cursor = self.get_query_argument("cursor", "") or None
        found = await self.ctx.lists.people(
            broadcast.id, self.account_id, state=state, cursor=cursor, limit=SIZE
        )
        here = self.address("broadcast-recipients", broadcast.id)
        kept = {"state": state} if state else {}
        self.page(
            "admin/broadcast_recipients.html",
            broadcast=broadcast,
            people=found.items,
            state=state or "",
            outcomes=OUTCOMES,
            channels=CHANNELS,
            masked=mask_openid,
            say=self.say,
            in_words=in_words,
            next=f"{here}?{urlencode({**kept, 'cursor': found.cursor})}" if found.cursor else "",
            first=f"{here}?{urlencode(kept)}" if cursor else "",
        )

    def outcome(self) -> Outcome | None:
        """Return the outcome that is asked for, None for all."""
        asked = self.get_query_argument("state", "")
        return next((each for each in get_args(Outcome) if each == asked), None)


class ExportPage(RecipientsPage, Download):
    """The report and everybody's outcome as a file; the audit log says who took it."""

    async def get(self, broadcast_id: str, kind: str) -> None:  # type: ignore[override]
        progress = await self.look(broadcast_id)
        state = self.outcome()
        if _running.locked():
            raise TooOften(self.say(_BUSY))
        async with _running:
            await self.note(
                "broadcast.export",
                f"broadcast:{broadcast_id}",
                after={"kind": kind, "state": state or "all"},
            )
            self._begin(progress.broadcast, kind)
            async with self.sending():
                await self._export(progress, kind, state)

    async def _export(self, progress: Progress, kind: str, state: Outcome | None) -> None:
        if kind == "xlsx":
            await self._workbook(progress, state)
            return
        head = [self.say(each) for each in HEAD]
        async for part in csv_parts(head, self._rows(progress.broadcast, state)):
            await self.send(part)

    def _begin(self, broadcast: Broadcast, kind: str) -> None:
        title = "".join(filter(str.isprintable, broadcast.title))  # nothing turns the file's ending
        name = quote(f"{title[:40]}-{broadcast.id}.{kind}", safe="")
        self.set_header(
            "Content-Disposition",
            f"attachment; filename=\"{broadcast.id}.{kind}\"; filename*=UTF-8''{name}",
        )
        self.set_header(
            "Content-Type",
            "text/csv; charset=utf-8"
            if kind == "csv"
            else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )

    async def _workbook(self, progress: Progress, state: Outcome | None) -> None:
        """Write the file beside, then send it: its directory stands at its end."""
        await self.send()  # a proxy sees that something comes
        with tempfile.TemporaryDirectory(prefix="wz-export-") as folder:
            path = Path(folder) / "export.xlsx"
            async with Workbook(path) as book:
                await self._report_sheets(book, progress)
                head = [self.say(each) for each in HEAD]
                rows = self._rows(progress.broadcast, state)
                await book.long_sheet(self.say(_SHEETS["people"]), head, rows)
            file = await asyncio.to_thread(path.open, "rb")
            try:
                while piece := await asyncio.to_thread(file.read, PIECE):
                    await self.send(piece)
            finally:
                await asyncio.to_thread(file.close)

    async def _report_sheets(self, book: Workbook, progress: Progress) -> None:
        report = await self.ctx.reports.read(progress.broadcast)
        number, item = self.say(_NUMBER), self.say(_ITEM)
        await book.sheet(
            self.say(_SHEETS["overview"]),
            (item, number),
            [(self.say(name), count) for name, count in fates_of(progress, report)],
        )
        reasons = await reasons_of(self, progress, report)
        await book.sheet(
            self.say(_SHEETS["reasons"]),
            (self.say(_FATE), self.say(_REASON), number),
            [(self.say(FATES[each.state]), self.say(each.words), each.number) for each in reasons],
        )
        if report is not None:
            await book.sheet(
                self.say(_SHEETS["time"]),
                (self.say(_TIME), *(self.say(words) for words in FATES.values())),
                [
                    (
                        f"{in_beijing(minute.at):%Y-%m-%d %H:%M}",
                        *(minute.counts.get(fate, 0) for fate in FATES),
                    )
                    for minute in report.minutes
                ],
            )

    async def _rows(
        self, broadcast: Broadcast, state: Outcome | None
    ) -> AsyncIterator[Sequence[Row]]:
        parts = self.ctx.lists.everybody(broadcast.id, self.account_id, state=state)
        while True:
            try:
                part = await asyncio.wait_for(anext(parts), READ_SECONDS)
            except StopAsyncIteration:
                return
            await self.check_wanted()  # before a workbook leaves, nothing else would notice
            yield [
                (
                    mask_openid(each.openid),
                    self.say(OUTCOMES[each.state]),
                    self.say(in_words(each)),
                    self.say(CHANNELS.get(each.channel, each.channel)),
                    f"{in_beijing(each.at):%Y-%m-%d %H:%M:%S}",
                    each.errcode,
                )
                for each in part
            ]


_ITEM, _NUMBER, _FATE = mark("项目"), mark("人数"), mark("结果")
_REASON, _TIME = mark("原因"), mark("时间")
_SHEETS = {
    "overview": mark("概况"),
    "reasons": mark("失败原因"),
    "time": mark("时间分布"),
    "people": mark("名单"),
}

routes = (
    route(f"{ONE}/recipients", RecipientsPage, "broadcast-recipients", get="broadcasts.read"),
    route(rf"{ONE}/export\.(csv|xlsx)", ExportPage, "broadcast-export", get="broadcasts.read"),
)
