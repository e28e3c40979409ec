"""What all commands share: `--config`, the event loop, the console, and errors in one sentence."""

import asyncio
import getpass
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from config.logging import set_up_logging
from config.settings import Settings, load_settings
from domain.audit import Actor
from domain.errors import ConfigError

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
    """Run a command's coroutine on uvloop; unless the command logs, only trouble is told."""
    if not logging.getLogger().handlers:
        set_up_logging(level=logging.WARNING)
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


@contextmanager
def new_file(path: Path, mode: str, *, encoding: str | None = None) -> Iterator[IO[Any]]:
    """Make a file that its owner alone reads; one that is not finished does not stay."""
    try:
        path.touch(mode=0o600, exist_ok=False)
        sink = path.open(mode, encoding=encoding, newline=None if "b" in mode else "")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}); name a new file"
        ) from error
    try:
        with sink:
            yield sink
    except BaseException:  # Ctrl-C too: half an export looks like a whole one
        path.unlink(missing_ok=True)
        raise


def progress_bar() -> Progress:
    """Return a bar for work counted in documents or lines."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=complaints,
    )
