"""Commands about accounts and who may do what: menu, admin, apikey."""

import getpass
import json
import sys
from typing import Annotated

import typer

from cli.common import ConfigFile, run, say, settings_of
from cli.platform import open_platform
from config.catalogue import load_catalogue
from config.settings import Settings
from domain.access import ROLES, SCOPES, Role, Scope
from domain.clock import SystemClock
from domain.delivery import SendFailed
from domain.errors import ConfigError
from domain.ids import AccountId
from storage.embedded import open_mongo
from storage.mongo.api_keys import MongoApiKeys
from storage.mongo.operators import MongoOperators

menu = typer.Typer(help="The account's menu 自定义菜单.", no_args_is_help=True)
admin = typer.Typer(help="Operators of the console 工作人员.", no_args_is_help=True)
apikey = typer.Typer(help="Keys for departments' systems 接口密钥.", no_args_is_help=True)

AccountOption = Annotated[
    str, typer.Option("--account", metavar="ID", help="The account's id in the settings.")
]


@menu.callback()
@admin.callback()
@apikey.callback()
def _group() -> None:
    """Keep a group of one command a group."""


@menu.command()
def publish(account: AccountOption, config: ConfigFile = None) -> None:
    """Publish config/menu.toml as the account's menu; followers see it within five minutes.

    Example: `python run.py menu publish --account city`
    """
    run(_publish(settings_of(config), account))
    say(f"the menu of {account} is published")


@menu.command()
def show(
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ID", help="Show what this account has published."),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Show the menu of config/menu.toml, or with --account the one that is published.

    Example: `python run.py menu show --account city`
    """
    settings = settings_of(config)
    content = load_catalogue().menu if account is None else run(_published(settings, account))
    if content is None:
        say(f"{account} has no menu: publish one with `menu publish --account {account}`")
        return
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))


@admin.command("create")
def create_admin(
    name: str,
    role: Annotated[str, typer.Option(metavar="ROLE", help=f"One of {', '.join(ROLES)}.")],
    config: ConfigFile = None,
) -> None:
    """Add an operator; the password is asked for, or read from stdin.

    Example: `python run.py admin create 李敏 --role auditor`
    """
    settings = settings_of(config)
    chosen = next((known for known in ROLES if known == role), None)
    if chosen is None:
        raise ConfigError(f"--role {role!r} is not known; choose from {', '.join(ROLES)}")
    run(_create_admin(settings, name, chosen, _read_password()))
    say(f"{name} may sign in as {role}")


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
    wanted = {scope.strip() for scope in scopes.split(",") if scope.strip()}
    chosen = [scope for scope in SCOPES if scope in wanted]
    wrong = sorted(wanted - set(SCOPES))
    if wrong or not chosen:
        what = ", ".join(wrong) or "nothing"
        raise ConfigError(f"--scopes names {what}; choose from {', '.join(SCOPES)}")
    typer.echo(run(_create_key(settings, account, name, chosen)))


# --- what they do -------------------------------------------------------------------------


async def _publish(settings: Settings, account: str) -> None:
    async with open_platform(settings, settings.account(account)) as api:
        try:
            await api.create_menu(load_catalogue().menu)
        except SendFailed as error:
            raise _refused(account, error) from error


async def _published(settings: Settings, account: str) -> object:
    async with open_platform(settings, settings.account(account)) as api:
        try:
            return await api.get_menu()
        except SendFailed as error:
            raise _refused(account, error) from error


def _refused(account: str, error: SendFailed) -> ConfigError:
    return ConfigError(
        f"WeChat does not do it for account {account} ({error}): `python run.py doctor` finds "
        "what is wrong"
    )


async def _create_admin(settings: Settings, name: str, role: Role, password: str) -> None:
    async with open_mongo(settings) as client:
        database = client[settings.mongo.database]
        await database[MongoOperators.collection].create_indexes(list(MongoOperators.indexes))
        operators = MongoOperators(database)
        await operators.create(name, role, password, now=SystemClock().now())


async def _create_key(settings: Settings, account: str, name: str, scopes: list[Scope]) -> str:
    known = AccountId(settings.account(account).id)
    async with open_mongo(settings) as client:
        keys = MongoApiKeys(client[settings.mongo.database])
        return await keys.create(known, name, scopes, now=SystemClock().now())


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigError("the two passwords differ; start again")
    return password
