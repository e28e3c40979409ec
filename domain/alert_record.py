"""An alert as it is kept: what it was, what was decided about it, and what it gave to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from domain.alert import Level, MessageType, Status
from domain.ids import RegionCode

Action = Literal["sent", "ignored", "orphan"]
Phase = Literal["red", "orange", "yellow", "blue", "unknown", "cancel"]

REASONS: Mapping[str, str] = {
    "": "",
    "exercise": "演练，不向公众发送",
    "test": "测试，不向公众发送",
    "system": "系统消息，不向公众发送",
    "draft": "草稿，不向公众发送",
    "acknowledgement": "回执（Ack 或 Error），不发送",
    "not_public": "不面向公众（scope 不是 Public），不发送",
    "no_info": "没有 info，没有可以发送的内容",
    "expired": "已过 expires，不再转发",
    "superseded": "之后的 Update 或 Cancel 已先到达，不再发送",
    "same_level": "这些地区已按同一级别通知过",
    "downgrade": "降级，不再通知",
    "nobody_told": "此前没有人收到这条预警，解除也不发送",
    "orphan_cancel": "解除的是本系统没有收到过的预警，已保存，不发送",
    "not_sayable": "内容无法放进消息模板，详见日志",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """One push: the issuer's words, whom to tell, and until when. No regions: the account."""

    phase: Phase
    key: str  # of its broadcast
    regions: tuple[RegionCode, ...] = ()
    headline: str = field(repr=False)
    level: str
    issuer: str
    time: datetime
    url: str = ""
    expires_at: datetime
    before: tuple[str, ...] = ()  # keys: not to those who got one of these; for the end: only them
    stops: tuple[str, ...] = ()  # keys of what it takes the place of, which may still be going out

    @property
    def is_end(self) -> bool:
        return self.phase == "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """An alert as we know it: what it was, what was decided, and what it gave to say."""

    id: str  # `AlertId.digest`
    identifier: str
    sender: str
    sent: datetime
    status: Status
    message_type: MessageType
    event: str = ""
    headline: str = field(default="", repr=False)
    issuer: str = ""
    level: Level = "unknown"
    expires: datetime | None = None
    references: tuple[str, ...] = ()  # digests
    chain: str
    is_orphan: bool = False
    action: Action
    reason: str = ""
    says: tuple[Say, ...] = ()
    warnings: tuple[str, ...] = ()
    via: str = ""
    received_at: datetime
    is_done: bool = False

    @property
    def is_said_to_all(self) -> bool:
        """Whether it speaks to the public in earnest: what a later message may follow on."""
        return (
            self.status == "Actual"
            and self.message_type in ("Alert", "Update", "Cancel")
            and self.reason != "not_public"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRefusal:
    """A document that was not an alert, kept so that its publisher can be told."""

    source: str  # the feed's document or the key it came with
    reason: str
    sentence: str
    where: str
    first_at: datetime
    last_at: datetime
    times: int
