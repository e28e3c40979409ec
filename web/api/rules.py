"""A rule (受众规则) as the API takes it: a tree of JSON objects, each with one condition.

`{"and": [{"topic": "outage.water", "region": "440305"}, {"not": {"tag": "staff"}}]}`. What the
shape cannot tell (catalogue, depth, days) `push.rule_checks` does.
"""

from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from domain.audience import (
    Active,
    AllOf,
    AnyOf,
    Bound,
    Everybody,
    Followed,
    Got,
    InRegion,
    Not,
    OnTopic,
    Rule,
    Tagged,
)
from domain.clock import aware, in_beijing
from domain.ids import BroadcastId, RegionCode, TopicId
from domain.people import Subject
from domain.topic import SubjectKind
from web.api.strict import Name, Strict

MOST_PARTS = 200


def _day(value: object) -> date:
    """Read a day, or the Beijing day of an instant."""
    try:
        if isinstance(value, str):
            if len(value) == len("2026-12-01"):
                return date.fromisoformat(value)
            return in_beijing(aware(datetime.fromisoformat(value))).date()
    except (ValueError, OverflowError):
        pass  # said below, together with what is no text at all
    raise PydanticCustomError("day", "应为日期，例如 2026-12-01，或带时区的时间")


Day = Annotated[date, BeforeValidator(_day)]


class SpanModel(Strict):
    """从 since 当天起、until 当天之前 / from the day since on, and before the day until."""

    since: Day | None = Field(None, description="起始日（含），北京时间 / first day, in Beijing")
    until: Day | None = Field(None, description="截止日（不含） / the day it ends before")


class RuleSubjectModel(Strict):
    """绑定的事物：一类，或指定的一个 / a bound thing: of a kind, or one in particular."""

    kind: SubjectKind = Field(description="车辆或个人 / vehicle or person")
    value: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = Field(
        None, description="车牌号码或身份证号码 / plate or identity number"
    )
    plate_type: Annotated[str, StringConstraints(max_length=20)] | None = Field(
        None, description="号牌种类，例如 02 / plate type, for example 02"
    )

    def bound(self) -> Bound:
        """Return the domain's condition."""
        if self.value is None:
            return Bound(self.kind)
        named = Subject(kind=self.kind, value=self.value, plate_type=self.plate_type)
        return Bound(self.kind, named=named)


class RuleModel(Strict):
    """规则的一个节点：只写一种条件 / one node of a rule: exactly one condition."""

    all_of: "list[RuleModel] | None" = Field(
        None, alias="and", min_length=1, max_length=MOST_PARTS, description="全部满足 / all hold"
    )
    any_of: "list[RuleModel] | None" = Field(
        None, alias="or", min_length=1, max_length=MOST_PARTS, description="满足其一 / any holds"
    )
    negated: "RuleModel | None" = Field(None, alias="not", description="不满足 / does not hold")
    all: Literal[True] | None = Field(None, description="全部关注者 / every follower")
    topic: Name | None = Field(
        None, description="订阅了主题；可加 region / follows the topic, with region for it"
    )
    region: Name | None = Field(None, description="区划，含下级 / region with all below it")
    tag: Name | None = Field(None, description="标签 / tag")
    subject: RuleSubjectModel | None = Field(None, description="绑定了 / has bound")
    followed: SpanModel | None = Field(None, description="关注日期 / day of following")
    active: SpanModel | None = Field(None, description="最近互动日期 / day last heard from")
    got: Name | None = Field(
        None, description="收到过该群发任务 / was sent that broadcast or an occurrence of it"
    )

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        named = set(self.model_fields_set)
        is_one = named == {"topic", "region"} or len(named) == 1
        if is_one and all(getattr(self, name) is not None for name in named):
            return self
        raise PydanticCustomError(
            "one_condition", "只能写一种条件（topic 可以加 region），多种条件用 and 或 or 连接"
        )

    def rule(self) -> Rule:
        """Return the domain's rule, part by part in the order of the request."""
        if self.all_of is not None:
            return AllOf(tuple(part.rule() for part in self.all_of))
        if self.any_of is not None:
            return AnyOf(tuple(part.rule() for part in self.any_of))
        if self.negated is not None:
            return Not(self.negated.rule())
        return self._leaf()

    def _leaf(self) -> Rule:
        if self.topic is not None:
            return OnTopic(TopicId(self.topic), RegionCode(self.region) if self.region else None)
        if self.region is not None:
            return InRegion(RegionCode(self.region))
        if self.tag is not None:
            return Tagged(self.tag)
        if self.followed is not None:
            return Followed(self.followed.since, self.followed.until)
        if self.active is not None:
            return Active(self.active.since, self.active.until)
        if self.got is not None:
            return Got(BroadcastId(self.got))
        return self.subject.bound() if self.subject is not None else Everybody()
