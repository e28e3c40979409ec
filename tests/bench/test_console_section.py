"""The section `console`, on a small scale: every page is asked; the figures mean little."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.console.data import Stock
from bench.console.pages import LEADS, STREAMS, NoSample, address, samples_of, whose
from domain.ids import BroadcastId, OpenId
from web.admin.routes import ROUTES
from web.admin.sign_in import SignInPage
from web.admin.table import route


def test_a_small_run_asks_for_every_page_and_no_answer_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    options = ["--only", "console", "--people", "1200", "--rounds", "1", "--seconds", "0.02"]

    done = subprocess.run(
        [sys.executable, "-m", "bench", *options, "--output", str(path)],
        check=False,
        capture_output=True,
        timeout=400,
    )

    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(path.read_text())["sections"]["console"]
    properties = {row["name"]: row for row in found["properties"]}
    assert not [row for row in properties.values() if "failed" in row["measured"]]
    asked = properties["pages, parts, plots and streams asked for"]["values"]["value"]
    assert asked > len([each for each in ROUTES.values() if each.get])
    assert "memory of the web process after exports" in properties
    ten = [row for row in properties.values() if row["bar"] == "≤ 500 ms"]
    assert len(ten) >= 10


def test_a_route_that_names_something_and_has_no_sample_is_an_error() -> None:
    new = route(r"/admin/a/{account}/things/(\w+)", SignInPage, "thing", get="broadcasts.read")

    with pytest.raises(NoSample, match="'thing'"):
        address(new, {})


def test_whoever_may_looks_and_nobody_at_what_is_for_all() -> None:
    assert whose(ROUTES["sign-in"]) is None
    assert whose(ROUTES["audit"]) == "auditor"
    assert {*LEADS, *STREAMS} <= ROUTES.keys()


def test_every_page_of_the_table_has_a_sample() -> None:
    stock = Stock(
        big=BroadcastId("bc_1"),
        review=BroadcastId("bc_2"),
        plan=BroadcastId("bc_3"),
        follower=OpenId("o1"),
        template=("template", "t1"),
        operator="op_1",
        entries=1,
        drafts={"everybody": BroadcastId("bc_4")},
    )
    sealed = SimpleNamespace(followers=SimpleNamespace(reference=lambda *_: "x" * 40))

    samples = samples_of(SimpleNamespace(ctx=sealed), stock)  # type: ignore[arg-type]

    for each in ROUTES.values():
        if each.get is not None:
            assert re.fullmatch(each.pattern.replace("{account}", "bench"), address(each, samples))
