"""`admin list`, `disable`, `reset-second-factor`, `confirm`: operators, when nobody can get in.

Whoever may run commands on the server may do this; each act stands in the audit chain under the
name of the system's user. The rules of the console hold here too: the last security administrator
cannot be disabled.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.table import Table

from cli.accounts import admin
from cli.common import ConfigFile, console, run, say, settings_of, whoever
from config.settings import Settings
from console.desk import Doer, OperatorDesk
from console.second_factor import SecondFactors
from domain.access import EVERYWHERE, OperatorAccount
from domain.clock import SystemClock, in_beijing
from domain.errors import ConfigError
from domain.ids import AccountId
from push.audit import Audit
from runtime.console import open_sign_in
from storage.stores import Stores, open_stores

__all__ = ["admin"]


@admin.command("list")
def list_operators(config: ConfigFile = None) -> None:
    """List the operators with their roles, their second factor and whether they may sign in.

    Example: `python run.py admin list`
    """
    people, holders = run(_list(settings_of(config)))
    table = Table("name", "roles", "second factor", "state", "created")
    for person in people:
        table.add_row(
            person.name,
            _roles(person),
            "yes" if person.id in holders else "no",
            _state(person),
            f"{in_beijing(person.created_at):%Y-%m-%d}",
        )
    console.print(table)


@admin.command("disable")
def disable_operator(name: str, config: ConfigFile = None) -> None:
    """Keep an operator from signing in, at once; the record stays.

    Example: `python run.py admin disable 李敏`
    """
    run(_disable(settings_of(config), name))
    say(f"{name} may not sign in any more and is signed out everywhere")


@admin.command("reset-second-factor")
def reset_second_factor(name: str, config: ConfigFile = None) -> None:
    """Forget an operator's second factor, so that they set up a new phone at the next sign-in.

    Example: `python run.py admin reset-second-factor 李敏`
    """
    there_was = run(_reset(settings_of(config), name))
    say(
        f"{name} sets up a new second factor at the next sign-in"
        if there_was
        else f"{name} has no second factor"
    )


@admin.command("confirm")
def confirm_operator(name: str, config: ConfigFile = None) -> None:
    """Let the roles of an operator count who came in with a password given by somebody else.

    A security administrator does so in the console, with the code the person reads out; here it
    is done for the one security administrator there is.

    Example: `python run.py admin confirm 钱安全`
    """
    needed = run(_confirm(settings_of(config), name))
    say(f"the roles of {name} count now" if needed else f"{name} need not be confirmed")


async def _list(settings: Settings) -> tuple[list[OperatorAccount], frozenset[str]]:
    async with open_stores(settings, SystemClock()) as stores:
        return await stores.operators.list_(disabled=True), await stores.second_factors.holders()


async def _disable(settings: Settings, name: str) -> None:
    async with _desk(settings) as (desk, stores):
        await desk.disable((await _named(stores, name)).id, Doer(whoever(), "cli"))


async def _reset(settings: Settings, name: str) -> bool:
    async with _desk(settings) as (desk, stores):
        person = await _named(stores, name)
        return await desk.reset_second_factor(person.id, Doer(whoever(), "cli"))


async def _confirm(settings: Settings, name: str) -> bool:
    async with _desk(settings) as (desk, stores):
        person = await _named(stores, name)
        return await desk.confirm_at_server(person.id, Doer(whoever(), "cli"))


@asynccontextmanager
async def _desk(settings: Settings) -> AsyncIterator[tuple[OperatorDesk, Stores]]:
    clock = SystemClock()
    async with open_stores(settings, clock) as stores:
        yield (
            OperatorDesk(
                stores.operators,
                SecondFactors(stores.second_factors, clock),
                open_sign_in(settings, stores, clock),
                Audit(stores.audit, clock),
                tuple(AccountId(account.id) for account in settings.accounts),
                clock,
            ),
            stores,
        )


async def _named(stores: Stores, name: str) -> OperatorAccount:
    person = await stores.operators.find_by_name(name)
    if person is None:
        raise ConfigError(f"there is no operator {name!r}: `admin list` shows who there is")
    return person


def _state(person: OperatorAccount) -> str:
    if person.disabled_at:
        return "disabled"
    return "to be confirmed" if person.unconfirmed_since else "active"


def _roles(person: OperatorAccount) -> str:
    return "; ".join(
        f"{'all accounts' if place == EVERYWHERE else place}: {', '.join(sorted(roles))}"
        for place, roles in sorted(person.grants.items())
    )
