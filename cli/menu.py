"""`menu …`: what an account's followers see at the bottom of the conversation."""

import json
from typing import Annotated

import typer

from cli.common import AccountOption, ConfigFile, run, say, settings_of
from cli.platform import open_platform
from config.catalogue import load_catalogue
from config.settings import Settings
from domain.delivery import SendFailed
from domain.errors import ConfigError

menu = typer.Typer(help="The account's menu 自定义菜单.", no_args_is_help=True)


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
