"""Orders: what a department or an operator asks for, checked as a whole before anything is kept.

All problems are found at once, each naming its field, so that one answer is enough to put a
request right. The console and the JSON API use the same checks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any, Literal

from config.catalogue import Catalogue
from config.settings import AccountSettings
from domain.audience import digest as rule_digest
from domain.broadcast import LATE_BY, Audience, Priority
from domain.channel import TEMPLATE_ONLY, ChannelName
from domain.errors import CitizenError
from domain.ids import AccountId, TopicId
from domain.ledger import Content
from domain.sentence import Sentence, joined
from push.composing import Fault, compose
from push.recurrences import recurrence
from push.rule_checks import check_rule, is_region

__all__ = ["BroadcastOrder", "Fault", "OrderRefused", "check_broadcast", "check_topic", "compose"]


class OrderRefused(CitizenError):
    """The order cannot be carried out as it stands; `faults` names every reason."""

    code = "invalid_order"
    status = 422

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(joined((fault.message for fault in faults), "；"), field=faults[0].field)
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastOrder:
    """One message for many, as asked for."""

    account: AccountId
    title: str
    topic: TopicId
    audience: Audience
    template: str
    data: Mapping[str, str] = field(repr=False)
    url: str | None = None
    at: datetime | None = None
    cron: str | None = None
    expires_at: datetime | None = None
    priority: Priority = "normal"
    ignore_quiet_hours: bool = False
    window: tuple[time, time] | None = None  # sent only inside, Beijing time
    late_by: timedelta = LATE_BY
    channel: Literal["mass"] | None = None  # None: as the topic says
    idempotency_key: str | None = None

    def digest(self) -> str:
        """Return a digest that is the same for the same order, however it was spelt."""
        content: dict[str, Any] = {
            "account": self.account,
            "title": self.title,
            "topic": self.topic,
            "audience": [
                sorted(self.audience.topics),
                sorted(self.audience.regions),
                sorted(self.audience.tags),
                sorted(self.audience.openids),
                self.audience.all,
                # what did not exist when older orders were kept does not change their digests
                *([rule_digest(self.audience.rule)] if self.audience.rule is not None else []),
            ],
            "template": self.template,
            "data": sorted(self.data.items()),
            "url": self.url,
            "at": self.at.timestamp() if self.at else None,
            "cron": self.cron,
            "expires_at": self.expires_at.timestamp() if self.expires_at else None,
            "priority": self.priority,
            "ignore_quiet_hours": self.ignore_quiet_hours,
        }
        # only when asked for, so that orders of before these fields keep their digest
        if self.window is not None:
            content["window"] = [end.isoformat() for end in self.window]
        if self.late_by != LATE_BY:
            content["late_by"] = self.late_by.total_seconds()
        if self.channel is not None:
            content["channel"] = self.channel
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_broadcast(
    order: BroadcastOrder, account: AccountSettings, catalogue: Catalogue, now: datetime
) -> Content:
    """Return the finished content, or raise `OrderRefused` with everything that is wrong."""
    faults = _check_topic(order.topic, "topic", catalogue)
    faults += check_audience(order.audience, catalogue)
    faults += _check_times(order, now)
    topic = catalogue.topics.get(order.topic)
    channels: tuple[ChannelName, ...] = topic.channels if topic else TEMPLATE_ONLY
    content, more = compose(
        order.template,
        order.data,
        order.url,
        account,
        channels=("mass",) if order.channel == "mass" else channels,
        title=order.title,
    )
    faults += more
    if not order.title.strip():
        faults.append(Fault(field="title", code="missing", message=Sentence("标题 title 不能为空")))
    if faults or content is None:
        raise OrderRefused(tuple(faults))
    return content


def check_topic(topic: TopicId, catalogue: Catalogue) -> list[Fault]:
    """Return the fault of a topic that is not in the catalogue."""
    return _check_topic(topic, "topic", catalogue)


def _check_topic(topic: TopicId, where: str, catalogue: Catalogue) -> list[Fault]:
    if topic in catalogue.topics:
        return []
    known = joined(sorted(catalogue.topics))
    message = Sentence(
        "{where} 中的主题 {topic} 不在主题目录中，已有：{known}",
        where=where,
        topic=topic,
        known=known,
    )
    return [Fault(field=where, code="unknown_topic", message=message)]


def check_audience(audience: Audience, catalogue: Catalogue) -> list[Fault]:
    """Return everything that is wrong with an audience."""
    if audience.is_empty:
        return [
            Fault(
                field="audience",
                code="empty_audience",
                message=Sentence("audience 没有任何条件；确实要发给全部关注者时写 all: true"),
            )
        ]
    faults: list[Fault] = []
    if audience.all and audience != Audience(all=True):
        faults.append(
            Fault(
                field="audience.all",
                code="contradictory_audience",
                message=Sentence("audience.all 为 true 时不能再有其他条件"),
            )
        )
    for number, topic in enumerate(audience.topics):
        faults += _check_topic(topic, f"audience.topics.{number}", catalogue)
    for number, region in enumerate(audience.regions):
        if not is_region(region):
            faults.append(
                Fault(
                    field=f"audience.regions.{number}",
                    code="unknown_region",
                    message=Sentence(
                        "audience.regions 中的 {region} 不是行政区划代码（6、9 或 12 位数字）",
                        region=region,
                    ),
                )
            )
    if audience.rule is not None:
        faults += [
            Fault(field=where, code=code, message=message)
            for where, code, message in check_rule(audience.rule, catalogue)
        ]
    return faults


def _check_times(order: BroadcastOrder, now: datetime) -> list[Fault]:
    faults: list[Fault] = []
    if order.cron is not None:
        try:
            recurrence(order.cron)
        except ValueError as error:
            faults.append(
                Fault(
                    field="cron",
                    code="invalid_cron",
                    message=Sentence("cron 无效：{error}", error=error),
                )
            )
    if order.expires_at is not None:
        if order.expires_at <= now:
            faults.append(
                Fault(field="expires_at", code="expired", message=Sentence("expires_at 已经过去"))
            )
        elif order.at is not None and order.expires_at <= order.at:
            faults.append(
                Fault(
                    field="expires_at", code="expired", message=Sentence("expires_at 必须晚于 at")
                )
            )
    if order.window is not None and order.window[0] == order.window[1]:
        message = Sentence("window 的开始和结束不能相同，应为 09:00-18:00 的形式")
        faults.append(Fault(field="window", code="invalid_window", message=message))
    return faults
