"""`backup` and `restore`: everything in MongoDB as files with checksums.

Redis is not backed up: tokens, sessions, locks and windows expire within two days or are made
again, and the doorbells of the push engine are rung again from the ledger in MongoDB.
"""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.common import ConfigFile, progress_bar, run, say, settings_of
from config.settings import Settings
from domain.clock import SystemClock
from storage.embedded import open_mongo
from storage.mongo.dump import Progress, dump
from storage.mongo.dump import restore as restore_dump


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    config: ConfigFile = None,
) -> None:
    """Write everything in MongoDB into a folder, with checksums.

    Keep security.field_key elsewhere: without it nobody can read the personal fields.

    Example: `python run.py backup /srv/backups/2026-12-01`
    """
    _report(folder, run(_backup(settings_of(config), folder)), "written to")


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder `backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in place of what the database holds.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Bring a backup back into an empty database; stop the service first.

    Example: `python run.py restore /srv/backups/2026-12-01`
    """
    _report(folder, run(_restore(settings_of(config), folder, replace=replace)), "restored from")


async def _backup(settings: Settings, folder: Path) -> dict[str, int]:
    async with open_mongo(settings) as client:
        with _bars() as progress:
            return await dump(
                client,
                settings.mongo.database,
                folder,
                made_at=SystemClock().now(),
                key_mark=key_mark(settings),
                progress=progress,
            )


async def _restore(settings: Settings, folder: Path, *, replace: bool) -> dict[str, int]:
    async with open_mongo(settings) as client:
        with _bars() as progress:
            return await restore_dump(
                client,
                settings.mongo.database,
                folder,
                key_mark=key_mark(settings),
                replace=replace,
                progress=progress,
            )


def key_mark(settings: Settings) -> str:
    """Return what tells two master keys apart and tells nothing about either."""
    key = settings.security.master_key
    return hmac.new(key, b"weizheng backup", hashlib.sha256).hexdigest()[:16]


@contextmanager
def _bars() -> Iterator[Progress]:
    """Show one bar per collection."""
    with progress_bar() as bars:
        tasks = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield progress


def _report(folder: Path, counts: dict[str, int], done: str) -> None:
    documents = sum(counts.values())
    say(f"{documents} documents of {len(counts)} collections {done} {folder}")
