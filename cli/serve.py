"""`serve`: the service, or the parts of it that this process is for."""

from typing import Annotated

import typer

from cli.common import ConfigFile, log_restart, run, settings_of, until_stopped
from config.logging import set_up_logging
from config.settings import Settings
from domain.errors import ConfigError
from runtime.roles import serve as runtime_serve
from storage.embedded import keep_running
from web.app import SERVER_OPTIONS, make_app, make_ops_app

ROLES = ("web", "push", "scheduler")


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
