"""The platform's templates as we saw them (微信模板): one form per version, and what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.channel import ConsentKind
from domain.ids import AccountId

FormChannel = Literal["template", "subscription"]
CHANNELS: Mapping[FormChannel, str] = {"template": "模板消息", "subscription": "订阅通知"}


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
    found = []
    if old.title != new.title:
        found.append(f"标题由“{old.title}”改为“{new.title}”")
    before, after = dict(old.fields), dict(new.fields)
    found += [f"少了 {key}（{before[key]}）" for key in before if key not in after]
    found += [f"多了 {key}（{after[key]}）" for key in after if key not in before]
    found += [
        f"{key} 的名称由“{before[key]}”改为“{after[key]}”"
        for key in before
        if key in after and before[key] != after[key]
    ]
    if old.consent != new.consent:
        found.append("订阅类型变了")
    if not found and (old.content, old.example) != (new.content, new.example):
        found.append("字段不变，文字或示例有改动")
    return found


def mapping_faults(fields: Mapping[str, str], form: TemplateForm) -> list[str]:
    """Say how an account's mapping (WeChat key → our name) misses the form; none when it fits."""
    labels = dict(form.fields)
    missing = [key for key in form.keys if key not in fields]
    surplus = [key for key in fields if key not in labels]
    found = [f"微信模板要求 {key}（{labels[key]}），设置中没有对应" for key in missing]
    return found + [f"设置中的 {key} 不在微信模板里，发送会被拒绝（47003）" for key in surplus]
