"""What the operations on broadcasts take and give: edits, lists, resends, replays."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from domain.broadcast import Broadcast, BroadcastState
from domain.channel import ChannelName
from domain.clock import in_beijing
from domain.dead import DeadBatch
from domain.delivery import Outcome
from domain.ledger import Delivery
from domain.masking import mask_openid

Cursor = Annotated[
    str | None,
    StringConstraints(max_length=500),
    Field(description="上一页返回的 next / the `next` of the page before"),
]


class Query(BaseModel):
    """What stands behind the question mark; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BroadcastsQuery(Query):
    """哪些群发任务 / which broadcasts."""

    account: str | None = Field(None, max_length=32, description="账号代号；可不写 / optional")
    state: BroadcastState | None = Field(None, description="只列出这个状态 / only this state")
    limit: int = Field(50, ge=1, le=200, description="每页条数 / how many on a page")
    cursor: Cursor = None


class RecipientsQuery(Query):
    """哪些人 / which people."""

    state: Literal["sent", "failed", "skipped", "unknown"] | None = Field(
        None, description="只列出这个结果 / only this outcome"
    )
    limit: int = Field(100, ge=1, le=500, description="每页人数 / how many on a page")
    cursor: Cursor = None


class BroadcastEdited(BaseModel):
    """修改后 / after an edit."""

    id: str
    state: BroadcastState
    revision: int = Field(description="第几版；审核只对它所看的那一版有效 / approvals name it")


class BroadcastItem(BaseModel):
    """列表中的一个群发任务 / one broadcast in a list."""

    id: str
    title: str
    topic: str
    state: BroadcastState
    revision: int
    at: AwareDatetime | None = Field(description="计划时间 / planned time")
    cron: str | None
    next_at: AwareDatetime | None = Field(
        description="周期任务的下一次 / when a recurring one is next"
    )
    parent: str | None = Field(description="所属周期任务 / the recurring one it belongs to")
    resend_of: str | None = Field(description="重发的是哪个任务 / whose failures it repeats")
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    author: str
    reason: str

    @classmethod
    def of(cls, broadcast: Broadcast) -> "BroadcastItem":
        """Show a broadcast as the list does: no content, nobody's openid."""
        next_at = broadcast.next_at
        return cls(
            id=broadcast.id,
            title=broadcast.title,
            topic=broadcast.topic,
            state=broadcast.state,
            revision=broadcast.revision,
            at=in_beijing(broadcast.at) if broadcast.at else None,
            cron=broadcast.cron,
            next_at=in_beijing(next_at) if next_at else None,
            parent=broadcast.parent,
            resend_of=broadcast.resend_of,
            created_at=in_beijing(broadcast.created_at),
            started_at=in_beijing(broadcast.started_at) if broadcast.started_at else None,
            finished_at=in_beijing(broadcast.finished_at) if broadcast.finished_at else None,
            author=broadcast.author,
            reason=broadcast.reason,
        )


class BroadcastList(BaseModel):
    """群发任务列表，新的在前 / broadcasts, the newest first."""

    broadcasts: list[BroadcastItem]
    next: str | None = Field(description="下一页的 cursor；空为最后一页 / null on the last page")


class Recipient(BaseModel):
    """一个人的结果 / what became of one person."""

    openid: str = Field(
        description="有 broadcasts:publish 权限才完整显示 / whole only with broadcasts:publish"
    )
    state: Outcome
    at: AwareDatetime
    errcode: int | None = Field(description="微信错误码 / WeChat's error code")
    reason: str
    channel: ChannelName | None = Field(
        description="发送渠道；跳过的人可能没有 / the channel; whoever was skipped may have none"
    )

    @classmethod
    def of(cls, delivery: Delivery, *, whole: bool) -> "Recipient":
        """Show a delivery; an openid is personal data and whole only for whoever sends."""
        return cls(
            openid=delivery.openid if whole else mask_openid(delivery.openid),
            state=delivery.state,
            at=in_beijing(delivery.at),
            errcode=delivery.errcode,
            reason=delivery.reason,
            channel=delivery.channel,
        )


class RecipientList(BaseModel):
    """收件人及结果 / people and outcomes."""

    recipients: list[Recipient]
    next: str | None = Field(description="下一页的 cursor；空为最后一页 / null on the last page")


class DeadItem(BaseModel):
    """一个死信批次 / one batch that was set aside."""

    id: str
    people: int = Field(description="批内人数 / people in it")
    concluded: int = Field(description="其中已有结果的人数 / of these, with an outcome")
    attempts: int
    died_at: AwareDatetime | None

    @classmethod
    def of(cls, batch: DeadBatch) -> "DeadItem":
        """Show a dead batch."""
        return cls(
            id=batch.id,
            people=batch.size,
            concluded=batch.concluded,
            attempts=batch.attempts,
            died_at=in_beijing(batch.died_at) if batch.died_at else None,
        )


class DeadList(BaseModel):
    """死信批次 / batches that kept killing their worker."""

    batches: list[DeadItem]


class ReplayRequest(BaseModel):
    """重放哪些批次 / which batches to replay."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    batch: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="只重放这一批；空为全部 / only this one; null means all"
    )


class Replayed(BaseModel):
    """重放的结果 / what a replay did."""

    batches: int = Field(description="重新排队的批次数 / batches that wait for a worker again")
    state: BroadcastState
