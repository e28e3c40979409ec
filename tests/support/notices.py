"""Builders of notices, and of somebody who gets them."""

from dataclasses import replace
from typing import Any

from domain.ids import OpenId, TopicId
from domain.people import Subscription
from domain.topic import Mode, SubjectKind
from push.notices import NoticeOrder
from subscriptions.bindings import BindingService
from tests.support.clock import FakeClock
from tests.support.push import CITY, Engine

VIOLATION = TopicId("traffic.violation")
FUND = TopicId("fund.balance")
NUMBER = "990101199001010019"
PLATE = "粤B12345"
ONE = OpenId("oReader0000000000000000001")
TOPICS: tuple[tuple[TopicId, SubjectKind], ...] = ((VIOLATION, "vehicle"), (FUND, "person"))


def violation(event_id: str, plate: str = PLATE, **changes: Any) -> NoticeOrder:
    """A traffic violation of a car."""
    plain = NoticeOrder(
        account=CITY,
        topic=VIOLATION,
        subject_kind="vehicle",
        subject_value=plate,
        plate_type="02",
        template="violation_notice",
        data={
            "time": "2026-11-24 08:12",
            "place": "深南大道",
            "act": "违反禁止标线",
            "fine": "200元",
        },
        event_id=event_id,
    )
    return replace(plain, **changes)


def balance(event_id: str, **changes: Any) -> NoticeOrder:
    """A change of a person's housing fund."""
    plain = NoticeOrder(
        account=CITY,
        topic=FUND,
        subject_kind="person",
        subject_value=NUMBER,
        template="balance_notice",
        data={
            "account": "8812345",
            "change": "汇缴",
            "balance": "100元",
            "time": "2026-11-24 08:00",
        },
        event_id=event_id,
    )
    return replace(plain, **changes)


async def reader(
    engine: Engine, clock: FakeClock, openid: OpenId = ONE, mode: Mode = "daily"
) -> OpenId:
    """Somebody with a car and a name who follows both topics."""
    bindings = BindingService(engine.people, clock)
    await bindings.bind_vehicle(CITY, openid, PLATE, "02", "1234")
    await bindings.bind_real_name(CITY, openid, "张伟", NUMBER, "test")
    for topic, subject in TOPICS:
        item = Subscription(topic=topic, subject=subject, mode=mode)
        await engine.subscriptions.subscribe(CITY, openid, item)
    return openid


async def announce(engine: Engine, *orders: NoticeOrder) -> None:
    """Announce them one after another."""
    for order in orders:
        await engine.notices.announce(order, author="test")
