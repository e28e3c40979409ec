"""The commands of `run.py`, by name; a command's module is loaded when the command is meant.

All of them together bring the drivers, the web and the sandbox along: a second and a half before
the first line of help. What a command says of itself here is the first sentence of its own help.
"""

import errno
import sys
from importlib import import_module
from typing import Any, Literal, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from domain.errors import ConfigError, ServiceError

# what a place is to blame for: full, read-only, not ours, not what it should be
PLACE_ERRORS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
        errno.EISDIR,
    }
)
MARKUP: Literal["markdown"] = "markdown"


class Place(NamedTuple):
    """Where a command is, `module:name`, and what it says of itself in the list of all."""

    at: str
    says: str


COMMANDS = {
    "serve": Place(
        "cli.serve:serve",
        "Run the service: all roles in one process, or some of them in each of many.",
    ),
    "demo": Place(
        "cli.demo:demo",
        "Run everything on this machine with sample data: databases, sandbox and service.",
    ),
    "sandbox": Place(
        "cli.sandbox:sandbox",
        "Run the stand-ins for WeChat, phones and departments alone.",
    ),
    "databases": Place(
        "cli.databases:databases",
        "Run the embedded MongoDB and Redis alone, and start again one that dies.",
    ),
    "routes": Place("cli.routes:routes", "Show the conversation's routes and the HTTP routes."),
    "doctor": Place(
        "cli.doctor:doctor",
        "Check settings, MongoDB, Redis, calendars, each account with WeChat; exit 1 on a failure.",
    ),
    "menu": Place("cli.menu:menu", "The account's menu 自定义菜单."),
    "admin": Place("cli.operators:admin", "Operators of the console 工作人员."),
    "apikey": Place("cli.accounts:apikey", "Keys for departments' systems 接口密钥."),
    "subscribers": Place(
        "cli.subscribers:subscribers",
        "Subscribers 订阅者 as JSON Lines, and what was sent to them.",
    ),
    "push": Place("cli.push:push", "The push engine 推送引擎."),
    "audit": Place("cli.audit:audit", "The audit chain 审计链."),
    "backup": Place(
        "cli.backup:backup", "Write everything in MongoDB into a folder, with checksums."
    ),
    "restore": Place(
        "cli.backup:restore",
        "Bring a backup back into an empty database; stop the service first.",
    ),
}


class ByName(TyperGroup):
    """The group of all commands: listed from the table above, loaded one at a time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, place in COMMANDS.items():
            self.add_command(TyperCommand(name, help=place.says))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the entry that is meant, and give the command it stands for."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(str(name)), rest


app = typer.Typer(
    name="run.py",
    cls=ByName,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=MARKUP,
)


@app.callback()
def _all() -> None:
    """Weizheng 微政: the backend of a government WeChat service account."""


def load(name: str) -> Any:
    """Import a command, or a group of them, and return it as the command line runs it."""
    module, _, attribute = COMMANDS[name].at.partition(":")
    found = getattr(import_module(module), attribute)
    alone = typer.Typer(rich_markup_mode=MARKUP, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return get_group(alone).commands[name]


def main() -> None:
    """Run one command. What is wrong with the settings is one sentence and exit code 2.

    So is a full disk or a folder that may not be written; any other error of the system's is ours.
    """
    try:
        app()
    except ConfigError as error:
        _end(str(error), 2)
    except ServiceError as error:
        _end(str(error), 1)
    except OSError as error:
        if error.errno not in PLACE_ERRORS:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _end(f"{place}{error.strerror}; free space or choose another place, then start again", 2)


def _end(sentence: str, code: int) -> NoReturn:
    typer.secho(sentence, err=True, fg="red")
    sys.exit(code)
