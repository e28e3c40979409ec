"""The engine's own reasons are said in words; what people wrote stays as it is."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.broadcast import Broadcast
from domain.ids import BroadcastId
from domain.sentence import Sentence
from domain.stops import stop_in_words
from push.dead import reason_of
from push.plans import _problem
from tests.support.push import CITY, EVERYBODY, WATER

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAN = Broadcast(
    id=BroadcastId("bc_1"), account=CITY, title="停水", topic=WATER, audience=EVERYBODY,
    template="outage_notice", data={}, state="scheduled", created_at=NOW, expires_at=NOW + 9 * HOUR,
)  # fmt: skip


def test_what_the_plans_write_is_understood():
    late = _problem(PLAN, NOW, NOW, NOW + 2 * HOUR)
    expired = _problem(PLAN, NOW, NOW, NOW + 10 * HOUR)
    overtaken = _problem(PLAN, NOW, NOW + HOUR / 2, NOW + HOUR / 2)

    assert stop_in_words(late).startswith("没有按时发送：计划 2026-11-24 10:00，2026-11-24 12:00")
    assert "已经失效" in stop_in_words(expired)
    assert "已到下一次（2026-11-24 10:30）" in stop_in_words(overtaken)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (reason_of("bc_1:0"), "有批次反复中断"),
        ("40 of 50 messages failed, last: 43101 refused", "最近 50 条中有 40 条失败"),
        ("configuration: 48001 api unauthorized", "账号设置拒绝发送：48001"),
        ("template or data refused: 40037 invalid", "不接受这个模板或内容"),
        ("its plan was paused", "所属的周期任务已暂停"),
        ("cancelled by 水务集团", "接口 水务集团 取消"),
    ],
)
def test_each_reason_of_the_engine_is_a_sentence(reason: str, words: str):
    assert words in stop_in_words(reason)
    assert isinstance(stop_in_words(reason), Sentence)


def test_what_a_person_wrote_is_left_alone():
    for text in ("李审核: 时间写错了", "{0}{due}", "", "missed: 明天"):
        assert stop_in_words(text) == text
        assert not isinstance(stop_in_words(text), Sentence)
