"""`subscribers history`: what was sent to one person, on the screen or as CSV."""

import csv
import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.common import (
    AccountOption,
    ConfigFile,
    complaints,
    console,
    new_file,
    run,
    say,
    settings_of,
    whoever,
)
from config.catalogue import load_catalogue
from config.logging import set_up_logging
from config.settings import Settings
from domain.clock import SystemClock, in_beijing
from domain.errors import ConfigError
from domain.ids import AccountId, OpenId
from domain.looking import mark_source, object_of
from domain.masking import mask_openid
from domain.spreadsheet import harmless
from push.audit import Audit
from push.history import History, HistoryRow, note_reading
from storage.stores import open_stores

COLUMNS = ("时间", "主题", "渠道", "送达情况", "未包括", "任务")
UNMASKED = ("openid", "错误代码", "消息编号")


def history(
    openid: Annotated[str, typer.Argument(metavar="OPENID", help="Whose history.")],
    account: AccountOption,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="A new CSV file; else a table.")
    ] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="With openid and message ids; needs --purpose.")
    ] = False,
    purpose: Annotated[
        str | None, typer.Option("--purpose", metavar="TEXT", help="Why; kept in the audit log.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Show what was sent to a person: when, about what, delivered or why not.

    Masked unless told otherwise; it never holds what a message said. Each look leaves a line
    `audit.read` in the log.

    Example: `python run.py subscribers history oCit0001 --account city --csv history.csv`
    """
    purpose = (purpose or "").strip()
    if unmasked and not purpose:
        raise ConfigError("--unmasked shows personal data: say why with --purpose TEXT")
    settings = settings_of(config)
    account_id, person = AccountId(settings.account(account).id), OpenId(openid)
    set_up_logging()
    note_reading(
        actor=f"cli:{getpass.getuser()}",
        account=account_id,
        openid=person,
        purpose=purpose or "masked",
        unmasked=unmasked,
    )
    rows = run(_rows(settings, account_id, person, purpose=purpose if unmasked else ""))
    columns = COLUMNS + (UNMASKED if unmasked else ())
    cells = [_cells(row, person if unmasked else None) for row in rows]
    if csv_file is None:
        _print(columns, cells)
    else:
        _write(csv_file, columns, cells)
    say(f"{len(rows)} messages to {person if unmasked else mask_openid(person)}", to=complaints)


async def _rows(
    settings: Settings, account: AccountId, openid: OpenId, *, purpose: str
) -> list[HistoryRow]:
    """Return a person's messages; an unmasked look, which has a purpose, is in the chain before."""
    async with open_stores(settings, SystemClock()) as stores:
        if purpose:
            await Audit(stores.audit, SystemClock()).record(
                whoever(),
                "subscriber.history",
                object_of(stores.fields.blind("audit", mark_source(account, openid))),
                account=account,
                after={"openid": mask_openid(openid), "purpose": purpose},
            )
        reader = History(stores.history, stores.digests, load_catalogue())
        return [row async for row in reader.rows(account, openid)]


def _cells(row: HistoryRow, openid: OpenId | None) -> tuple[str, ...]:
    cells = (
        in_beijing(row.at).isoformat(" ", "seconds"),
        "、".join(f"{topic.title} {topic.count} 条" for topic in row.topics),
        row.channel,
        row.outcome,
        "、".join(f"{topic.title} {topic.count} 条" for topic in row.left_out),
        row.broadcast,
    )
    if openid is None:
        return cells
    return (*cells, openid, str(row.errcode or ""), row.msgid or "")


def _print(columns: tuple[str, ...], cells: list[tuple[str, ...]]) -> None:
    table = Table(*columns)
    for line in cells:
        table.add_row(*map(escape, line))
    console.print(table)


def _write(path: Path, columns: tuple[str, ...], cells: list[tuple[str, ...]]) -> None:
    with new_file(path, "w", encoding="utf-8-sig") as sink:  # the mark helps spreadsheets
        writer = csv.writer(sink)
        writer.writerow(columns)
        writer.writerows([harmless(cell) for cell in line] for line in cells)
