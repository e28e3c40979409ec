"""What the API says of a person's history: topics, times and outcomes, never content."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from domain.clock import in_beijing
from domain.ids import OpenId
from domain.masking import mask_openid
from push.history import HistoryPage, HistoryRow, TopicCount
from web.api.described import Operation
from web.api.models import Account
from web.api.operation_models import Query
from web.api.strict import Moment


def _with_its_plus(value: Any) -> Any:
    return value.replace(" ", "+") if isinstance(value, str) else value  # + unquoted is a blank


class HistoryQuery(Query):
    """哪些记录 / which records."""

    account: Account
    before: Annotated[Moment | None, BeforeValidator(_with_its_plus)] = Field(
        None, description="只要早于这个时间的 / only what is older"
    )
    limit: int = Field(50, ge=1, le=200, description="每页条数 / how many on a page")


class TopicCountModel(BaseModel):
    """主题与条数 / a topic and how many notices of it."""

    topic: str
    title: str
    count: int

    @classmethod
    def of(cls, count: TopicCount) -> Self:
        return cls(topic=count.topic, title=count.title, count=count.count)


class HistoryItem(BaseModel):
    """一条消息 / one message."""

    at: AwareDatetime = Field(description="时间 / when")
    broadcast: str = Field(description="任务编号 / id of its broadcast")
    kind: str = Field(description="broadcast、notice 或 digest（汇总） / or digest")
    title: str = Field(description="任务标题 / title of its broadcast")
    topics: list[TopicCountModel] = Field(description="涉及的主题 / topics it was about")
    left_out: list[TopicCountModel] = Field(
        description="汇总发送前已退订、解绑或过期而没有包括的 / not in the digest any more"
    )
    channel: str = Field(description="发送渠道 / what carried it")
    state: str = Field(description="delivered、sent、failed、skipped 或 unknown / or unknown")
    outcome: str = Field(description="送达情况，或没有送达的原因 / delivered, or why not")

    @classmethod
    def of(cls, row: HistoryRow) -> Self:
        return cls(
            at=in_beijing(row.at),
            broadcast=row.broadcast,
            kind=row.kind,
            title=row.title,
            topics=[TopicCountModel.of(count) for count in row.topics],
            left_out=[TopicCountModel.of(count) for count in row.left_out],
            channel=row.channel,
            state=row.state,
            outcome=row.outcome,
        )


class HistoryReport(BaseModel):
    """一个人的发送记录，新的在前 / a person's history, the newest first."""

    openid: str = Field(description="已脱敏 / masked")
    items: list[HistoryItem]
    waiting: int = Field(description="等待汇总的通知数 / notices waiting for the next digest")
    before: AwareDatetime | None = Field(
        description="下一页的 before 参数；空为没有了 / asks for the next page; null: no more"
    )

    @classmethod
    def of(cls, openid: OpenId, page: HistoryPage, waiting: int) -> Self:
        return cls(
            openid=mask_openid(openid),
            items=[HistoryItem.of(row) for row in page.rows],
            waiting=waiting,
            before=in_beijing(page.before) if page.before else None,
        )


EXAMPLE: Mapping[str, Any] = {
    "openid": "oCit…",
    "items": [
        {
            "at": "2026-11-25T08:00:03+08:00",
            "broadcast": "dg_0123456789abcdef01234567",
            "kind": "digest",
            "title": "通知汇总",
            "topics": [{"topic": "traffic.violation", "title": "交通违法提醒", "count": 2}],
            "left_out": [],
            "channel": "template",
            "state": "delivered",
            "outcome": "已送达",
        }
    ],
    "waiting": 0,
    "before": None,
}


HISTORY = Operation(
    method="get",
    path="/api/v1/subscribers/{openid}/history",
    id="getHistory",
    summary="一个人的发送记录：时间、主题、送达情况或原因，不含内容；openid 已脱敏",
    english="What was sent to a person, when, delivered or why not; never content, masked",
    scopes=("history:read",),
    query=HistoryQuery,
    response=HistoryReport,
    answer=EXAMPLE,
    problems=(401, 403, 422, 429),
)
