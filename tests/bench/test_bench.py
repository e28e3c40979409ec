"""`python -m bench` itself, on a small scale: every contender starts, answers and is measured."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONTENDERS = {
    "callback": [
        "bare Tornado, one word",
        "WeRoBot, safe mode, SQLite",
        "ours, safe mode",
        "ours, MongoDB asked too",
    ],
    "sends": [
        "aiohttp, nothing around it",
        "WeChatApi.send_template",
        "wechatpy, 32 threads",
    ],
}


@pytest.mark.parametrize("section", CONTENDERS)
def test_a_short_run_measures_everybody_and_writes_the_file(section: str, tmp_path: Path) -> None:
    """The callback section reads our real answers, so it fails when the service apologises."""
    path = tmp_path / "bench.json"
    options = ["--only", section, "--rounds", "1", "--seconds", "0.02", "--output", str(path)]

    # a process of its own, for it ties itself to a core
    done = subprocess.run(
        [sys.executable, "-m", "bench", *options], check=False, capture_output=True, timeout=120
    )

    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(path.read_text())["sections"][section]
    assert [row["name"] for row in found["rows"]] == CONTENDERS[section]
    assert all(row["per_second"] > 0 and row["cpu_us"] >= 0 for row in found["rows"])
    assert len(found["ratios"]) == 2
