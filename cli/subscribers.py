"""`subscribers import` and `subscribers export`: JSON Lines (contract.md 5)."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from cli.accounts import AccountOption
from cli.common import ConfigFile, complaints, progress_bar, run, say, settings_of
from cli.history import history
from config.catalogue import load_catalogue
from config.settings import Settings
from domain.clock import SystemClock
from domain.errors import ConfigError
from domain.ids import AccountId
from storage.mongo.imports import MongoImports
from storage.stores import open_stores
from subscriptions.importing import BadLine, Importer, Progress, Report, export_lines

subscribers = typer.Typer(
    help="Subscribers 订阅者 as JSON Lines, and what was sent to them.", no_args_is_help=True
)
subscribers.command()(history)


@subscribers.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One JSON object per line.")],
    account: AccountOption,
    config: ConfigFile = None,
) -> None:
    """Add the people of a file to an account; started again after a kill, it goes on.

    Bad lines are skipped and reported by number.

    Example: `python run.py subscribers import people.jsonl --account city`
    """
    settings = settings_of(config)
    size = file.stat().st_size if file.is_file() else 0
    report = run(_import(settings, file, size, _account(settings, account)))
    resumed = f", {report.resumed_after} of them by an earlier run" if report.resumed_after else ""
    counts = f"{report.imported} imported, {report.skipped} skipped"
    say(f"{report.lines} lines{resumed}: {counts}", to=complaints)


@subscribers.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A new file; else stdout.")
    ] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ID", help="Needed when there are several accounts."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Write an account's followers in the form that `import` reads.

    The file holds plates and other bound things in plain text: keep it safe.

    Example: `python run.py subscribers export people.jsonl --account city`
    """
    settings = settings_of(config)
    with ExitStack() as stack:
        sink = stack.enter_context(_new_file(file)) if file else sys.stdout.buffer
        count = run(_export(settings, _account(settings, account), sink))
    say(f"{count} lines exported", to=complaints)


def _account(settings: Settings, named: str | None) -> AccountId:
    """Return the account meant: the one named, or the only one there is."""
    if named is None and len(settings.accounts) != 1:
        known = ", ".join(account.id for account in settings.accounts) or "none"
        raise ConfigError(f"say which account with --account (known: {known})")
    return AccountId(settings.account(named or settings.accounts[0].id).id)


def _new_file(path: Path) -> BinaryIO:
    try:
        path.touch(mode=0o600, exist_ok=False)
        return path.open("wb")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}); name a new file"
        ) from error


async def _import(settings: Settings, file: Path, size: int, account: AccountId) -> Report:
    catalogue = load_catalogue()
    async with open_stores(settings, SystemClock()) as stores:
        importer = Importer(MongoImports(stores.database, stores.fields), catalogue)
        with progress_bar() as bars:
            bar = bars.add_task("bytes", total=size)

            def on_progress(progress: Progress) -> None:
                bars.update(bar, completed=progress.offset)

            def on_bad(line: BadLine) -> None:
                say(f"line {line.number}: {line.reason}", to=bars.console)

            return await importer.run(file, account, on_progress=on_progress, on_bad=on_bad)


async def _export(settings: Settings, account: AccountId, sink: BinaryIO) -> int:
    count = 0
    async with open_stores(settings, SystemClock()) as stores:
        async for line in export_lines(MongoImports(stores.database, stores.fields), account):
            sink.write(line)
            count += 1
    sink.flush()
    return count
