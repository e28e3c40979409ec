"""What `push status` shows: broadcasts with bars, the accounts' pace and batches, processes."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from domain.ids import BroadcastId
from domain.overview import AccountView, Overview, Running, Seen
from push.overview import Overviews

BAR_WIDTH = 28
SILENT = timedelta(seconds=15)  # a process not heard of for so long is marked


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a broadcast goes, and when it will be through at that rate."""

    per_second: float = 0.0
    left: timedelta | None = None


async def watch(overviews: Overviews, console: Console, *, every: float) -> NoReturn:
    """Show it again and again until interrupted."""
    before = await overviews.read()
    with Live(render(before, {}), console=console, screen=False) as live:
        while True:
            await asyncio.sleep(every)
            now = await overviews.read()
            live.update(render(now, speeds(before, now)))
            before = now


async def once(overviews: Overviews, *, apart: float = 1.0) -> tuple[Overview, Mapping[str, Speed]]:
    """Look twice, so that there is a rate."""
    before = await overviews.read()
    await asyncio.sleep(apart)
    now = await overviews.read()
    return now, speeds(before, now)


def speeds(before: Overview, now: Overview) -> dict[str, Speed]:
    """Compare two looks."""
    seconds = (now.at - before.at).total_seconds()
    concluded: dict[BroadcastId, int] = {each.id: each.totals.concluded for each in before.running}
    found = {}
    for each in now.running:
        if seconds <= 0 or each.id not in concluded:
            continue
        rate = max(0.0, (each.totals.concluded - concluded[each.id]) / seconds)
        rest = each.people - each.totals.concluded
        left = timedelta(seconds=round(rest / rate)) if rate and each.expected is not None else None
        found[str(each.id)] = Speed(rate, left)
    return found


def render(overview: Overview, rates: Mapping[str, Speed]) -> Group:
    """Return everything that is shown."""
    parts: list[Any] = [_accounts(overview)]
    parts.append(_running(overview, rates) if overview.running else Text("nothing is being sent"))
    parts.append(_processes(overview))
    parts += [Text(f"not readable: {trouble}", style="red") for trouble in overview.troubles]
    return Group(*parts)


def as_json(overview: Overview, rates: Mapping[str, Speed]) -> str:
    """Return the same for machines; times in seconds."""
    return json.dumps(
        {
            "at": overview.at.isoformat(),
            "accounts": [_account_json(view) for view in overview.accounts],
            "broadcasts": [
                _running_json(each, rates.get(each.id, Speed())) for each in overview.running
            ],
            "processes": [_process_json(each) for each in overview.processes],
            "troubles": list(overview.troubles),
        },
        ensure_ascii=False,
        indent=2,
    )


# --- tables -----------------------------------------------------------------------------------


def _accounts(overview: Overview) -> Table:
    table = Table(title="Accounts", title_justify="left")
    table.add_column("account")
    columns = ("pace/s", "held", "today", "sending", "paused", "ready", "waiting", "leased")
    for name in (*columns, "dead", "oldest due"):
        table.add_column(name, justify="right")
    for view in overview.accounts:
        quota = f" of {view.quota:,}" if view.quota is not None else ""
        dead = view.batches["dead"]
        table.add_row(
            escape(view.account),
            "?" if view.per_second is None else f"{view.per_second:,.0f}",
            _marked(view.held_for),
            "?" if view.used_today is None else f"{view.used_today:,}{quota}",
            *(str(number) for number in (view.running, view.paused)),
            *(str(view.batches[state]) for state in ("ready", "waiting", "leased")),
            f"[red]{dead}[/]" if dead else "0",
            _marked(view.lag, after=timedelta(seconds=10)),
        )
    return table


def _running(overview: Overview, rates: Mapping[str, Speed]) -> Table:
    table = Table(title="Broadcasts", title_justify="left")
    table.add_column("broadcast")
    table.add_column("state")
    table.add_column("progress", min_width=BAR_WIDTH)
    for name in ("concluded", "failed", "unknown", "per second", "left"):
        table.add_column(name, justify="right")
    for each in overview.running:
        speed = rates.get(each.id, Speed())
        totals = each.totals
        expanding = " (being expanded)" if each.expected is None else ""
        state = f"[yellow]{each.state}[/]: {_plain(each.reason)}" if each.reason else each.state
        table.add_row(
            f"{_plain(each.title)}\n[dim]{each.id}[/]",
            f"[bold]urgent[/] {state}" if each.priority == "urgent" else state,
            ProgressBar(total=max(each.people, 1), completed=totals.concluded, width=BAR_WIDTH),
            f"{totals.concluded:,} of {each.people:,}{expanding}",
            f"{totals.failed:,}",
            f"[red]{totals.unknown:,}[/]" if totals.unknown else "0",
            f"{speed.per_second:,.0f}",
            "" if speed.left is None else str(speed.left),
        )
    return table


def _processes(overview: Overview) -> Table:
    table = Table(title="Processes", title_justify="left")
    for name in ("process", "roles", "last heard", "batches held"):
        table.add_column(name)
    for each in overview.processes:
        if each.ago == timedelta.max:
            heard = "[red]not heard of[/]"
        elif each.ago >= SILENT:
            heard = f"[red]{each.ago.total_seconds():.0f} s ago[/]"
        else:
            heard = f"{each.ago.total_seconds():.0f} s ago"
        table.add_row(escape(each.name), escape(each.roles), heard, str(each.batches))
    return table


def _plain(text: str) -> str:
    """Show what a department wrote: no markup, and no control of the operator's terminal."""
    return escape("".join(each if each.isprintable() else "�" for each in text))


def _marked(span: timedelta, *, after: timedelta = timedelta(0)) -> str:
    seconds = span.total_seconds()
    text = f"{seconds:.0f} s" if seconds >= 1 or not seconds else f"{seconds:.1f} s"
    return f"[red]{text}[/]" if span > after else text


# --- for machines -----------------------------------------------------------------------------


def _account_json(view: AccountView) -> dict[str, Any]:
    return {
        "account": view.account,
        "batches": dict(view.batches),
        "sending": view.running,
        "paused": view.paused,
        "oldest_due_seconds": view.lag.total_seconds(),
        "pace_per_second": view.per_second,
        "held_seconds": view.held_for.total_seconds(),
        "used_today": view.used_today,
        "quota": view.quota,
    }


def _running_json(each: Running, speed: Speed) -> dict[str, Any]:
    totals = each.totals
    return {
        "id": each.id,
        "account": each.account,
        "title": each.title,
        "priority": each.priority,
        "state": each.state,
        "reason": each.reason,
        "started_at": each.started_at.isoformat() if each.started_at else None,
        "is_expanded": each.expected is not None,
        "people": each.people,
        "sent": totals.sent,
        "failed": totals.failed,
        "skipped": totals.skipped,
        "unknown": totals.unknown,
        "per_second": round(speed.per_second, 1),
        "left_seconds": speed.left.total_seconds() if speed.left is not None else None,
    }


def _process_json(each: Seen) -> dict[str, Any]:
    heard = None if each.ago == timedelta.max else each.ago.total_seconds()
    return {
        "process": each.name,
        "roles": each.roles,
        "heard_seconds_ago": heard,
        "batches": each.batches,
    }
