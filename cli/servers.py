"""Commands that run something until it is stopped: serve, demo, sandbox, databases."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

import typer

from cli.common import ConfigFile, log_restart, run, say, settings_of, until_stopped
from cli.demo import run_demo
from config.catalogue import load_catalogue
from config.logging import set_up_logging
from config.settings import Settings
from domain.errors import ConfigError
from runtime.roles import serve as runtime_serve
from sandbox.app import run_sandbox
from sandbox.world import World
from storage.embedded import EMBEDDED, keep_running
from web.app import SERVER_OPTIONS, make_app, make_ops_app

ROLES = ("web", "push", "scheduler")
SANDBOX_PORT = 8001


def serve(
    roles: Annotated[
        str, typer.Option(metavar="A,B", help="Which parts this process runs.")
    ] = ",".join(ROLES),
    config: ConfigFile = None,
) -> None:
    """Run the service: all roles in one process, or some of them in each of many.

    Example: `python run.py serve --roles web,push`
    """
    chosen = parse_roles(roles)
    set_up_logging()
    run(_serve(settings_of(config), chosen))


def demo(
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535)] = 8000,
    config: ConfigFile = None,
) -> None:
    """Run everything on this machine with sample data: databases, sandbox and service.

    Example: `python run.py demo --port 8080`
    """
    set_up_logging()
    with suppress(KeyboardInterrupt):
        run(run_demo(settings_of(config), port))


def sandbox(
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535)] = SANDBOX_PORT,
    config: ConfigFile = None,
) -> None:
    """Run the stand-ins for WeChat, phones and departments alone.

    Example: `python run.py sandbox --port 8001`
    """
    set_up_logging()
    run(_sandbox(settings_of(config), port))


def databases(config: ConfigFile = None) -> None:
    """Run the embedded MongoDB and Redis alone, and start again one that dies.

    Other processes with the same storage.data_dir attach to them.

    Example: `python run.py databases`
    """
    set_up_logging()
    run(_databases(settings_of(config)))


def parse_roles(text: str) -> frozenset[str]:
    """Read `web,push`; a name that is none is a mistake to be told about."""
    chosen = frozenset(name.strip() for name in text.split(",") if name.strip())
    wrong = sorted(chosen - set(ROLES))
    if wrong or not chosen:
        what = ", ".join(wrong) or "nothing"
        raise ConfigError(f"--roles names {what}; choose from {', '.join(ROLES)}")
    return chosen


async def _serve(settings: Settings, roles: frozenset[str]) -> None:
    async with until_stopped() as stopped, keep_running(settings, log_restart):
        await runtime_serve(
            settings, roles, make_app, SERVER_OPTIONS, stopped, make_ops_app=make_ops_app
        )


async def _sandbox(settings: Settings, port: int) -> None:
    world = World.from_settings(
        settings.accounts,
        callback_base=settings.server.public_url,
        menu=load_catalogue().menu,
    )
    async with until_stopped() as stopped:
        serving = asyncio.create_task(run_sandbox(world, port))
        say(f"sandbox: http://127.0.0.1:{port}/sandbox/")
        try:
            await _first_of(serving, asyncio.create_task(stopped.wait()))
        except OSError as error:
            raise ConfigError(
                f"port {port} cannot be listened on ({error.strerror}): stop what uses it or "
                "choose another with --port"
            ) from error


async def _databases(settings: Settings) -> None:
    if EMBEDDED not in (settings.mongo.uri, settings.redis.url):
        raise ConfigError(
            "settings mongo.uri and redis.url name servers of your own, so there is nothing to "
            f'run here; write "{EMBEDDED}" for those that this command should run'
        )

    def restarted(program: str) -> None:
        say(f"{program} had died and was started again")

    async with until_stopped() as stopped, keep_running(settings, restarted):
        say(f"databases: running under {settings.storage.data_dir}, Ctrl-C stops them")
        await stopped.wait()


async def _first_of(work: asyncio.Task[None], stop: asyncio.Task[Any]) -> None:
    """Wait for the stop or the end of the work, whose failure travels on."""
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        stop.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await work
