"""Exports run nothing when they are opened, and hold a million rows in little memory."""

import csv
import io
import zipfile
from pathlib import Path

import pytest

from web import sheets
from web.sheets import Workbook, csv_lines, csv_parts, safe

HEAD = ("姓名", "数字")


async def parts_of(*parts):
    for part in parts:
        yield part


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_would_run_is_a_text(start: str):
    assert safe(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"
    assert csv_lines([(f"{start}1",)]).lstrip(b'"').startswith(b"'")


def test_numbers_and_ordinary_texts_stay_as_they_are():
    assert (safe(-5), safe("平安"), safe(None)) == (-5, "平安", None)


async def test_a_csv_file_begins_with_a_mark_for_excel_and_reads_back():
    rows = [('张*, "引号"\n第二行', 1), ("😀\u202e", None)]

    content = b"".join([part async for part in csv_parts(HEAD, parts_of(rows, [("b", 2)]))])

    assert content.startswith(b"\xef\xbb\xbf")
    found = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert found == [list(HEAD), [rows[0][0], "1"], ["😀\u202e", ""], ["b", "2"]]


async def test_a_workbook_has_no_formula_and_goes_on_in_another_sheet(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)
    path = tmp_path / "a.xlsx"
    book = Workbook(path)

    await book.sheet("概况", HEAD, [("=1+1", 1), ("https://a.gov.cn", 2.5)])
    await book.long_sheet("名单", HEAD, parts_of([("a", 1)] * 5, [("b", 2)] * 2))
    await book.close()

    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if "worksheets/sheet" in name]
        content = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert len(names) == 4
    assert "<f>" not in content
    assert "'=1+1" in content
    assert "hyperlink" not in content
