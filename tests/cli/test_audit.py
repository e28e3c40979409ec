"""`audit verify` and `audit export`: from outside the console, with exit codes for scripts."""

import csv
import json
from pathlib import Path

from config.settings import Settings, load_settings
from domain.audit import Actor
from domain.clock import SystemClock
from push.audit import Audit
from storage.mongo.audit import MongoAudit


async def test_the_chain_is_verified_exported_and_what_is_broken_is_named(
    command, env: dict[str, str], mongo, settings: Settings, tmp_path: Path
):
    key = load_settings(env=env).security.master_key
    audit = Audit(MongoAudit(mongo, key), SystemClock())
    for number in range(3):
        await audit.record(Actor("=op", "@王强"), "topic.edit", f"topic:{number}")

    whole = await command("audit", "verify")
    table, lines = tmp_path / "audit.csv", tmp_path / "audit.jsonl"
    await command("audit", "export", str(table))
    await command("audit", "export", str(lines))
    again = await command("audit", "export", str(lines))
    await mongo["audit"].delete_one({"_id": 2})
    broken = await command("audit", "verify", "--head", whole.out.strip())

    assert whole.code == 0, whole.err
    assert "3 entries, 1 to 3: whole" in whole.err
    with table.open(encoding="utf-8-sig", newline="") as source:
        rows = list(csv.reader(source))
    assert [row[0] for row in rows] == ["序号", "1", "2", "3", "4"]
    assert rows[1][2:4] == ["'=op", "'@王强"]
    kept = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert kept[-1]["action"] == "audit.export"
    assert kept[1]["previous"] == kept[0]["hash"]
    assert lines.stat().st_mode & 0o077 == 0
    assert again.code == 2
    assert "name a new file" in again.err
    assert broken.code == 1
    assert "broken at entry 2" in broken.err
