"""Answers that last: over when one may not listen any more, and never half but whole-looking."""

import asyncio
import time

import aiohttp
import pytest
from yarl import URL

from domain.audit import Actor
from tests.support.console import Client, Console
from tests.support.console_broadcasts import in_review, sent
from web.admin import broadcast_live, broadcast_people, download


async def read(client: Client, path: str) -> bytes:
    async with client.http.get(URL(client.base + path)) as answer:
        assert answer.status == 200
        return await answer.read()


@pytest.mark.parametrize("how", ["signed out", "right taken"])
async def test_a_stream_ends_when_its_listener_may_not_listen(console: Console, monkeypatch, how):
    monkeypatch.setattr(broadcast_live, "ASK_EVERY", 0.2)
    reader = await console.as_(("reviewer",))
    assert reader.operator is not None
    broadcast = await in_review(console)
    await console.ctx.broadcasts.approve(broadcast, by="operator:other:x", revision=1)
    address = f"/admin/a/city/broadcasts/{broadcast}/live"
    async with reader.http.get(URL(reader.base + address)) as answer:
        assert answer.status == 200
        await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5)
        if how == "signed out":
            await console.ctx.sign_in.close_all(reader.operator.id)
        else:
            await console.ctx.stores.operators.set_grants(
                reader.operator.id, {"city": frozenset({"desk"})}, by="op_other"
            )
        began = time.monotonic()
        await asyncio.wait_for(answer.content.read(), 5)

    assert time.monotonic() - began < 4
    assert console.ctx.live.streams == 0


async def test_an_export_that_fails_in_the_middle_is_no_whole_file(console: Console, monkeypatch):
    auditor = await console.as_(("auditor",))
    search, calls = console.ctx.audit.search, []

    async def failing(*given, **more):
        calls.append(more)
        if len(calls) > 1:
            raise OSError("the database has gone")
        found, _ = await search(*given, **more)
        return found, 1

    monkeypatch.setattr(console.ctx.audit, "search", failing)

    with pytest.raises(aiohttp.ClientPayloadError):
        await read(auditor, "/admin/audit/export")
    assert len(calls) == 2


async def test_an_export_stops_when_who_takes_it_is_signed_out(console: Console, monkeypatch):
    monkeypatch.setattr(download, "ASK_EVERY", 0.0)
    auditor = await console.as_(("auditor",))
    assert auditor.operator is not None
    who, search = auditor.operator.id, console.ctx.audit.search

    async def signing_out(*given, **more):
        await console.ctx.sign_in.close_all(who)
        return await search(*given, **more)

    monkeypatch.setattr(console.ctx.audit, "search", signing_out)

    with pytest.raises(aiohttp.ClientPayloadError):
        await read(auditor, "/admin/audit/export")


async def test_an_export_nobody_takes_is_given_up(console: Console, monkeypatch, caplog):
    auditor = await console.as_(("auditor",))
    monkeypatch.setattr(download, "SENT_SECONDS", 0.3)
    caplog.set_level("INFO", "web.admin.download")
    entry = await console.ctx.audit.record(Actor("x", "x"), "sign_in", "operator:x")

    async def endless(*_given, **_more):
        return [entry] * 500, 1

    monkeypatch.setattr(console.ctx.audit, "search", endless)
    (cookie,) = (f"{one.key}={one.value}" for one in auditor.http.cookie_jar)
    port = URL(console.base).port
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    head = f"GET /admin/audit/export HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n"
    writer.write(head.encode())
    try:
        for _ in range(200):
            if any("broken_off" in line.message for line in caplog.records):
                break
            await asyncio.sleep(0.05)
        assert any("nothing was taken" in str(vars(line)) for line in caplog.records)
    finally:
        writer.close()


async def test_a_list_that_fails_in_the_middle_is_no_whole_file(console: Console, monkeypatch):
    reader = await console.as_(("reviewer",))
    broadcast = await sent(console)

    async def failing(*_given, **_more):
        yield []
        raise OSError("the database has gone")

    monkeypatch.setattr(console.ctx.lists, "everybody", failing)

    with pytest.raises(aiohttp.ClientPayloadError):
        await read(reader, f"/admin/a/city/broadcasts/{broadcast}/export.csv")
    assert not broadcast_people._running.locked()


async def test_a_workbook_for_somebody_who_closed_the_page_is_given_up_at_once(
    console: Console, monkeypatch, caplog
):
    reader = await console.as_(("reviewer",))
    broadcast = await sent(console)
    caplog.set_level("INFO", "web.admin.download")
    read_on, parts = asyncio.Event(), []

    async def endless(*_given, **_more):
        while True:
            await read_on.wait()
            await asyncio.sleep(0)
            parts.append(1)
            yield []

    monkeypatch.setattr(console.ctx.lists, "everybody", endless)
    path = f"/admin/a/city/broadcasts/{broadcast}/export.xlsx"
    async with reader.http.get(URL(reader.base + path)) as answer:
        assert answer.status == 200
        assert broadcast_people._running._value == 1
        answer.close()
    read_on.set()

    async with asyncio.timeout(5), broadcast_people._running, broadcast_people._running:
        pass  # both places are free again

    assert any("the browser has gone" in str(vars(line)) for line in caplog.records)
