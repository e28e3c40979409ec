"""`doctor`: what is wrong with an installation, and what helps."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import typer
from rich.markup import escape

from cli.common import ConfigFile, console, run, settings_of
from cli.platform import open_platform
from config.catalogue import load_catalogue
from config.settings import AccountSettings, Settings, TemplateSettings
from connectors.session import date_at, open_http
from connectors.wechat.answers import TemplateInfo
from connectors.wechat.api import WeChatApi
from connectors.wechat.errcodes import rule_for
from domain.clock import SystemClock
from domain.delivery import SendFailed
from domain.errors import ConfigError
from storage.embedded import open_mongo, open_redis

TOLERANCE = timedelta(seconds=30)  # tokens, signatures and schedules stand that much
OLDEST_MONGO = (6, 0)
OLDEST_REDIS = (6, 2)
_MARKS = {"good": "[green]✓[/]", "note": "[yellow]![/]", "bad": "[red]✗[/]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` says what to do when it is not good."""

    about: str
    verdict: Literal["good", "note", "bad"]
    detail: str
    remedy: str = ""


def doctor(config: ConfigFile = None) -> None:
    """Check settings, MongoDB, Redis, each account's token and the clock; exit 1 on a failure.

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
        load_catalogue()
    except ConfigError as error:
        yield Finding("settings", "bad", str(error))
        return
    for finding in _about_settings(settings):
        yield finding
    yield await _mongo(settings)
    redis = await _redis(settings)
    yield redis
    for account in settings.accounts:
        about = f"account {account.id}"
        yield await _clock_of_platform(account)
        if redis.verdict == "bad":
            yield Finding(about, "bad", "its token was not tried", "repair Redis first")
            continue
        async with open_platform(settings, account) as api:
            async for finding in _account(api, account):
                yield finding


def _about_settings(settings: Settings) -> list[Finding]:
    findings = [Finding("settings", "good", f"{len(settings.accounts)} account(s)")]
    if not settings.accounts:
        findings.append(
            Finding("settings", "bad", "there is no account", "add an [[accounts]] section")
        )
    if settings.security.is_for_trying_out:
        findings.append(
            Finding("security", "note", "the keys are the public ones for trying out",
                    "make your own before real citizens come")
        )  # fmt: skip
    for account in settings.accounts:
        if account.mode != "safe" and not settings.server.is_local:
            findings.append(
                Finding(f"account {account.id}", "note", f"mode {account.mode} is not encrypted",
                        'set mode = "safe" here and in WeChat\'s console')
            )  # fmt: skip
    return findings


async def _mongo(settings: Settings) -> Finding:
    try:
        async with open_mongo(settings) as client:
            info = await client.server_info()
            now = (await client.admin.command("hello"))["localTime"].replace(tzinfo=UTC)
    except ConfigError as error:
        return Finding("MongoDB", "bad", str(error))
    version = _version(info["version"])
    if version < OLDEST_MONGO:
        return Finding("MongoDB", "bad", f"version {info['version']}", "upgrade it to 6.0 or newer")
    return about_time("MongoDB", f"version {info['version']}", now)


async def _redis(settings: Settings) -> Finding:
    try:
        async with open_redis(settings) as redis:
            info: dict[str, Any] = await redis.info()
            seconds, _ = await redis.time()
    except ConfigError as error:
        return Finding("Redis", "bad", str(error))
    version = info["redis_version"]
    if _version(version) < OLDEST_REDIS:
        return Finding("Redis", "bad", f"version {version}", "upgrade it to 6.2 or newer")
    if info.get("role") != "master":
        return Finding("Redis", "bad", "it is a replica", "let redis.url name the master")
    if not info.get("aof_enabled"):
        return Finding("Redis", "note", f"version {version}, keeps nothing over a restart",
                       "set `appendonly yes` in its configuration")  # fmt: skip
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        return Finding("Redis", "bad", f"evicts keys when full ({policy})",
                       "set `maxmemory-policy noeviction`")  # fmt: skip
    now = datetime.fromtimestamp(int(seconds), UTC)
    return about_time("Redis", f"version {version}", now)


async def _clock_of_platform(account: AccountSettings) -> Finding:
    about = f"account {account.id}"
    async with open_http(connections=1) as http:
        now = await date_at(http, account.api_base)
    if now is None:
        return Finding(about, "bad", f"{account.api_base} does not answer",
                       "check api_base, the network and the firewall")  # fmt: skip
    return about_time(about, f"{account.api_base} answers", now)


async def _account(api: WeChatApi, account: AccountSettings) -> AsyncIterator[Finding]:
    about = f"account {account.id}"
    try:
        await api.check_token()
        yield Finding(about, "good", "WeChat gives us a token")
        known = {template.template_id: template for template in await api.templates()}
        agreed = await api.notice_templates() if account.subscription_templates else []
    except SendFailed as error:
        advice = rule_for(error.errcode).advice or "see the code in WeChat's documentation"
        yield Finding(about, "bad", f"WeChat refuses: {error}", advice)
        return
    for name, template in account.templates.items():
        for finding in _template(about, f"accounts.templates.{name}", template, known):
            yield finding
    notices = {template.template_id: template for template in agreed}
    for name, notice in account.subscription_templates.items():
        where = f"accounts.subscription_templates.{name}"
        for finding in _template(about, where, notice, notices):
            yield finding
        found = notices.get(notice.id)
        if found is not None and found.consent not in (None, notice.kind):
            yield Finding(about, "bad", f"{where}: kind is {notice.kind}",
                          f'WeChat asks for kind = "{found.consent}"')  # fmt: skip


def _template(
    about: str, where: str, template: TemplateSettings, known: Mapping[str, TemplateInfo]
) -> Iterator[Finding]:
    """Compare one template of the settings with the account's."""
    if template.id not in known:
        yield Finding(about, "bad", f"{where}: the account has no template {template.id}",
                      "take its id from the account's console")  # fmt: skip
        return
    differing = sorted(set(known[template.id].keys) ^ set(template.fields))
    if differing:
        yield Finding(about, "bad", f"{where}: fields differ: {', '.join(differing)}",
                      f"WeChat wants exactly {', '.join(known[template.id].keys)}")  # fmt: skip


def about_time(about: str, detail: str, theirs: datetime) -> Finding:
    """Compare a server's clock with ours."""
    apart = abs(SystemClock().now() - theirs)
    if apart <= TOLERANCE:
        return Finding(about, "good", detail)
    return Finding(
        about,
        "bad",
        f"{detail}, but its clock and ours are {apart.total_seconds():.0f} s apart",
        "let both machines follow a time server (timedatectl set-ntp true)",
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
