"""Composing (拼装): what is sent, made from an order's data, for each channel of its topic.

All problems are found at once, each naming its field. A channel that this account is not set up
for is left out; a message that would be left without any is refused. Placeholders of personal
values ({区域}) stay in the text and are checked as wide as they can become.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from config.settings import AccountSettings
from domain.channel import TEMPLATE_ONLY, ChannelName, SubscriptionNotice
from domain.ledger import Content
from domain.personal import placeholders_in, widest
from domain.sentence import Sentence, joined
from push.field_types import as_written, problem_with
from templates.push_texts import MissingData, push_text

LONGEST_URL = 1024
LONGEST_TEXT = 2048  # bytes of one customer-service or mass text


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: `field` as in the request, `code` stable, `message` for people."""

    field: str
    code: str
    message: str


def compose(
    template: str,
    data: Mapping[str, str],
    url: str | None,
    account: AccountSettings,
    *,
    channels: tuple[ChannelName, ...] = TEMPLATE_ONLY,
    title: str = "",
) -> tuple[Content | None, list[Fault]]:
    """Fill the account's template; data that it does not map is ignored."""
    faults = _check_url(url)
    usable = tuple(channel for channel in channels if _is_set_up(channel, template, account))
    if not usable:
        faults.append(_unknown(template, channels, account))
        return None, faults
    template_id, fields = "", dict[str, str]()
    notice: SubscriptionNotice | None = None
    text = ""
    if template in account.templates:  # digests show these fields, whatever the channels
        template_id = account.templates[template].id
        fields, more = _fill(template, account.templates[template].fields, data)
        faults += more if "template" in usable else []
    if "subscription" in usable:
        mapped = account.subscription_templates[template]
        filled, more = _fill(template, mapped.fields, data)
        notice = SubscriptionNotice(template_id=mapped.id, kind=mapped.kind, fields=filled)
        faults += [fault for fault in more if fault not in faults]
    if "custom" in usable or "mass" in usable:
        text, more = _write(template, title, data, url)
        faults += more
        if "mass" in usable:
            faults += _check_one_text(text)
    return (
        Content(
            template_id=template_id,
            fields=fields,
            url=url,
            channels=usable,
            notice=notice,
            text=text,
        ),
        faults,
    )


def _is_set_up(channel: ChannelName, template: str, account: AccountSettings) -> bool:
    match channel:
        case "template":
            return template in account.templates
        case "subscription":
            return template in account.subscription_templates
        case "custom" | "mass":  # plain words: the order's own, under one of our names
            return template in {*account.templates, *account.subscription_templates}


def _unknown(template: str, channels: tuple[ChannelName, ...], account: AccountSettings) -> Fault:
    names = {*account.templates}
    if "subscription" in channels:
        names |= {*account.subscription_templates}
    known = joined(sorted(names)) or Sentence("无")
    return Fault(
        field="template",
        code="unknown_template",
        message=Sentence(
            "账号 {id} 没有模板 {template}，已有：{known}",
            id=account.id,
            template=template,
            known=known,
        ),
    )


def _fill(
    template: str, mapped: Mapping[str, str], data: Mapping[str, str]
) -> tuple[dict[str, str], list[Fault]]:
    """Fill a template's fields: WeChat key → our data name."""
    faults: list[Fault] = []
    fields: dict[str, str] = {}
    for key, name in mapped.items():
        value = data.get(name)
        if value is None:
            faults.append(
                Fault(
                    field=f"data.{name}",
                    code="missing_field",
                    message=Sentence(
                        "模板 {template} 需要 data.{name}（{key}），请求中没有",
                        template=template,
                        name=name,
                        key=key,
                    ),
                )
            )
            continue
        value = as_written(key, value)
        problem = problem_with(key, widest(value))
        if problem:
            faults.append(
                Fault(
                    field=f"data.{name}",
                    code="invalid_field",
                    message=Sentence(
                        "data.{name}（{key}）{problem}", name=name, key=key, problem=problem
                    ),
                )
            )
        fields[key] = value
    return fields, faults


def _write(
    template: str, title: str, data: Mapping[str, str], url: str | None
) -> tuple[str, list[Fault]]:
    """Write the words that customer-service messages and mass sends carry."""
    readable = {name: as_written("time", value) for name, value in data.items()}
    try:
        text = push_text(template, title.strip(), readable, url)
    except MissingData as error:
        message = Sentence(
            "客服消息或群发的文字（templates/push/{template}.txt）缺少数据：{error}",
            template=template,
            error=error,
        )
        return "", [Fault(field="data", code="missing_field", message=message)]
    size = len(widest(text).encode())
    if size > LONGEST_TEXT:
        message = Sentence(
            "客服消息或群发的文字最多 {longest_text} 字节，现有 {size} 字节",
            longest_text=LONGEST_TEXT,
            size=size,
        )
        return "", [Fault(field="data", code="text_too_long", message=message)]
    return text, []


def _check_one_text(text: str) -> list[Fault]:
    """Refuse personal values in a mass send, which is one text for all."""
    return [
        Fault(
            field="data",
            code="personal_mass",
            message=Sentence("群发只有一份文字，不能含个人内容 {{{name}}}", name=name),
        )
        for name in sorted(placeholders_in(text))
    ]


def _check_url(url: str | None) -> list[Fault]:
    if url is None:
        return []
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if good and len(url) <= LONGEST_URL and not any(letter.isspace() for letter in url):
        return []
    message = Sentence(
        "url 应为 http 或 https 地址，不超过 {longest_url} 个字符", longest_url=LONGEST_URL
    )
    return [Fault(field="url", code="invalid_url", message=message)]
