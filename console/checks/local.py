"""What can be checked without asking anybody: settings, keys, calendars."""

import base64
import binascii
from collections.abc import Iterator

from config.settings import AccountSettings, Settings
from config.tax_calendar import TaxCalendar
from console.checks.finding import Finding
from domain.sentence import Sentence, joined


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Judge the installation as a whole."""
    count = len(settings.accounts)
    yield Finding(
        about="settings",
        verdict="good",
        detail=f"{count} account(s)",
        say=Sentence("设置文件可用，有 {count} 个公众号", count=count),
    )
    if not settings.accounts:
        yield Finding(
            about="settings",
            verdict="bad",
            detail="there is no account",
            remedy="add an [[accounts]] section",
            say=Sentence("设置文件中没有公众号"),
            do=Sentence("在设置文件中添加 [[accounts]] 一节。"),
        )
    if settings.security.is_for_trying_out:
        yield Finding(
            about="security",
            verdict="note",
            detail="the keys are the public ones for trying out",
            remedy="make your own before real citizens come",
            say=Sentence("secret_key 和 field_key 是公开的试用密钥"),
            do=Sentence("正式使用前生成自己的密钥，方法写在设置文件的注释里。"),
        )


def check_mode(settings: Settings, account: AccountSettings) -> Iterator[Finding]:
    """Judge how the callback is protected: its mode, its AES key, its address."""
    about = f"account {account.id}"
    if account.mode != "safe" and not settings.server.is_local:
        yield Finding(
            about=about,
            verdict="note",
            detail=f"mode {account.mode} is not encrypted",
            remedy='set mode = "safe" here and in WeChat\'s console',
            say=Sentence("消息模式为 {mode}，没有加密", mode=account.mode),
            do=Sentence("把设置文件的 mode 和微信后台的消息加解密方式都改为安全模式。"),
        )
    key = account.encoding_aes_key
    if key is not None and not _is_sound(key.get_secret_value()):
        yield Finding(
            about=about,
            verdict="bad",
            detail="encoding_aes_key is no key: it looks typed by hand",
            remedy="copy it again from WeChat's console",
            say=Sentence("EncodingAESKey 不像随机生成的密钥"),
            do=Sentence("在微信后台点“随机生成”，或在本页轮换回调密钥。"),
        )
    if not settings.server.public_url.startswith("https://") and not settings.server.is_local:
        yield Finding(
            about=about,
            verdict="note",
            detail="server.public_url is not https",
            remedy="put a TLS proxy before the service",
            say=Sentence("对外地址不是 https"),
            do=Sentence("在服务前放置 TLS 代理，并修改设置 server.public_url。"),
        )


def check_tax_calendar(calendar: TaxCalendar) -> Finding:
    """Compare the announced last days with the rule: a typing mistake differs from both."""
    differing = calendar.disagreements()
    if not differing:
        return Finding(
            about="tax calendar",
            verdict="good",
            detail="the announced days agree with the rule",
            say=Sentence("办税日历与规则推算一致"),
        )
    pairs = [(official.isoformat(), by_rule.isoformat()) for official, by_rule in differing]
    return Finding(
        about="tax calendar",
        verdict="note",
        detail="announced and worked out differ: "
        + ", ".join(f"{official} ({by_rule})" for official, by_rule in pairs),
        remedy="compare config/tax_calendar.toml with the tax office's notice",
        say=Sentence(
            "公布日期与规则推算不同：{pairs}",
            pairs=joined(
                Sentence("公布 {official}，推算 {by_rule}", official=official, by_rule=by_rule)
                for official, by_rule in pairs
            ),
        ),
        do=Sentence("对照税务部门的通知核对 config/tax_calendar.toml。"),
    )


def _is_sound(key: str) -> bool:
    """Whether it decodes to 32 bytes that are not a few repeated ones."""
    try:
        content = base64.b64decode(key + "=")
    except (binascii.Error, ValueError):
        return False
    return len(content) == 32 and len(set(content)) >= 8
