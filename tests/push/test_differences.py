"""A reviewer sees every field that an edit changed, and within a text what went and what came."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config.catalogue import load_catalogue
from domain.audience import AllOf, Not, OnTopic, Tagged
from domain.broadcast import ORDERED, Audience, Broadcast
from domain.ids import BroadcastId, OpenId, RegionCode, TopicId
from push.differences import differences, lines_of, pieces
from tests.support.push import CITY, DATA, WATER

CATALOGUE = load_catalogue()
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
BEFORE = Broadcast(
    id=BroadcastId("bc_1"),
    account=CITY,
    title="停水通知",
    topic=WATER,
    audience=Audience(topics=(WATER,), regions=(RegionCode("440304"),)),
    template="outage_notice",
    data=DATA,
    state="in_review",
    created_at=NOW,
)
RULE = AllOf((OnTopic(WATER), Not(Tagged("离职"))))
CHANGED = {
    "title": "停水通知（更正）",
    "topic": TopicId("outage.power"),
    "audience": Audience(all=True),
    "template": "other",
    "data": DATA | {"reason": "抢修", "extra": "新"},
    "url": "https://a.gov.cn/",
    "at": NOW,
    "cron": "@workdays 09:00",
    "expires_at": NOW,
    "priority": "urgent",
    "ignore_quiet_hours": True,
    "window": (NOW.time(), NOW.time()),
    "late_by": timedelta(minutes=5),
    "channel": "mass",
}


def test_the_cases_are_all_that_an_order_can_say():
    assert set(CHANGED) == set(ORDERED)


@pytest.mark.parametrize("name", ORDERED)
def test_a_change_of_any_field_is_seen(name: str):
    after = replace(BEFORE, **{name: CHANGED[name]})

    found = differences(BEFORE, after, CATALOGUE)

    assert name in {change.name for change in found}
    assert differences(after, after, CATALOGUE) == []


def test_what_went_and_what_came_are_told_apart_letter_by_letter():
    found = [(piece.mark, piece.text) for piece in pieces("12月1日停水", "12月3日停电")]

    assert ("gone", "1") in found
    assert ("new", "3") in found
    assert "".join(text for mark, text in found if mark != "new") == "12月1日停水"
    assert "".join(text for mark, text in found if mark != "gone") == "12月3日停电"


def test_megabytes_of_one_letter_are_compared_at_once():
    assert [piece.mark for piece in pieces("a" * 1_000_000, "a" * 999_999 + "b")] == ["gone", "new"]


def test_openids_are_masked_and_rules_are_lines():
    people = tuple(OpenId(f"oSecret{number:020}") for number in range(30))
    audience = Audience(openids=people, rule=RULE)

    lines = {
        line.part: line.text for line in lines_of(replace(BEFORE, audience=audience), CATALOGUE)
    }

    assert lines["openids"].startswith("30 人：oSec…")
    assert "oSecret0" not in lines["openids"]
    assert "离职" in lines["rule"]


def test_other_people_behind_the_same_masks_are_a_difference():
    people = tuple(OpenId(f"oSecret{number:020}") for number in range(30))
    before = replace(BEFORE, audience=Audience(openids=people))
    after = replace(
        BEFORE, audience=Audience(openids=(*people[:28], OpenId("oSecretX"), people[29]))
    )
    again = replace(BEFORE, audience=Audience(openids=people[::-1]))

    (found,) = differences(before, after, CATALOGUE)

    assert (found.name, found.part) == ("audience", "openids")
    assert found.after == "换了人：增加 1 人，减少 1 人"
    assert "oSecret" not in found.after
    assert differences(before, again, CATALOGUE) == []


def test_what_reads_the_same_and_is_not_is_told_of():
    before, after = replace(BEFORE, at=NOW), replace(BEFORE, at=NOW + timedelta(seconds=30))

    (found,) = differences(before, after, CATALOGUE)

    assert (found.name, found.after) == ("at", "有改动，写出来是一样的")
