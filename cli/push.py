"""`push …`: the sending engine as the person on call sees it."""

import getpass
from contextlib import suppress
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli import push_status
from cli.common import ConfigFile, console, run, say, settings_of
from config.settings import Settings
from domain.clock import in_beijing
from domain.dead import DeadBatch
from domain.errors import NotFound
from domain.ids import AccountId
from push.dead import Replayed
from runtime.context import open_context
from storage.facts import ServerAway

push = typer.Typer(help="The push engine 推送引擎.", no_args_is_help=True)


@push.command()
def status(
    once: Annotated[bool, typer.Option("--once", help="Print it once and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Once, as JSON.")] = False,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.2, help="Between two looks.")
    ] = 1.0,
    config: ConfigFile = None,
) -> None:
    """Show what is being sent, how fast, what waits, and who works; live until Ctrl-C.

    Example: `python run.py push status --once`
    """
    settings = settings_of(config)
    with suppress(KeyboardInterrupt):
        run(_status(settings, once=once or not console.is_terminal, as_json=as_json, every=every))


@push.command()
def dead(
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Only this account's.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """List the batches that were set aside because they kept killing their worker.

    Example: `python run.py push dead --account city`
    """
    settings = settings_of(config)
    chosen = AccountId(settings.account(account).id) if account else None
    found = run(_dead(settings, chosen))
    if not found:
        say("no batch is dead")
        return
    table = Table("Batch", "Account", "People", "Concluded", "Attempts", "Died")
    for batch in found:
        died = in_beijing(batch.died_at).isoformat(" ", "seconds") if batch.died_at else ""
        numbers = (str(batch.size), str(batch.concluded), str(batch.attempts))
        table.add_row(escape(batch.id), escape(batch.account), *numbers, died)
    console.print(table)
    say("replay one with `push replay BATCH`, or all of a broadcast's with `push replay BROADCAST`")


@push.command()
def replay(
    name: Annotated[
        str, typer.Argument(metavar="BATCH|BROADCAST", help="As `push dead` shows it.")
    ],
    config: ConfigFile = None,
) -> None:
    """Give a dead batch, or all of a broadcast's, another chance. Nobody is sent to twice.

    Example: `python run.py push replay bc_0123456789abcdef01234567:12`
    """
    done = run(_replay(settings_of(config), name))
    if not done.batches:
        say(f"no batch of {name} is dead, so nothing changed; `push dead` lists those that are")
        return
    say(f"{done.batches} batches wait for a worker again; the broadcast is {done.state}")
    if done.state == "paused":
        say("a person paused it: its batches go when it is resumed (POST …/resume of the API)")


@push.command()
def resume(
    account: Annotated[str, typer.Option("--account", metavar="ID", help="Whose.")],
    config: ConfigFile = None,
) -> None:
    """Let personal notices and digests go on that paused by themselves (a banned template …).

    Example: `python run.py push resume --account city`
    """
    settings = settings_of(config)
    number = run(_resume(settings, AccountId(settings.account(account).id)))
    say(f"{number} notices and digests go on" if number else "no notice or digest is paused")


async def _resume(settings: Settings, account: AccountId) -> int:
    async with open_context(settings) as ctx:
        return await ctx.broadcasts.resume_personal(account)


async def _status(settings: Settings, *, once: bool, as_json: bool, every: float) -> None:
    async with open_context(settings) as ctx:
        try:
            if not (once or as_json):
                await push_status.watch(ctx.overviews, console, every=every)
            overview, rates = await push_status.once(ctx.overviews)
        except TimeoutError as error:
            raise ServerAway("MongoDB is too slow: `python run.py doctor` looks at it") from error
        if as_json:
            typer.echo(push_status.as_json(overview, rates))
        else:
            console.print(push_status.render(overview, rates))


async def _dead(settings: Settings, account: AccountId | None) -> list[DeadBatch]:
    async with open_context(settings) as ctx:
        return await ctx.dead.list_all(account)


async def _replay(settings: Settings, name: str) -> Replayed:
    async with open_context(settings) as ctx:
        try:
            return await ctx.dead.replay_named(name, author=f"cli:{getpass.getuser()}")
        except NotFound as error:
            raise NotFound(
                f"there is no broadcast {name.partition(':')[0]}: `push dead` lists the batches "
                "that can be replayed"
            ) from error
