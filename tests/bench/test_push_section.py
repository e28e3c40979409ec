"""The section `push`, on a small scale: every measurement works; the figures mean nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.report import Section, at_least, at_most, told
from bench.servers.recorder import Book, _fullest_second

ROWS = [
    "import of 2,400",
    "audience count at 2,400",
    "speed beside a bare loop of the same client",
    "speed beside wechatpy, 32 threads",
    "first send after the planned time",
    "expansion of 2,400, due to ready",
    "memory of the scheduler",
    "memory of a push process",
    "last send after the answer to pause",
    "last send after the answer to cancel",
    "cancelled: everybody counted",
    "two processes beside one, no core free",
    "pace over 2 processes",
    "the fullest second at the platform",
    "two processes beside one, cores free",
    "sent on after SIGKILL",
    "repeats of that kill",
    "lost, doubled over all of these broadcasts",
]


def test_a_small_run_has_every_row_and_loses_nobody(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    options = ["--only", "push", "--people", "2400", "--rounds", "1", "--seconds", "0.02"]

    done = subprocess.run(
        [sys.executable, "-m", "bench", *options, "--output", str(path)],
        check=False,
        capture_output=True,
        timeout=400,
    )

    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(path.read_text())["sections"]["push"]
    properties = {row["name"]: row for row in found["properties"]}
    assert not [row["measured"] for row in properties.values() if "failed" in row["measured"]]
    for name in ROWS:
        assert [row for row in properties if row.startswith(name)], name
    assert properties["lost, doubled over all of these broadcasts"]["reached"] is True
    assert len(found["rows"]) == 3


@pytest.mark.parametrize(
    ("times", "most"),
    [([], 0), ([1.0], 1), ([0.0, 0.5, 0.999, 1.0], 3), ([0.0, 0.9, 1.8, 1.85, 2.0], 3)],
)
def test_the_fullest_second_is_any_second(times: list[float], most: int) -> None:
    """A window holds its beginning and not its end: sends a second apart are in two of them."""
    assert _fullest_second(times) == most


def test_a_send_that_came_twice_is_told() -> None:
    book = Book()
    book.keys, book.times = [b"a", b"b", b"a"], [1.0, 2.0, 3.0]

    assert book.doubled() == 1
    assert (book.tally()["total"], book.tally()["distinct"]) == (3, 2)


def test_a_bar_is_reached_or_missed_and_what_has_none_is_told() -> None:
    rows = (
        at_least("a", 0.5, 0.5),
        at_most("b", 1.2, 1.0, unit="s"),
        told("c", 12345.6, unit="lines/s", note="of 2"),
    )

    section = Section(name="push", title="t", rows=(), properties=rows)

    assert section.missed == ["b"]
    assert (rows[1].measured, rows[1].bar) == ("1.20 s", "≤ 1 s")
    assert rows[2].measured == "12,346 lines/s (of 2)"
