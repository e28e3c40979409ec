"""`menu …`: what an account's followers see at the bottom of the conversation.

The same way as in the console: a published menu is a version there, and stands in the audit chain.
"""

import getpass
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from cli.common import AccountOption, ConfigFile, run, say, settings_of
from cli.platform import open_platform
from config.catalogue import load_catalogue
from config.settings import Settings
from console.menus import Menus
from domain.audit import Actor
from domain.clock import SystemClock
from domain.errors import ConfigError, StateError
from domain.ids import AccountId
from domain.menu import Menu, MenuVersion
from domain.menu_rules import CONTRACT_KEYS
from push.audit import Audit
from storage.stores import open_stores

menu = typer.Typer(help="The account's menu 自定义菜单.", no_args_is_help=True)


@menu.command()
def publish(account: AccountOption, config: ConfigFile = None) -> None:
    """Publish config/menu.toml as the account's menu; followers see it within five minutes.

    Conditional menus that the console made end with it; the console can roll back.

    Example: `python run.py menu publish --account city`
    """
    version = run(_publish(settings_of(config), account))
    say(f"the menu of {account} is published as version {version.number}")


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
    if account is None:
        content = load_catalogue().menu
    else:
        live = run(_published(settings, account))
        if live is None:
            say(f"{account} has no menu: publish one with `menu publish --account {account}`")
            return
        content = live.whole() if live.conditional else live.json_form()
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))


async def _publish(settings: Settings, account: str) -> MenuVersion:
    who = getpass.getuser()
    async with _menus(settings, account) as menus:
        try:
            return await menus.publish(
                AccountId(account),
                menus.first,
                by=Actor(f"shell:{who}", who),
                note="config/menu.toml",
            )
        except StateError as error:
            raise _refused(account, error) from error


async def _published(settings: Settings, account: str) -> Menu | None:
    async with _menus(settings, account) as menus:
        try:
            return await menus.live(AccountId(account))
        except StateError as error:
            raise _refused(account, error) from error


@asynccontextmanager
async def _menus(settings: Settings, account: str) -> AsyncIterator[Menus]:
    """Open the menus of one account as the console has them."""
    clock, own = SystemClock(), settings.account(account)
    async with open_stores(settings, clock) as stores, open_platform(settings, own) as api:
        yield Menus(
            stores.menus,
            {AccountId(account): api},
            Menu.read(load_catalogue().menu),
            CONTRACT_KEYS,
            Audit(stores.audit, clock),
            clock,
        )


def _refused(account: str, error: StateError) -> ConfigError:
    return ConfigError(
        f"WeChat does not do it for account {account} ({error}): `python run.py doctor` finds "
        "what is wrong"
    )
