"""`subscribers history`: masked unless somebody says why, and each look leaves a line."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

OPENID = "oReader0000000000000000001"


@pytest.fixture
async def record(mongo) -> None:
    """One message that somebody got."""
    await mongo["broadcasts"].insert_one(
        {"_id": "bc_1", "kind": "broadcast", "topic": "outage.water", "title": "=停水"}
    )
    await mongo["deliveries"].insert_one(
        {"_id": f"bc_1:{OPENID}", "account": "city", "broadcast": "bc_1", "openid": OPENID}
        | {"state": "failed", "errcode": 43101, "at": datetime(2026, 11, 24, 2, tzinfo=UTC)}
    )


async def test_the_export_is_masked_and_noted(command, record, tmp_path: Path):
    file = tmp_path / "history.csv"

    done = await command("subscribers", "history", OPENID, "--account", "city", "--csv", str(file))

    assert done.code == 0, done.err
    with file.open(encoding="utf-8-sig", newline="") as source:
        columns, row = list(csv.reader(source))
    assert columns == ["时间", "主题", "渠道", "送达情况", "未包括", "任务"]
    assert row[:2] == ["2026-11-24 10:00:00+08:00", "停水通知 1 条"]
    assert row[3] == "未送达：已拒收这类通知"
    assert file.stat().st_mode & 0o077 == 0
    assert OPENID not in file.read_text("utf-8-sig") + done.out + done.err
    (line,) = [json.loads(line) for line in done.err.splitlines() if "audit.read" in line]
    assert line["account"] == "city"
    assert line["unmasked"] is False


async def test_whoever_wants_it_unmasked_says_why(command, record, mongo):
    words = ("subscribers", "history", OPENID, "--account", "city", "--unmasked")

    done = await command(*words, "--purpose", "投诉 2026-118 核查")

    assert done.code == 0, done.err
    assert OPENID in done.out
    (line,) = [json.loads(line) for line in done.err.splitlines() if "audit.read" in line]
    assert line["purpose"] == "投诉 2026-118 核查"
    assert line["unmasked"] is True
    kept = await mongo["audit"].find_one({"action": "subscriber.history"})
    assert "2026-118" in kept["after"]
    assert OPENID not in str(kept)


def test_unmasked_without_a_purpose_is_refused(monkeypatch):
    words = ["subscribers", "history", OPENID, "--account", "city", "--unmasked"]

    answer = CliRunner().invoke(app, words)

    assert answer.exit_code != 0
    assert "say why with --purpose" in str(answer.exception)
