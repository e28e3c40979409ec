"""The commands of `run.py`, joined."""

import sys

import typer

from cli import accounts, audit, backup, doctor, push, routes, servers, subscribers
from cli.common import complaints, say
from domain.errors import ConfigError, ServiceError

app = typer.Typer(
    name="run.py",
    help="Weizheng 微政: the backend of a government WeChat service account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

app.command()(servers.serve)
app.command()(servers.demo)
app.command()(servers.sandbox)
app.command()(servers.databases)
app.command()(routes.routes)
app.command()(doctor.doctor)
app.add_typer(accounts.menu, name="menu")
app.add_typer(accounts.admin, name="admin")
app.add_typer(accounts.apikey, name="apikey")
app.add_typer(subscribers.subscribers, name="subscribers")
app.add_typer(push.push, name="push")
app.add_typer(audit.audit, name="audit")
app.command()(backup.backup)
app.command()(backup.restore)


def main() -> None:
    """Run one command. What is wrong with the settings is one sentence and exit code 2."""
    try:
        app()
    except ConfigError as error:
        say(str(error), to=complaints, style="red")
        sys.exit(2)
    except ServiceError as error:
        say(str(error), to=complaints, style="red")
        sys.exit(1)
