"""Commands about who may do what: `admin …` and `apikey …`."""

import getpass
import sys
from typing import Annotated

import typer

from cli.common import AccountOption, ConfigFile, run, say, settings_of, whoever
from config.settings import Settings
from console.desk import granted
from domain.access import EVERYWHERE, ROLES, SCOPES, Grants, Scope
from domain.clock import SystemClock
from domain.errors import ConfigError
from domain.ids import AccountId
from domain.rights import check_grants
from push.audit import Audit
from storage.stores import open_stores

LONGEST_NAME = 40  # as in the console

admin = typer.Typer(help="Operators of the console 工作人员.", no_args_is_help=True)
apikey = typer.Typer(help="Keys for departments' systems 接口密钥.", no_args_is_help=True)


@admin.callback()
@apikey.callback()
def _group() -> None:
    """Keep a group of one command a group."""


@admin.command("create")
def create_admin(
    name: str,
    role: Annotated[
        list[str],
        typer.Option(metavar="ROLE", help=f"One of {', '.join(ROLES)}; may be repeated."),
    ],
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Grant the roles in this account only, not in all."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Add an operator; the password is asked for, or read from stdin.

    Example: `python run.py admin create 李敏 --role editor --role publisher --account city`
    """
    settings = settings_of(config)
    wanted = set(role)
    if wrong := sorted(wanted.difference(ROLES)):
        raise ConfigError(f"--role {wrong[0]!r} is not known; choose from {', '.join(ROLES)}")
    where = AccountId(settings.account(account).id) if account else EVERYWHERE
    grants: Grants = {where: frozenset(known for known in ROLES if known in wanted)}
    check_grants(grants)
    run(_create_admin(settings, name, grants, _read_password()))
    say(f"{name} may sign in as {', '.join(role)} {f'in {account}' if account else 'everywhere'}")


@apikey.command("create")
def create_key(
    account: AccountOption,
    name: Annotated[str, typer.Option(metavar="NAME", help="Who will use it.")],
    scopes: Annotated[str, typer.Option(metavar="A,B", help=f"Some of {', '.join(SCOPES)}.")],
    config: ConfigFile = None,
) -> None:
    """Make a key for a department's system and print it, this once.

    Example: `python run.py apikey create --account city --name 水务集团 --scopes broadcasts:write`
    """
    settings = settings_of(config)
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"--name is 1 to {LONGEST_NAME} printable characters: say who uses it")
    wanted = {scope.strip() for scope in scopes.split(",") if scope.strip()}
    chosen = [scope for scope in SCOPES if scope in wanted]
    wrong = sorted(wanted - set(SCOPES))
    if wrong or not chosen:
        what = ", ".join(wrong) or "nothing"
        raise ConfigError(f"--scopes names {what}; choose from {', '.join(SCOPES)}")
    typer.echo(run(_create_key(settings, account, name, chosen)))


# --- what they do -------------------------------------------------------------------------


async def _create_admin(settings: Settings, name: str, grants: Grants, password: str) -> None:
    clock = SystemClock()
    async with open_stores(settings, clock) as stores:
        audit = Audit(stores.audit, clock)
        async with audit.around(whoever(), "operator.create", "operator:new", remote="cli") as act:
            made = await stores.operators.create(name, grants, password, now=clock.now())
            act.after |= {"id": made, "name": name, **granted(grants)}


async def _create_key(settings: Settings, account: str, name: str, scopes: list[Scope]) -> str:
    known = AccountId(settings.account(account).id)
    clock = SystemClock()
    async with open_stores(settings, clock) as stores:
        audit = Audit(stores.audit, clock)
        async with audit.around(
            whoever(), "api_key.create", f"account:{known}", account=known, remote="cli"
        ) as act:
            key, key_id = await stores.api_keys.make(known, name, scopes, now=clock.now())
            act.after |= {"key": key_id, "name": name, "scopes": scopes}
    return key


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigError("the two passwords differ; start again")
    return password
