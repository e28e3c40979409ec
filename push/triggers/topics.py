"""Which topics each trigger speaks about (触发规则 → 主题), for the catalogue of topics."""

from collections.abc import Mapping

from domain.ids import TopicId
from push.triggers import alerts, detours, fuel, outages, policies, tax, violations
from push.triggers.balances import WORDINGS

TOPICS_OF: Mapping[str, tuple[TopicId, ...]] = {
    outages.NAME: tuple(TopicId(f"outage.{utility}") for utility in ("water", "power", "gas")),
    violations.NAME: (violations.TOPIC,),
    **{f"{office}_balance": (wording.topic,) for office, wording in WORDINGS.items()},
    alerts.NAME: (alerts.TOPIC,),
    detours.NAME: (detours.TOPIC,),
    fuel.NAME: (fuel.TOPIC,),
    policies.NAME: (policies.TOPIC,),
    tax.NAME: (tax.TOPIC,),
}
TITLES: Mapping[str, str] = {
    outages.NAME: "停水停电停气公告",
    violations.NAME: "交通违法信息",
    "social_balance": "社保账户变动",
    "medical_balance": "医保账户变动",
    "fund_balance": "公积金账户变动",
    alerts.NAME: "气象预警",
    detours.NAME: "公交改道公告",
    fuel.NAME: "油价调整",
    policies.NAME: "惠企政策发布",
    tax.NAME: "征期日历",
}


def triggers_of(topic: TopicId) -> tuple[str, ...]:
    """Return the triggers that feed a topic."""
    return tuple(name for name, topics in TOPICS_OF.items() if topic in topics)
