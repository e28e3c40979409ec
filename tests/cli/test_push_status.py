"""`push status`, as text and as JSON; and what a process without the role web shows."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import aiohttp
from rich.console import Console

from cli.push_status import Speed, render, speeds
from domain.clock import SystemClock
from domain.ids import AccountId, BroadcastId
from domain.ledger import Totals
from domain.overview import BATCH_STATES, AccountView, Overview, Running, Seen
from tests.support.program import running

NOW = SystemClock().now()


def overview(concluded: int, *, seconds: float = 0.0) -> Overview:
    return Overview(
        at=NOW + timedelta(seconds=seconds),
        accounts=(
            AccountView(
                account=AccountId("city"),
                batches=dict.fromkeys(BATCH_STATES, 0) | {"dead": 2},
                lag=timedelta(seconds=75),
                held_for=timedelta(seconds=42),
                per_second=200.0,
            ),
        ),
        running=(
            Running(
                id=BroadcastId("bc_1"),
                account=AccountId("city"),
                title="停水通知[南山]",
                kind="broadcast",
                priority="normal",
                state="sending",
                expected=1000,
                totals=Totals(people=1000, sent=concluded - 1, unknown=1),
            ),
        ),
        processes=(Seen(name="host:17", roles="push", ago=timedelta(seconds=40), batches=3),),
        troubles=("redis: away",),
    )


def test_the_rate_and_the_time_left_come_from_two_looks():
    found = speeds(overview(200), overview(300, seconds=2.0))

    assert found == {"bc_1": Speed(50.0, timedelta(seconds=14))}


def test_it_shows_what_a_person_on_call_needs():
    out = StringIO()

    now = overview(300, seconds=2.0)
    Console(file=out, width=160).print(render(now, speeds(overview(200), now)))

    text = out.getvalue()
    for part in ("停水通知[南山]", "bc_1", "300 of 1,000", "50", "0:00:14", "75 s", "42 s"):
        assert part in text
    for part in ("host:17", "40 s ago", "3", "redis: away"):
        assert part in text


def test_a_title_does_not_drive_the_terminal():
    out = StringIO()
    now = overview(300)
    running_ = replace(now.running[0], title="停水\x1b[2J\x1b]0;x\x07", reason="\x1b[31m[red]")

    Console(file=out, width=160).print(render(replace(now, running=(running_,)), {}))

    assert "\x1b" not in out.getvalue()
    assert "[red]" in out.getvalue()


async def test_once_prints_tables_and_ends(command):
    done = await command("push", "status", "--once")

    assert done.code == 0
    assert "nothing is being sent" in done.out
    assert "city" in done.out


async def test_json_is_json(command):
    done = await command("push", "status", "--json")

    assert done.code == 0
    found = json.loads(done.out)
    (account,) = found["accounts"]
    assert account["account"] == "city"
    assert account["batches"] == dict.fromkeys(BATCH_STATES, 0)
    assert found["broadcasts"] == []


async def test_a_push_process_shows_its_metrics_on_a_port_of_its_own(env, free_port, mongo, redis):
    own = env | {"WEIZHENG_SERVER__METRICS_PORT": str(free_port)}
    async with running("run.py", "serve", "--roles", "push", env=own):
        alive = await text_of(f"http://127.0.0.1:{free_port}/healthz")
        metrics = await text_of(f"http://127.0.0.1:{free_port}/metrics")

    assert "alive" in alive
    assert 'weizheng_push_batches{account="city",state="ready"} 0.0' in metrics
    assert "weizheng_push_ledger_readable 1.0" in metrics
    assert 'weizheng_push_oldest_due_seconds{account="city"} 0.0' in metrics


async def text_of(address: str) -> str:
    """Return a page once there is one."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        while True:
            try:
                async with http.get(address) as answer:
                    assert answer.status == 200, await answer.text()
                    return await answer.text()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
