"""What the departments' API takes and gives (`contract.md` 4): strict, and unknown fields refused.

The OpenAPI description and the page people read are made from these models. Descriptions are
Chinese first, then English.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from domain.broadcast import Audience, BroadcastState
from domain.clock import parse_hours
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from push.notices import NoticeOrder
from push.orders import BroadcastOrder
from web.api.rules import RuleModel
from web.api.strict import Moment, Name, RepeatKey, Strict

HOURS = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"
Value = Annotated[str, StringConstraints(max_length=500)]
DataName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]+$")]
Data = Annotated[
    dict[DataName, Value],
    Field(
        max_length=50,
        description="模板数据；账号模板没有用到的会被忽略；{区域}、{姓名}、{车牌} "
        "发送时换成每个人自己的（已脱敏） / template data; what the account's template does not "
        "map is ignored; these placeholders become each reader's own, masked",
    ),
]
Account = Annotated[
    str, Field(min_length=1, max_length=32, description="账号代号 / short name of the account")
]
Url = Annotated[
    str | None,
    Field(max_length=1024, description="点开消息后的网页 / page behind the message"),
]
Template = Annotated[
    str, Field(min_length=1, max_length=64, description="模板名 / our name of the template")
]


class AudienceModel(Strict):
    """发送对象：各种条件之间为“且”，同种条件的值之间为“或” / kinds by AND, values by OR."""

    topics: list[Name] = Field([], max_length=100, description="订阅主题 / subscribed topics")
    regions: list[Name] = Field(
        [], max_length=500, description="行政区划代码，含下级 / regions with all below them"
    )
    tags: list[Name] = Field([], max_length=100, description="标签 / tags")
    openids: list[Name] = Field([], max_length=5_000, description="指定的人 / these people")
    all: bool = Field(False, description="全部关注者 / every follower")
    rule: RuleModel | None = Field(
        None,
        description="更细的条件，与以上各种条件之间为“且” / finer conditions, joined to the others "
        "by AND",
    )

    def audience(self) -> Audience:
        """Return the domain's audience, each value once."""
        return Audience(
            topics=tuple(TopicId(topic) for topic in dict.fromkeys(self.topics)),
            regions=tuple(RegionCode(region) for region in dict.fromkeys(self.regions)),
            tags=tuple(dict.fromkeys(self.tags)),
            openids=tuple(OpenId(openid) for openid in dict.fromkeys(self.openids)),
            all=self.all,
            rule=self.rule.rule() if self.rule is not None else None,
        )


class BroadcastRequest(Strict):
    """群发任务 / one message for many."""

    account: Account
    title: str = Field(
        min_length=1, max_length=100, description="任务标题，不发给市民 / title, not sent"
    )
    topic: Name = Field(description="所属主题 / topic it belongs to")
    audience: AudienceModel
    template: Template
    data: Data
    url: Url = None
    at: Moment | None = Field(
        None, description="发送时间，须带时区；空为立即 / when, with its zone; null means now"
    )
    cron: Annotated[str, StringConstraints(min_length=9, max_length=100)] | None = Field(
        None,
        description="周期发送，北京时间：五段 cron；或 @workdays 09:00（每个工作日，含调休）；或 "
        "@tax D-5,D-2,D-0 09:00（按月申报期限前几天，后面可写办税日历中的另一个名称，如 quarterly、"
        "individual.settlement） / recurring, Beijing time: five cron fields; or every Chinese "
        "working day; or days before each monthly deadline of the tax calendar, or of another of "
        "its names written behind",
    )
    window: Annotated[str, StringConstraints(pattern=HOURS)] | None = Field(
        None,
        description="发送时段，如 09:00-18:00，北京时间；时段外等到下次开始 / sent only inside "
        "these hours, Beijing time; outside it waits until they begin",
    )
    late_by_minutes: int = Field(
        60,
        ge=1,
        le=10_080,
        description="最多晚这么多分钟开始；再晚就不发，状态为 failed / begun at most this late; "
        "later it is missed, state failed",
    )
    expires_at: Moment | None = Field(
        None, description="过了这个时间就不再发送 / not sent any more after this"
    )
    priority: Literal["normal", "urgent"] = Field(
        "normal", description="urgent 先发，且不受免打扰时段限制 / urgent goes first, at any hour"
    )
    ignore_quiet_hours: bool = Field(
        False, description="免打扰时段也发送 / send in quiet hours too"
    )
    channel: Literal["mass"] | None = Field(
        None,
        description="空为主题规定的渠道；mass 为群发：只有文字，每人每月最多 4 条 / null means "
        "the topic's channels; mass is a mass send: words only, at most 4 a month per person",
    )
    idempotency_key: RepeatKey | None = Field(
        None, description="重复提交的凭据，每个账号内唯一 / unique per account, for repeats"
    )

    def order(self) -> BroadcastOrder:
        """Return the order as the engine takes it."""
        return BroadcastOrder(
            account=AccountId(self.account),
            title=self.title,
            topic=TopicId(self.topic),
            audience=self.audience.audience(),
            template=self.template,
            data=self.data,
            url=self.url,
            at=self.at,
            cron=self.cron,
            expires_at=self.expires_at,
            priority=self.priority,
            ignore_quiet_hours=self.ignore_quiet_hours,
            window=parse_hours(self.window or ""),
            late_by=timedelta(minutes=self.late_by_minutes),
            channel=self.channel,
            idempotency_key=self.idempotency_key,
        )


class SubjectModel(Strict):
    """通知所关于的事物 / the thing a notice is about."""

    kind: Literal["vehicle", "person"] = Field(description="车辆或个人 / vehicle or person")
    value: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(
        description="车牌号码或身份证号码 / plate or identity number"
    )
    plate_type: Annotated[str, StringConstraints(max_length=20)] | None = Field(
        None, description="号牌种类，例如 02 / plate type, for example 02"
    )


class NoticeRequest(Strict):
    """个人通知 / one event about one thing, for whoever bound it."""

    account: Account
    topic: Name = Field(description="主题；只发给订阅了它的人 / only those who follow it")
    subject: SubjectModel
    template: Template
    data: Data
    url: Url = None
    event_id: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        description="事件编号；同一编号只通知一次 / the same event is told once"
    )
    priority: Literal["normal", "urgent"] = Field(
        "normal",
        description="urgent 立即发送，不进汇总，不受每日上限和免打扰时段限制 / at once, "
        "whatever digests, daily caps and quiet hours say",
    )
    expires_at: Moment | None = Field(
        None, description="过了这个时间就不再发送 / not sent any more after this"
    )

    def order(self) -> NoticeOrder:
        """Return the order as the engine takes it."""
        return NoticeOrder(
            account=AccountId(self.account),
            topic=TopicId(self.topic),
            subject_kind=self.subject.kind,
            subject_value=self.subject.value,
            plate_type=self.subject.plate_type,
            template=self.template,
            data=self.data,
            url=self.url,
            event_id=self.event_id,
            priority=self.priority,
            expires_at=self.expires_at,
        )


class BroadcastAccepted(BaseModel):
    """已受理 / accepted."""

    id: str
    state: BroadcastState


class CountsModel(BaseModel):
    """人数；结束时 sent + failed + skipped + unknown = audience / people, adding up at the end."""

    audience: int = Field(description="发送对象人数 / people meant")
    sent: int = Field(description="平台已接收 / taken by the platform")
    delivered: int = Field(description="有送达回执 / with a receipt of delivery")
    failed: int = Field(description="失败 / failed")
    skipped: int = Field(
        description="未发送：已退订、过期或取消 / not sent: left, expired, cancelled"
    )
    unknown: int = Field(description="没有得到答复 / no answer came")


class BroadcastReport(BaseModel):
    """群发任务的进展 / how a broadcast is getting on."""

    id: str
    state: BroadcastState
    counts: CountsModel
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    reason: str = Field(description="暂停、驳回或失败的原因 / why paused, rejected or failed")
    revision: int = Field(1, description="第几版，每次修改加一 / counts up with every edit")
    next_at: AwareDatetime | None = Field(
        None, description="周期任务的下一次 / when a recurring one is next"
    )


class NoticeAccepted(BaseModel):
    """已受理 / accepted."""

    matched: int = Field(description="绑定并订阅的人数 / people who bound it and follow the topic")


class ProblemError(BaseModel):
    """一处错误 / one thing that is wrong."""

    field: str = Field(description="请求中的位置 / where in the request")
    code: str
    message: str


class ProblemModel(BaseModel):
    """错误（RFC 9457）/ a problem."""

    type: str
    title: str
    status: int
    code: str = Field(description="不变的错误代码 / stable code")
    detail: str
    errors: list[ProblemError] | None = Field(
        None, description="每一处错误 / everything that is wrong"
    )
