"""`audit verify` and `audit export`: the chain of who did what, from outside the console."""

import csv
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated

import typer

from cli.common import (
    ConfigFile,
    complaints,
    new_file,
    progress_bar,
    run,
    say,
    settings_of,
    whoever,
)
from config.logging import set_up_logging
from config.settings import Settings
from domain.audit import Entry
from domain.audit_check import Place, Walk
from domain.clock import SystemClock
from push.audit import Audit
from push.audit_rows import COLUMNS, cells
from storage.stores import open_stores

audit = typer.Typer(help="The audit chain 审计链.", no_args_is_help=True)


@audit.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="SEQ:HASH", help="A place noted elsewhere, to be met."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Follow the chain from its first entry to its signed head; exit 1 at the first broken one.

    Prints the head: keep it elsewhere, and give it to `--head` next time. With it, even a
    database that was put back as a whole is noticed.

    Example: `python run.py audit verify`
    """
    noted = Place.parse(head) if head else None
    walk = run(_verify(settings_of(config), noted))
    if walk.broken_at is not None:
        say(f"broken at entry {walk.broken_at}: {walk.reason}", to=complaints, style="red")
        say(f"{walk.checked} entries before it are whole", to=complaints)
        raise typer.Exit(1)
    say(f"{walk.checked} entries, {walk.first} to {walk.place.seq}: whole", to=complaints)
    if walk.open_intents:
        some = ", ".join(map(str, sorted(walk.open_intents)[:20]))
        say(f"{len(walk.open_intents)} begun without an outcome: {some}", to=complaints)
    say(str(walk.place))


@audit.command()
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A new file: .csv, else JSON Lines.")
    ],
    config: ConfigFile = None,
) -> None:
    """Write the whole chain, oldest first; the export itself becomes an entry.

    Example: `python run.py audit export audit-2026.jsonl`
    """
    settings = settings_of(config)
    set_up_logging()
    encoding = "utf-8-sig" if _is_csv(file) else "utf-8"  # the mark helps spreadsheets
    with new_file(file, "w", encoding=encoding) as sink:
        count = run(_export(settings, sink, as_csv=_is_csv(file)))
    say(f"{count} entries exported", to=complaints)


async def _verify(settings: Settings, noted: Place | None) -> Walk:
    async with open_stores(settings, SystemClock()) as stores:
        chain = Audit(stores.audit, SystemClock())
        walk = await chain.begin_check(noted)
        with progress_bar() as bars:
            bar = bars.add_task("entries", total=walk.total)
            while not walk.is_over:
                walk = await chain.check(walk)
                bars.update(bar, completed=walk.checked)
        return walk


async def _export(settings: Settings, sink: IO[str], *, as_csv: bool) -> int:
    async with open_stores(settings, SystemClock()) as stores:
        chain = Audit(stores.audit, SystemClock())
        await chain.record(whoever(), "audit.export", "audit")
        if as_csv:
            return await _as_csv(chain.chain(), sink)
        return await _as_lines(chain.chain(), sink)


async def _as_csv(entries: AsyncIterator[Entry], sink: IO[str]) -> int:
    writer, count = csv.writer(sink), 0
    writer.writerow(COLUMNS)
    async for entry in entries:
        writer.writerow(cells(entry))
        count += 1
    return count


async def _as_lines(entries: AsyncIterator[Entry], sink: IO[str]) -> int:
    count = 0
    async for entry in entries:
        content = asdict(entry) | {"at": entry.at.isoformat()}
        sink.write(json.dumps(content, ensure_ascii=False) + "\n")
        count += 1
    return count


def _is_csv(file: Path) -> bool:
    return file.suffix.lower() == ".csv"
