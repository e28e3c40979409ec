"""The platform's templates as we saw them (微信模板): one form per version, and what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.channel import ConsentKind
from domain.ids import AccountId
from domain.sentence import Sentence

FormChannel = Literal["template", "subscription"]
CHANNELS: Mapping[FormChannel, str] = {
    "template": Sentence("模板消息"),
    "subscription": Sentence("订阅通知"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateForm:
    """What the platform says of one template: its words, and the blanks a message fills."""

    channel: FormChannel
    id: str
    title: str
    content: str = ""
    example: str = ""
    fields: tuple[tuple[str, str], ...] = ()  # (key, label): ("thing1", "停水区域")
    consent: ConsentKind | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys a message must fill, no more and no fewer."""
        return tuple(key for key, _ in self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormVersion:
    """A form as it was from `at` on; `gone`: the platform no longer listed it."""

    number: int
    at: datetime
    form: TemplateForm
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """When an account's templates were last compared with the platform, and what failed."""

    account: AccountId
    at: datetime | None = None  # of the last good look at any channel
    tried_at: datetime | None = None
    problems: Mapping[str, str] | None = None  # channel → why it could not be read


def form_changes(old: TemplateForm, new: TemplateForm) -> list[str]:
    """Say what is different, one sentence per thing; none when nothing is."""
    found: list[str] = []
    if old.title != new.title:
        found.append(Sentence("标题由“{before}”改为“{after}”", before=old.title, after=new.title))
    before, after = dict(old.fields), dict(new.fields)
    found += [
        Sentence("少了 {key}（{before}）", key=key, before=before[key])
        for key in before
        if key not in after
    ]
    found += [
        Sentence("多了 {key}（{after}）", key=key, after=after[key])
        for key in after
        if key not in before
    ]
    found += [
        Sentence(
            "{key} 的名称由“{before}”改为“{after}”", key=key, before=before[key], after=after[key]
        )
        for key in before
        if key in after and before[key] != after[key]
    ]
    if old.consent != new.consent:
        found.append(Sentence("订阅类型变了"))
    if not found and (old.content, old.example) != (new.content, new.example):
        found.append(Sentence("字段不变，文字或示例有改动"))
    return found


def mapping_faults(fields: Mapping[str, str], form: TemplateForm) -> list[str]:
    """Say how an account's mapping (WeChat key → our name) misses the form; none when it fits."""
    labels = dict(form.fields)
    missing = [key for key in form.keys if key not in fields]
    surplus = [key for key in fields if key not in labels]
    found: list[str] = [
        Sentence("微信模板要求 {key}（{labels}），设置中没有对应", key=key, labels=labels[key])
        for key in missing
    ]
    found += [
        Sentence("设置中的 {key} 不在微信模板里，发送会被拒绝（47003）", key=key) for key in surplus
    ]
    return found


FIELD_KINDS: Mapping[str, tuple[str, str]] = {  # kind → what may stand there (4.19), an example
    "thing": (Sentence("任意文字，最多 20 个字"), "福田区园岭街道"),
    "number": (Sentence("数字，可带小数，最多 32 位"), "12.5"),
    "letter": (Sentence("字母，最多 32 个"), "ABC"),
    "symbol": (Sentence("符号，最多 5 个"), "#"),
    "character_string": (Sentence("数字、字母、符号，不能有汉字，最多 32 个"), "2026112400012"),
    "time": (Sentence("24 小时制时间，时间段用 ~ 连接"), "2026年12月1日 09:00"),
    "date": (Sentence("日期，可带时间"), "2026年12月1日"),
    "amount": (Sentence("金额，最多 10 位数字，可带货币符号或“元”"), "￥200.00"),
    "phone_number": (Sentence("电话，数字和符号，最多 17 位"), "0755-12345678"),
    "car_number": (Sentence("车牌号，最多 8 位"), "粤B12345"),
    "name": (Sentence("姓名，10 个汉字或 20 个字母以内"), "陈女士"),
    "phrase": (Sentence("汉字，最多 5 个"), "橙色"),
    "enum": (Sentence("微信列出的选项之一"), Sentence("选项")),
    "const": (Sentence("微信列出的选项之一"), Sentence("选项")),
}
UNTYPED = (Sentence("旧模板的关键词，微信不限类型，最多 200 个字"), "示例内容")


def kind_of(key: str) -> str:
    """Return a key's type: `character_string2` → `character_string`."""
    return key.rstrip("0123456789")


def kind_told(key: str) -> tuple[str, str]:
    """Return what may stand in a field and an example of it."""
    return FIELD_KINDS.get(kind_of(key), UNTYPED)


def example_of(form: TemplateForm) -> list[tuple[str, str]]:
    """Return (label, value) lines as a phone shows them, with the platform's example if it has one.

    The platform's example has one line per field, in the same order and with the same labels.
    """
    lines = [line for line in form.example.splitlines() if line.strip()]
    told = {}
    for line in lines:
        label, colon, value = line.replace("：", ":", 1).partition(":")
        if colon and value.strip():
            told[label.strip()] = value.strip()
    return [(label or key, told.get(label) or kind_told(key)[1]) for key, label in form.fields]
