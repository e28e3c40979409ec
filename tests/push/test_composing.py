"""What is composed for each channel, and what is wrong with an order that cannot be."""

import pytest

from domain.channel import SubscriptionNotice
from domain.content import content_from, content_parts
from push.composing import LONGEST_TEXT, compose
from tests.support.push import DATA

WAYS = ("template", "subscription", "custom")


@pytest.fixture
def account(settings):
    return settings.account("city")


def test_a_topic_without_other_ways_is_composed_as_ever(account):
    content, faults = compose("outage_notice", DATA, None, account)

    assert not faults
    assert content_parts(content).keys() == {"template_id", "fields", "url"}


def test_every_way_of_a_topic_is_composed_and_frozen(account):
    content, faults = compose(
        "outage_notice", DATA, "https://e.org/", account, channels=WAYS, title="停水通知"
    )

    assert not faults
    assert content.channels == WAYS
    assert isinstance(content.notice, SubscriptionNotice)
    assert (content.notice.template_id, content.notice.kind) == (
        "city-sub-outage_notice",
        "one_time",
    )
    assert content.text.startswith("【停水通知】\n区域：福田区园岭街道")
    assert content.text.endswith("详情：https://e.org/")
    assert content_from(content_parts(content)) == content


def test_a_way_that_the_account_is_not_set_up_for_is_left_out(account):
    content, faults = compose("alert_notice", ALERT, None, account, channels=WAYS)

    assert not faults
    assert content.channels == ("template", "custom")


def test_a_message_without_any_way_is_refused_by_the_templates_name(account):
    content, faults = compose("alert_notice", ALERT, None, account, channels=("subscription",))

    assert content is None
    assert [(fault.field, fault.code) for fault in faults] == [("template", "unknown_template")]


def test_a_missing_value_is_named_once_for_all_ways(account):
    data = {name: value for name, value in DATA.items() if name != "area"}

    _, faults = compose("outage_notice", data, None, account, channels=WAYS)

    assert [fault.field for fault in faults] == ["data.area", "data"]
    assert "area" in faults[1].message


def test_a_text_that_is_too_long_is_refused(account):
    data = {**DATA, "reason": "检" * LONGEST_TEXT}

    _, faults = compose("outage_notice", data, None, account, channels=("custom",))

    assert [fault.code for fault in faults] == ["text_too_long"]


ALERT = {
    "headline": "暴雨红色预警",
    "level": "红色",
    "issuer": "市气象台",
    "time": "2026-12-01 09:00",
}
