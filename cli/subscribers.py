"""`subscribers import`, `export` (JSON Lines, contract.md 5) and `count`."""

import getpass
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated

import typer
from pydantic import ValidationError

from cli.common import (
    AccountOption,
    ConfigFile,
    complaints,
    new_file,
    progress_bar,
    run,
    say,
    settings_of,
    whoever,
)
from cli.history import history
from config.catalogue import load_catalogue
from config.logging import set_up_logging
from config.settings import Settings
from domain.audience import Explanation, Rule
from domain.broadcast import Audience
from domain.clock import SystemClock
from domain.errors import ConfigError
from domain.ids import AccountId
from push.audit import Audit, note_access
from push.rule_checks import check_rule, unknown_broadcasts
from storage.mongo.imports import MongoImports
from storage.stores import open_stores
from subscriptions.audience import Audiences
from subscriptions.importing import BadLine, Importer, Progress, Report, export_lines
from web.api.rules import RuleModel

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
    account_id = _account(settings, account)
    if not file.is_file():
        raise ConfigError(f"{file} cannot be read: it is no file; check its name")
    try:
        report = run(_import(settings, file, file.stat().st_size, account_id))
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here", to=complaints)
        raise
    resumed = f", {report.resumed_after} of them by an earlier run" if report.resumed_after else ""
    counts = f"{report.imported} imported, {report.skipped} skipped"
    say(f"{report.lines} lines{resumed}: {counts}", to=complaints)
    if report.skipped and not report.imported:
        raise typer.Exit(1)  # not the file that was meant


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

    The file holds plates and other bound things in plain text: keep it safe. Each export leaves a
    line `audit.read` in the log.

    Example: `python run.py subscribers export people.jsonl --account city`
    """
    settings = settings_of(config)
    account_id = _account(settings, account)
    with ExitStack() as stack:
        sink = stack.enter_context(new_file(file, "wb")) if file else sys.stdout.buffer
        set_up_logging()
        note_access(
            actor=f"cli:{getpass.getuser()}",
            account=account_id,
            what="every follower and what they bound",
            purpose="export",
            unmasked=True,
        )
        count = run(_export(settings, account_id, sink))
    say(f"{count} lines exported", to=complaints)


@subscribers.command()
def count(
    rule: Annotated[
        str, typer.Option("--rule", metavar="FILE|JSON", help="A rule as the API takes it.")
    ],
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ID", help="Needed when there are several accounts."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Say how many people a rule means, and what counting them took.

    Example: `python run.py subscribers count --account city --rule '{"not": {"tag": "staff"}}'`
    """
    settings = settings_of(config)
    found = run(_count(settings, _account(settings, account), _rule(rule)))
    examined = f"{found.keys} index entries and {found.documents} documents examined"
    say(f"{found.count}")
    say(f"{' + '.join(found.indexes)}: {examined} in {found.milliseconds} ms", to=complaints)


def _rule(text: str) -> Rule:
    """Read a rule from the command line, or from the file named there."""
    try:
        content = text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8")
        rule = RuleModel.model_validate_json(content).rule()
    except OSError as error:
        raise ConfigError(f"--rule {text}: {error.strerror}; give a file or JSON") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--rule {text}: the file is not UTF-8 text; give JSON") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "rule"
        raise ConfigError(f"--rule, {place}: {first['msg']}") from error
    problems = check_rule(rule, load_catalogue(), "rule")
    if problems:
        raise ConfigError(f"--rule: {problems[0][2]}")
    return rule


async def _count(settings: Settings, account: AccountId, rule: Rule) -> Explanation:
    async with open_stores(settings, SystemClock()) as stores:
        problems = await unknown_broadcasts(rule, account, stores.broadcasts.find, "rule")
        if problems:
            raise ConfigError(f"--rule: {problems[0][2]}")
        audiences = Audiences(stores.audiences)
        return await audiences.explain(account, audiences.sealed(Audience(rule=rule)))


def _account(settings: Settings, named: str | None) -> AccountId:
    """Return the account meant: the one named, or the only one there is."""
    if named is None and len(settings.accounts) != 1:
        known = ", ".join(account.id for account in settings.accounts) or "none"
        raise ConfigError(f"say which account with --account (known: {known})")
    return AccountId(settings.account(named or settings.accounts[0].id).id)


async def _import(settings: Settings, file: Path, size: int, account: AccountId) -> Report:
    catalogue = load_catalogue()
    async with open_stores(settings, SystemClock()) as stores:
        importer = Importer(MongoImports(stores.database, stores.fields), catalogue)
        with progress_bar() as bars:
            bar = bars.add_task("bytes", total=size)

            def on_progress(progress: Progress) -> None:
                bars.update(bar, completed=progress.read)

            def on_bad(line: BadLine) -> None:
                say(f"line {line.number}: {line.reason}", to=bars.console)

            return await importer.run(file, account, on_progress=on_progress, on_bad=on_bad)


async def _export(settings: Settings, account: AccountId, sink: IO[bytes]) -> int:
    count = 0
    async with open_stores(settings, SystemClock()) as stores:
        await Audit(stores.audit, SystemClock()).record(
            whoever(), "subscriber.export", "subscribers", account=account
        )
        async for line in export_lines(MongoImports(stores.database, stores.fields), account):
            sink.write(line)
            count += 1
    sink.flush()
    return count
