"""`python -m bench`: run every section, print the tables, write `var/bench.json`."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import uvloop
from rich.console import Console as Terminal

from bench import callback, console, push, report, sends
from bench.plan import ROOT, Plan, two_cores

SECTIONS: Mapping[str, Callable[[Plan], Awaitable[report.Section]]] = {
    "callback": callback.measure,
    "sends": sends.measure,
    "push": push.measure,
    "console": console.measure,
}
LONGEST = 1500.0  # seconds for everything


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 1 when an aim was missed and `--strict` was given."""
    options = _options(arguments)
    terminal = Terminal(width=None if sys.stdout.isatty() else 120)
    server_core, client_core = two_cores()
    os.sched_setaffinity(0, {client_core})
    sections: list[report.Section] = []
    begin = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="weizheng-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        for name in options.only:
            terminal.print(f"[dim]measuring {name} …[/]")
            plan = Plan(
                rounds=options.rounds,
                seconds=options.seconds,
                server_core=server_core,
                client_core=client_core,
                people=options.people,
                folder=Path(folder) / name,
            )
            plan.folder.mkdir()
            left = LONGEST - (time.monotonic() - begin)
            section = runner.run(_bounded(SECTIONS[name](plan), left))
            report.show(section, terminal)
            sections.append(section)
    report.write(sections, options.output, rounds=options.rounds, seconds=options.seconds)
    terminal.print(f"written to {options.output} after {time.monotonic() - begin:.0f} s")
    if server_core == client_core:
        terminal.print("[yellow]only one core: servers and load disturbed each other[/]")
    missed = [name for section in sections for name in section.missed]
    if missed:
        terminal.print(f"[red]missed:[/] {'; '.join(missed)}")
    return 1 if missed and options.strict else 0


async def _bounded(work: Awaitable[report.Section], seconds: float) -> report.Section:
    async with asyncio.timeout(seconds):
        return await work


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(SECTIONS),
        default=list(SECTIONS),
        help="sections to run (default: all)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds, medians count")
    parser.add_argument("--seconds", type=float, default=3.0, help="of load per contender, round")
    parser.add_argument(
        "--people", type=int, default=1_000_000, help="subscribers of push and console"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench.json")
    parser.add_argument("--strict", action="store_true", help="fail when an aim is missed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
