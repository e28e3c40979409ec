"""Reports: medians, ratios, and a file that machines can read."""

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from bench.report import Row, Sample, Section, ratio, show, write


def sample(rate: float, cpu_us: float = 100.0) -> Sample:
    return Sample(requests=int(rate), seconds=1.0, p50_ms=1.0, p99_ms=2.0, cpu_us=cpu_us)


def section() -> Section:
    ours = [sample(3000), sample(1000), sample(2000)]
    bare = [sample(8000), sample(8000), sample(8000)]
    return Section(
        name="callback",
        title="A message",
        rows=[Row.of("ours", ours), Row.of("bare", bare)],
        ratios=[ratio("ours / bare", ours, bare, aim=0.3)],
        checked="all answers",
    )


def test_a_row_holds_the_medians_of_its_rounds_and_how_far_they_lay_apart() -> None:
    row = Row.of("ours", [sample(3000, 90), sample(1000, 300), sample(2000, 120)])

    assert (row.per_second, row.cpu_us) == (2000.0, 120.0)
    assert row.spread == 1.0


def test_a_ratio_says_whether_its_aim_was_reached() -> None:
    ours, other = [sample(2500)], [sample(10_000)]

    assert ratio("r", ours, other, aim=0.25).reached
    assert not ratio("r", ours, other, aim=0.26).reached


def test_a_ratio_compares_what_ran_in_the_same_round() -> None:
    """The machine became four times slower: for both."""
    ours, other = (
        [sample(4000), sample(2000), sample(1000)],
        [
            sample(8000),
            sample(4000),
            sample(2000),
        ],
    )

    assert ratio("r", ours, other, aim=0.3).value == 0.5


def test_the_table_names_everybody_and_marks_a_missed_aim() -> None:
    out = StringIO()

    show(section(), Console(file=out, width=120))

    text = out.getvalue()
    assert "ours" in text
    assert "bare" in text
    assert "0.25 (aim ≥ 0.30, missed)" in text


def test_the_file_holds_rows_and_ratios(tmp_path: Path) -> None:
    path = tmp_path / "var" / "bench.json"

    write([section()], path, rounds=3, seconds=1.0)

    found = json.loads(path.read_text())["sections"]["callback"]
    assert found["rows"][0]["per_second"] == 2000.0
    assert found["ratios"] == [{"name": "ours / bare", "value": 0.25, "aim": 0.3, "reached": False}]
