"""`doctor`: what is wrong with an installation, and what helps."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from cli.common import ConfigFile, console, run, settings_of
from cli.platform import open_check
from config.catalogue import load_catalogue
from config.settings import AccountSettings, Settings
from config.tax_calendar import national_tax_calendar
from connectors.wechat.inbox import pair_of
from console.checks.account import AccountCheck
from console.checks.finding import Finding
from console.checks.local import check_mode, check_settings, check_tax_calendar
from console.checks.servers import check_mongo, check_redis
from domain.clock import SystemClock
from domain.errors import ConfigError
from storage.embedded import open_mongo, open_redis
from storage.facts import ServerAway, mongo_facts, redis_facts
from web.admin.assets import REMEDY, missing

_MARKS = {"good": "[green]✓[/]", "note": "[yellow]![/]", "bad": "[red]✗[/]"}


def doctor(config: ConfigFile = None) -> None:
    """Check settings, MongoDB, Redis, calendars, each account with WeChat; exit 1 on a failure.

    Example: `python run.py doctor --config /etc/weizheng.toml`
    """
    is_well = run(_examine(config))
    if not is_well:
        raise typer.Exit(1)


async def _examine(config: Path | None) -> bool:
    is_well = True
    async for finding in examine(config):
        is_well = is_well and finding.verdict != "bad"
        remedy = f" → {escape(finding.remedy)}" if finding.remedy else ""
        console.print(
            f"{_MARKS[finding.verdict]} {escape(finding.about)}: {escape(finding.detail)}{remedy}",
            soft_wrap=True,
            highlight=False,
        )
    console.print("all is well" if is_well else "not ready: see the lines with ✗")
    return is_well


async def examine(config: Path | None) -> AsyncIterator[Finding]:
    """Yield findings in the order in which they are worth repairing."""
    try:
        settings = settings_of(config)
        catalogue = load_catalogue()
        calendar = national_tax_calendar()
    except ConfigError as error:
        yield _bad("settings", error)
        return
    for finding in check_settings(settings):
        yield finding
    for account in settings.accounts:
        for finding in check_mode(settings, account):
            yield finding
    yield check_tax_calendar(calendar)
    yield _front_end()
    yield await _mongo(settings)
    redis = await _redis(settings)
    yield redis
    for account in settings.accounts:
        if redis.verdict == "bad":
            yield Finding(
                about=f"account {account.id}",
                verdict="bad",
                detail="its token was not tried",
                remedy="repair Redis first",
                say="没有检查访问凭证",
                do="先修复 Redis。",
            )
            continue
        async with open_check(settings, account) as check:
            async for finding in _account(check, account, catalogue.menu):
                yield finding


async def _account(
    check: AccountCheck, account: AccountSettings, menu: Mapping[str, Any]
) -> AsyncIterator[Finding]:
    """Yield what WeChat says of one account; without a token there is nothing more to ask."""
    yield await check.clock(SystemClock().now())
    token = await check.token()
    yield token
    if token.verdict == "bad":
        whitelist = await check.whitelist()
        if whitelist.detail != token.detail:  # it names the address
            yield whitelist
        return
    for finding in await check.templates():
        yield finding
    yield await check.menu(menu)
    yield await check.quota()
    yield await check.callback_from_platform()
    yield await check.callback_from_here(pair_of(account), is_serving=False)


def _front_end() -> Finding:
    lacking = len(missing())
    if not lacking:
        return Finding(
            about="console",
            verdict="good",
            detail="style sheets and scripts are there",
            say="管理台的界面文件齐全",
        )
    return Finding(
        about="console",
        verdict="bad",
        detail=f"{lacking} files of npm are missing",
        remedy=REMEDY,
        say=f"管理台缺少 {lacking} 个界面文件",
        do="在服务器上运行 make setup，然后重启服务。",
    )


async def _mongo(settings: Settings) -> Finding:
    try:
        async with open_mongo(settings) as client:
            facts = await mongo_facts(client[settings.mongo.database])
            return check_mongo(facts, SystemClock().now())
    except (ConfigError, ServerAway) as error:
        return _bad("MongoDB", error)


async def _redis(settings: Settings) -> Finding:
    try:
        async with open_redis(settings) as redis:
            return check_redis(await redis_facts(redis), SystemClock().now())
    except (ConfigError, ServerAway) as error:
        return _bad("Redis", error)


def _bad(about: str, error: Exception) -> Finding:
    return Finding(about=about, verdict="bad", detail=str(error), say=str(error))
