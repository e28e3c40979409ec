"""The auditor's pages: searched without an openid in an address, exported harmlessly, checked."""

import csv
import io
import re

import pytest

from domain.audit import Actor
from domain.ids import AccountId, OpenId
from tests.support.console import Client, Console
from web.admin import audit as pages

EVIL = Actor("op_evil", "=cmd|' /C calc'!A0")
ANNA = "oAnna" + "x" * 23


@pytest.fixture
async def auditor(console: Console) -> Client:
    record = console.ctx.audit.record
    await record(EVIL, "topic.edit", "topic:<script>alert(1)</script>", account="city")
    anna = console.ctx.followers.audit_object(AccountId("city"), OpenId(ANNA))
    await record(Actor("op_2", "王强"), "subscriber.view", anna, account="city", after={"a": "+1"})
    return await console.as_(("auditor",), name="审计员老李")


async def test_only_the_auditor_reads_the_log(console: Console, auditor: Client):
    assert (await auditor.get("/admin/audit")).status == 200
    for role in ("system_admin", "security_admin", "desk", "editor"):
        other = await console.as_((role,))
        for path in ("/admin/audit", "/admin/audit/export", "/admin/audit/check"):
            assert (await other.get(path)).status == 403


async def test_entries_are_found_by_whoever_did_what(auditor: Client):
    everything = await auditor.get("/admin/audit")
    led = await auditor.post("/admin/audit", {"who": "王强", "action": "subscriber.view"})
    found = await auditor.get(led.location)

    assert "<script>alert(1)" not in everything.text
    assert "&lt;script&gt;" in everything.text
    assert led.status == 303
    assert "王强" in found.text
    assert "topic:" not in found.text


async def test_a_person_is_searched_by_openid_and_the_address_does_not_hold_it(auditor: Client):
    led = await auditor.post("/admin/audit", {"object": ANNA, "account": "city"})
    found = await auditor.get(led.location)
    refused = await auditor.post("/admin/audit", {"object": ANNA})

    assert ANNA not in led.location
    assert "王强" in found.text
    assert refused.status == 422
    assert "请选择账号" in refused.text


async def test_a_search_that_cannot_be_says_so_beside_its_field(auditor: Client):
    for form, sentence in (
        ({"who": "x" * 1_000_000}, "最多 80 个字"),
        ({"since": "yesterday"}, "请填写日期和时间"),
        ({"since": "2026-11-02T00:00", "until": "2026-11-01T00:00"}, "结束时间应晚于开始时间"),
    ):
        refused = await auditor.post("/admin/audit", form)

        assert refused.status == 422
        assert sentence in refused.text


async def test_the_export_carries_out_no_formula_and_is_an_entry_itself(auditor: Client):
    answer = await auditor.get("/admin/audit/export?account=city")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))

    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert len(rows) == 3
    assert rows[2][3] == "'=cmd|' /C calc'!A0"
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell]
    assert "审计记录 · 导出" in (await auditor.get("/admin/audit?action=audit.export")).text


async def test_the_check_goes_on_from_answer_to_answer_and_names_what_is_broken(
    auditor: Client, console: Console, monkeypatch
):
    monkeypatch.setattr(pages, "STEP", 2)
    for number in range(3):
        await console.ctx.audit.record(EVIL, "topic.edit", f"topic:{number}")

    async def check(answer_to: str = "") -> str:
        answer = await auditor.post("/admin/audit/check", {"ticket": answer_to}, htmx=True)
        while found := re.search(r'name="ticket" value="([^"]+)"', answer.text):
            answer = await auditor.post("/admin/audit/check", {"ticket": found[1]}, htmx=True)
        return answer.text

    assert "完好：5 条" in await check()
    forged = await auditor.post("/admin/audit/check", {"ticket": "e30=.00"}, htmx=True)
    assert forged.status == 422
    await console.ctx.stores.database["audit"].update_one({"_id": 4}, {"$set": {"actor": "op_x"}})
    assert "审计链在第 4 条断开" in await check()
    noted = await auditor.post("/admin/audit/check", {"noted": "4:00"})
    assert "链尾应写作" in noted.text


async def test_a_time_beyond_the_calendar_is_refused_and_no_error_of_ours(auditor: Client):
    typed = await auditor.post("/admin/audit", {"since": "0001-01-01T00:00"})
    asked = await auditor.get("/admin/audit?since=0001-01-01T00:00")
    exported = await auditor.get("/admin/audit/export?until=9999-12-31T23:59")

    assert typed.status == 422
    assert "2000 年到 2100 年" in typed.text
    assert (asked.status, exported.status) == (400, 400)
