"""What all commands share: `--config`, the event loop, the console, and errors in one sentence."""

import asyncio
import getpass
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from config.settings import Settings, load_settings
from domain.audit import Actor

Result = TypeVar("Result")
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings file; else WEIZHENG_CONFIG, else config/settings.toml.",
        show_default=False,
    ),
]
AccountOption = Annotated[
    str, typer.Option("--account", metavar="ID", help="The account's id in the settings.")
]

_PIPE_WIDTH = 160  # tables that another program reads
log = logging.getLogger(__name__)

console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
complaints = Console(stderr=True)


def settings_of(config: Path | None) -> Settings:
    """Read the settings; `ConfigError` ends the command with its sentence."""
    return load_settings(config)


def whoever() -> Actor:
    """Return who runs this command, as the audit log names them."""
    user = getpass.getuser()
    return Actor(f"cli:{user}", user)


def say(text: str, *, to: Console = console, style: str | None = None) -> None:
    """Print a sentence as it is: no markup, no colours of numbers, no line breaks of ours."""
    to.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def log_restart(program: str) -> None:
    """Note that an embedded server had died and runs again."""
    log.warning("embedded.restarted", extra={"server": program})


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine on uvloop."""
    return uvloop.run(work)


@asynccontextmanager
async def until_stopped() -> AsyncIterator[asyncio.Event]:
    """Give an event that SIGINT and SIGTERM set."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def progress_bar() -> Progress:
    """Return a bar for work counted in documents or lines."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=complaints,
    )
