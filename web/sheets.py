"""Exports (导出) as CSV and XLSX: row by row, however many there are. One door to XlsxWriter.

A cell that a spreadsheet would run as a formula gets an apostrophe in front, in both formats: the
file may be opened, saved as the other one and opened again. Columns hold what people read; whole
openids never come here.

A CSV file leaves as it is read. An XLSX file is a zip whose directory stands at its end, so it is
written to disk first, in constant memory, by a thread, and leaves when it is whole.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import xlsxwriter

from domain.spreadsheet import harmless

Cell: TypeAlias = str | int | float | None
Row: TypeAlias = Sequence[Cell]

BOM = "\ufeff"  # without it Excel takes UTF-8 for GBK
MOST_ROWS = 1_048_575  # of a sheet, under its heading (Excel 2007 and later)
LONGEST_CELL = 32_767


def safe(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(cell, str):
        return harmless(cell)[:LONGEST_CELL]
    return cell


def csv_lines(rows: Iterable[Row]) -> bytes:
    """Return rows as lines of CSV (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([["" if cell is None else safe(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


async def csv_parts(head: Row, parts: AsyncIterator[Sequence[Row]]) -> AsyncIterator[bytes]:
    """Yield a CSV file, part by part as it is read."""
    yield BOM.encode() + csv_lines([head])
    async for rows in parts:
        yield await asyncio.to_thread(csv_lines, rows)


class Workbook:
    """An XLSX file being written; it is whole when its block ends well, and given up else.

    Not for several tasks at once.
    """

    def __init__(self, path: Path) -> None:
        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "tmpdir": str(path.parent),
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        self._bold = self._book.add_format({"bold": True})

    async def __aenter__(self) -> "Workbook":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self._give_up()

    async def sheet(self, name: str, head: Row, rows: Iterable[Row]) -> None:
        """Write a small sheet at once."""

        async def once() -> AsyncIterator[Sequence[Row]]:
            yield list(rows)

        await self.long_sheet(name, head, once())

    async def long_sheet(self, name: str, head: Row, parts: AsyncIterator[Sequence[Row]]) -> None:
        """Write as many sheets as the rows need, holding one part in memory."""
        number, place = 1, 0
        sheet = self._begin(name, head)
        async for rows in parts:
            rest: Sequence[Row] = rows
            while rest:
                if place == MOST_ROWS:
                    number, place = number + 1, 0
                    sheet = self._begin(f"{name} {number}", head)
                now, rest = rest[: MOST_ROWS - place], rest[MOST_ROWS - place :]
                await asyncio.to_thread(_write, sheet, place + 1, now)
                place += len(now)

    async def close(self) -> None:
        """Put the file together."""
        await asyncio.to_thread(self._book.close)

    def _give_up(self) -> None:
        """Let go of the rows' temporary files; the library itself does it only when it closes."""
        for sheet in self._book.worksheets():
            sheet._opt_close()

    def _begin(self, name: str, head: Row) -> "xlsxwriter.worksheet.Worksheet":
        sheet = self._book.add_worksheet(name)
        sheet.set_column(0, len(head) - 1, 18)
        sheet.freeze_panes(1, 0)
        for column, cell in enumerate(head):
            sheet.write_string(0, column, str(safe(cell)), self._bold)
        return sheet


def _write(sheet: "xlsxwriter.worksheet.Worksheet", first: int, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows, first):
        for column, cell in enumerate(map(safe, row)):
            if isinstance(cell, str):
                sheet.write_string(place, column, cell)
            elif cell is not None:
                sheet.write_number(place, column, cell)
