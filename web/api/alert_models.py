"""What the API answers about alerts (预警); what it takes is a CAP 1.2 document."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from domain.alert_record import REASONS, AlertRecord, AlertRefusal
from domain.clock import in_beijing
from domain.ids import BroadcastId
from push.triggers.alerts import Heard

Action = Literal["sent", "ignored", "duplicate", "orphan"]


class AlertAccepted(BaseModel):
    """文件已受理，以及如何处理 / the document was taken, and what became of it."""

    id: str = Field(
        description="由 identifier、sender、sent 得出，同一文件总是相同 / made of the triple"
    )
    action: Action = Field(
        description="sent 已生成群发；ignored 不发送，见 reason；duplicate 此前已收到；orphan "
        "解除的预警从未收到 / what was done"
    )
    reason: str = Field(
        description="不发送的原因代码，例如 exercise、test、same_level、downgrade、expired / code"
    )
    detail: str = Field(description="原因 / the reason in words")
    orphan: bool = Field(description="references 所指的都没有收到过 / refers to unknown messages")
    broadcast: str | None = Field(description="群发任务 / the broadcast")
    broadcasts: list[str] = Field(
        description="全部群发任务，每个级别一个 / all of them, one per level"
    )
    warnings: list[str] = Field(
        description="与标准不符但已理解之处 / not as the standard has it, but understood"
    )


class AlertItem(BaseModel):
    """一条预警 / an alert."""

    id: str
    identifier: str
    sender: str
    sent: AwareDatetime
    status: str = Field(description="Actual、Exercise（演练）、Test（测试）…")
    mark: str = Field(description="演练、测试等标记，正式预警为空 / empty for what is real")
    message_type: str
    event: str
    headline: str
    issuer: str
    level: str = Field(description="red、orange、yellow、blue、unknown")
    expires: AwareDatetime | None
    orphan: bool
    action: str
    reason: str
    via: str = Field(description="feed:… 或接口密钥 / by which way it came")
    received_at: AwareDatetime


class AlertRefusalItem(BaseModel):
    """被拒收的文件 / a document that was refused."""

    source: str
    reason: str
    detail: str
    where: str
    first_at: AwareDatetime
    last_at: AwareDatetime
    times: int


class AlertList(BaseModel):
    """最近的预警和拒收记录，新的在前 / the latest, the newest first."""

    alerts: list[AlertItem]
    refusals: list[AlertRefusalItem]


_MARKS = {"Exercise": "演练", "Test": "测试", "System": "系统", "Draft": "草稿"}


def accepted(heard: Heard) -> AlertAccepted:
    """Return the answer to a document."""
    record = heard.record
    ids: list[BroadcastId] = list(heard.broadcasts)
    return AlertAccepted(
        id=record.id,
        action=record.action if heard.is_new else "duplicate",
        reason=record.reason,
        detail=REASONS[record.reason],
        orphan=record.is_orphan,
        broadcast=ids[0] if ids else None,
        broadcasts=list(ids),
        warnings=list(record.warnings),
    )


def item(record: AlertRecord) -> AlertItem:
    """Return an alert as it is listed."""
    return AlertItem(
        id=record.id,
        identifier=record.identifier,
        sender=record.sender,
        sent=in_beijing(record.sent),
        status=record.status,
        mark=_MARKS.get(record.status, ""),
        message_type=record.message_type,
        event=record.event,
        headline=record.headline,
        issuer=record.issuer,
        level=record.level,
        expires=in_beijing(record.expires) if record.expires else None,
        orphan=record.is_orphan,
        action=record.action,
        reason=record.reason,
        via=record.via,
        received_at=in_beijing(record.received_at),
    )


def refusal_item(refusal: AlertRefusal) -> AlertRefusalItem:
    """Return a refusal as it is listed."""
    return AlertRefusalItem(
        source=refusal.source,
        reason=refusal.reason,
        detail=refusal.sentence,
        where=refusal.where,
        first_at=in_beijing(refusal.first_at),
        last_at=in_beijing(refusal.last_at),
        times=refusal.times,
    )
