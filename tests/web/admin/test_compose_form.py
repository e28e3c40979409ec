"""A form becomes an order and an order becomes its form again; times are said in plain words."""

from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audience import AllOf, AnyOf, Got, InRegion, Not, OnTopic, Rule, Tagged, digest
from domain.broadcast import Audience, Broadcast
from domain.ids import AccountId, BroadcastId, RegionCode, TopicId
from domain.schedule_words import (
    Spelling,
    moment_in_words,
    read_spelling,
    recurring_in_words,
    spelt,
)
from push.broadcasts import order_of
from web.admin.compose_form import cleaned, fields_for, read_order
from web.admin.compose_rule import MOST, Node, changed, fields_of, node_of, read_node, rule_of
from web.admin.compose_view import times_of

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
CITY = AccountId("city")
leaves = st.one_of(
    st.builds(Tagged, st.sampled_from(["老人", "学生"])),
    st.builds(OnTopic, st.just(TopicId("outage.water")), st.sampled_from([None, "440305"])),
    st.builds(InRegion, st.just(RegionCode("440304"))),
    st.builds(Got, st.just(BroadcastId("bc_1"))),
)
rules: st.SearchStrategy[Rule] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, leaves),
        st.builds(AllOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def raw(rule: Rule | None) -> dict[str, list[str]]:
    return {name: [value] for name, value in fields_of(node_of(rule))}


def read(**form: str | list[str]):
    given_ = {name: [value] if isinstance(value, str) else value for name, value in form.items()}
    return read_order(cleaned(given_), CITY, ["area"])


def times(**form: str | list[str]):
    reading = read(**form)
    when = form["when"]
    assert isinstance(when, str)
    return times_of(reading.order, when, NOW, (time(22), time(7)))


@given(rules)
def test_a_rule_that_fits_the_form_comes_back_meaning_the_same(rule: Rule):
    node = node_of(rule)
    if _depth(node) > 3:
        return

    again = rule_of(read_node(raw(rule)))

    assert again is not None
    assert digest(again) == digest(rule)


def _depth(node: Node) -> int:
    return 1 + max((_depth(part) for part in node.parts if part.op), default=0)


def test_a_rule_grows_and_shrinks_by_its_buttons():
    node = changed(changed(node_of(None), "rule:add:r"), "rule:group:r")
    assert [part.kind or part.op for part in node.parts] == ["tag", "any"]

    assert changed(node, "rule:remove:r.1").parts == node.parts[:1]
    for nonsense in ("rule:remove:r.9", "rule:add:x", "rule:add:r.0", "rule::", "rule:remove:r"):
        assert changed(node, nonsense) == node


def test_a_rule_of_too_many_or_too_deep_nodes_is_cut():
    many = {f"r.{number}.kind": ["tag"] for number in range(99)}
    deep = {f"r.{'0.' * 50}kind": ["tag"]}

    assert len(read_node(many).parts) < MOST
    assert read_node(deep).parts == ()


def test_a_condition_that_says_nothing_is_named():
    reading = read(**{"r.op": "all", "r.0.kind": "followed", "r.0.since": "gestern"})

    assert "关注日期应为日期" in reading.errors["rule"]


@pytest.mark.parametrize(
    "text",
    ["@workdays 09:00", "@tax D-5,D-0 10:30", "@tax D-2 09:00 quarterly", "5 8 * * 1,3",
     "0 9 31 * *", "*/5 9 * * *"],
)  # fmt: skip
def test_a_recurring_time_is_spelt_as_it_was(text: str):
    assert spelt(read_spelling(text)) == text


def test_working_days_of_a_cron_line_are_days_of_the_form():
    assert read_spelling("0 9 * * 1-5").weekdays == (1, 2, 3, 4, 5)
    assert recurring_in_words("0 9 * * 0-6") == "每天 09:00"


@pytest.mark.parametrize(
    "spelling",
    [Spelling(way="weekly"), Spelling(way="monthly", day=32), Spelling(way="tax", days_before=()),
     Spelling(way="workdays", clock="25:00")],
)  # fmt: skip
def test_what_is_missing_of_a_recurring_time_is_said(spelling: Spelling):
    with pytest.raises(ValueError, match="请"):
        spelt(spelling)


@pytest.mark.parametrize(
    ("chosen", "said", "dates"),
    [
        ({"when": "now"}, "审核并发布后立即发送", 0),
        ({"when": "once", "at": "2026-12-01T09:00"}, "于 12月1日（周二）09:00 发送", 0),
        ({"when": "once", "at": "2026-11-01T09:00"}, "已经过去", 0),
        ({"when": "repeat", "way": "workdays", "clock": "09:00"}, "每个工作日", 5),
        ({"when": "repeat", "way": "weekly", "weekdays": ["1", "3"], "clock": "8:05"},
         "周一、周三 08:05", 5),
        ({"when": "repeat", "way": "monthly", "monthday": "31", "clock": "09:00"}, "每月 31 日", 5),
        ({"when": "repeat", "way": "tax", "days_before": "5", "clock": "09:00"}, "前 5 天", 5),
        ({"when": "repeat", "way": "cron", "cron": "99 9 * * *"}, "写法无效", 0),
        ({"when": "repeat", "way": "cron", "cron": "*/30 9 * * *"}, "按周期 */30 9", 5),
        ({"when": "repeat", "way": "workdays", "clock": "09:00", "expires_at": "2026-11-26T00:00"},
         "每个工作日", 1),
    ],
)  # fmt: skip
def test_the_schedule_is_said_in_plain_sentences(chosen, said: str, dates: int):
    found = times(**chosen)

    assert said in "".join(found.sentences)
    assert len(found.dates) == dates


def test_the_next_five_working_days_leave_out_the_weekend():
    assert times(when="repeat", way="workdays", clock="09:00").dates == (
        "11月25日（周三）09:00",
        "11月26日（周四）09:00",
        "11月27日（周五）09:00",
        "11月30日（周一）09:00",
        "12月1日（周二）09:00",
    )


def test_another_year_is_named():
    assert (
        moment_in_words(datetime(2027, 1, 1, 1, 0, tzinfo=UTC), NOW) == "2027年1月1日（周五）09:00"
    )


def test_quiet_hours_the_window_and_lateness_are_told():
    said = "".join(
        times(
            when="once", at="2026-12-01T09:00", window_from="09:00", window_to="18:00",
            late_by="90", expires_at="2026-12-02T00:00",
        ).sentences
    )  # fmt: skip

    assert "免打扰时段 22:00–07:00 内不发送" in said
    assert "只在每天 09:00 到 18:00 之间发送" in said
    assert "晚于计划 90 分钟" in said
    assert "到 12月2日（周三）00:00 还没有收到的人" in said


def test_half_a_window_and_a_wrong_number_are_said_beside_their_fields():
    reading = read(window_from="09:00", late_by="x", at="morgen", when="once")

    assert reading.errors.keys() == {"window_to", "late_by", "at"}


def test_all_followers_with_a_condition_are_those_whom_it_means():
    assert read(who="all").order.audience == Audience(all=True)
    assert read(who="all", regions=["440305"]).order.audience == Audience(
        regions=(RegionCode("440305"),)
    )


@given(rules, st.sampled_from([(), ("老人",)]), st.sampled_from([(), ("440305",)]))
def test_an_order_comes_back_from_its_own_form(rule: Rule, tags, regions):
    made = Broadcast(
        id=BroadcastId("bc_1"),
        account=CITY,
        title="停水",
        topic=TopicId("outage.water"),
        audience=Audience(topics=(TopicId("outage.water"),), tags=tags, regions=regions, rule=rule),
        template="outage_notice",
        data={"area": "园岭"},
        state="draft",
        created_at=NOW,
    )
    if _depth(node_of(rule)) > 3:
        return

    again = read_order(fields_for(made), CITY, ["area"], made).order

    assert again.digest() == order_of(made).digest()
