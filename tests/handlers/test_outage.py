"""停水停电停气查询, as a citizen reads it."""

import pytest

from domain.errors import DepartmentTimeout
from domain.outage import Area, Phase
from tests.support.departments import at, outage


@pytest.fixture
def utilities(departments):
    return departments.utilities


def away() -> DepartmentTimeout:
    return DepartmentTimeout("供电部门", "no answer", hotline="95598")


@pytest.mark.parametrize(
    "words",
    [
        "停水 福田区",
        "停水福田区",
        "停水 福田",
        "停水，福田区",
        "停水 440304",
        "停水 深圳市福田区",
        "福田区停水",
        "福田区今天停水吗",
        "停水 园岭街道",
        "停水 福田区 园岭街道",
        "停水福田区园岭街道",
    ],
)
async def test_lists_what_is_announced_for_the_named_area(citizen, utilities, words):
    utilities.announced = [outage()]

    answer = await citizen.says(words)

    assert "停水·即将开始·计划" in answer
    assert "园岭街道 百花二路" in answer
    assert utilities.asked == [("water", "440304")]


async def test_both_phases_of_one_event_are_told(citizen, utilities):
    utilities.announced = [outage()]

    answer = await citizen.says("停水 福田区")

    assert "11-24 23:00 至 11-25 04:00 停水\n11-25 04:00 至 11-25 11:00 低压供水" in answer
    assert answer.count("▶") == 1


async def test_reason_households_and_substitute_are_told(citizen, utilities):
    utilities.announced = [outage(affected=3200, substitute="园岭街道办门前")]

    answer = await citizen.says("停水 福田区")

    assert "原因：管道接驳，约3200户" in answer
    assert "应急供水：园岭街道办门前" in answer
    assert "放水 2–3 分钟" in answer


@pytest.mark.parametrize(
    ("place", "may_be"),
    [("福田区", False), ("福田区 园岭街道", True), ("福田区 园岭街道 百花二路", False)],
)
async def test_only_the_same_street_means_may_be_affected(citizen, utilities, place, may_be):
    utilities.announced = [outage()]

    assert ("可能受影响" in await citizen.says(f"停水 {place}")) == may_be


async def test_what_is_on_comes_first(citizen, utilities):
    now = outage(
        id="W2",
        kind="fault",
        status="in_progress",
        phases=(Phase("off", at("11-24 08:00"), at("11-24 14:00")),),
        areas=(Area("440304", "香蜜湖街道", "香林路"),),
    )
    utilities.announced = [outage(), now]

    answer = await citizen.says("停水 福田区")

    assert answer.index("进行中·抢修") < answer.index("即将开始·计划")


async def test_what_is_over_and_older_revisions_are_not_told(citizen, utilities):
    moved = (Phase("off", at("11-25 09:00"), at("11-25 12:00")),)
    utilities.announced = [
        outage(),
        outage(revision=2, status="changed", phases=moved),
        outage(id="W3", status="cancelled"),
        outage(id="W4", status="restored"),
    ]

    answer = await citizen.says("停水 福田区")

    assert answer.count("▶") == 1
    assert "11-25 09:00" in answer
    assert "有调整" in answer


async def test_nothing_announced_is_said_and_a_subscription_offered(citizen):
    answer = await citizen.says("停水 福田区")

    assert "目前没有停水公告" in answer
    assert "1. 订阅停水通知" in answer
    assert "订阅成功：停水通知·福田区" in await citizen.says("1")


async def test_a_whole_city_is_too_much_for_a_subscription(citizen):
    await citizen.says("停水 深圳市")

    assert citizen.session.options == ["订阅 停水"]


async def test_every_answer_ends_with_source_time_and_hotline(citizen):
    answer = await citizen.says("停电 福田区")

    assert "数据来源：power公司\n数据截至：2026-11-24 09:30\n咨询电话：12345" in answer


async def test_without_a_place_the_district_is_asked_for(citizen, utilities):
    utilities.announced = [outage()]
    question = await citizen.says("停水")

    answer = await citizen.says("2")

    assert "请选择所在的区" in question
    assert "2. 福田区" in question
    assert "园岭街道 百花二路" in answer


async def test_a_street_can_be_typed_instead_of_a_number(citizen, utilities):
    utilities.announced = [outage()]
    await citizen.says("停水")

    assert "【停水】福田区 园岭街道" in await citizen.says("园岭")


async def test_a_place_that_is_none_is_asked_again(citizen):
    await citizen.says("停水")

    assert "没有找到这个地方" in await citizen.says("火星")
    assert "【停水】福田区" in await citizen.says("2")


async def test_another_service_can_be_named_instead_of_a_place(citizen):
    await citizen.says("停水")

    assert "实名绑定" in await citizen.says("社保")


async def test_the_menu_asks_what_and_where(citizen, utilities):
    what = await citizen.taps("query.outage")
    where = await citizen.says("4")
    await citizen.says("3")

    assert "4. 全部" in what
    assert "3. 南山区" in where
    assert utilities.asked == [("water", "440305"), ("power", "440305"), ("gas", "440305")]


async def test_bound_places_answer_the_bare_word(citizen, utilities):
    await citizen.binds_place()
    await citizen.binds_place("work", "440305", "粤海街道")
    utilities.announced = [outage()]

    answer = await citizen.says("停水")

    assert "【停水】家 福田区 园岭街道" in answer
    assert "可能受影响" in answer
    assert "【停水】单位 南山区 粤海街道\n目前没有停水公告" in answer


async def test_bound_places_answer_the_menu_for_all_three(citizen, utilities):
    await citizen.binds_place()

    answer = await citizen.taps("query.outage")

    assert "家 福田区 园岭街道" in answer
    assert [utility for utility, _ in utilities.asked] == ["water", "power", "gas"]


async def test_one_company_away_does_not_hide_the_others(citizen, utilities):
    utilities.announced = [outage()]
    utilities.away = {"power": away()}

    answer = await citizen.says("停水停电停气 福田区")

    assert "园岭街道 百花二路" in answer
    assert "供电部门系统暂时无法查询，请稍后再试，或拨打 95598" in answer


async def test_all_companies_away_is_the_dispatchers_to_say(citizen, utilities):
    utilities.away = {"power": away()}

    with pytest.raises(DepartmentTimeout):
        await citizen.says("停电 福田区")


async def test_an_older_answer_is_said_to_be_one(citizen, utilities):
    utilities.is_stale = True

    assert "以上为较早的信息" in await citizen.says("停水 福田区")


async def test_an_unknown_place_is_answered_with_the_districts(citizen, utilities):
    answer = await citizen.says("停电 火星")

    assert "没有找到这个地方" in answer
    assert "2. 福田区" in answer
    await citizen.says("2")
    assert utilities.asked == [("power", "440304")]


async def test_a_road_no_notice_names_shows_the_district(citizen, utilities):
    utilities.announced = [outage()]

    answer = await citizen.says("停水 福田区 幸福路")

    assert "公告里没有提到“幸福路”，以下是福田区的公告" in answer
    assert "百花二路" in answer


async def test_many_are_told_page_by_page(citizen, utilities):
    utilities.announced = [outage(id=f"W{n}", reason=f"第{n}号工程") for n in range(5)]

    first = await citizen.says("停水 福田区")
    second = await citizen.says("1")

    assert "另有2条" in first
    assert "第3号工程" in second
    assert "下一页" not in second


async def test_the_longest_notices_fit_into_one_message(citizen, utilities):
    long = {
        "areas": tuple(Area("440304", "园岭街道", "很长的路段" * 20) for _ in range(50)),
        "phases": tuple(Phase("low", at("11-24 09:00"), at("11-25 11:00")) for _ in range(9)),
        "reason": "很长的原因" * 20,
        "affected": 123_456,
        "substitute": "很长的供水点" * 20,
        "issuer": "很长的公司名称" * 20,
        "hotline": "0755-12345678",
        "status": "delayed",
    }
    utilities.announced = [
        outage(id=f"{utility}{n}", utility=utility, **long)
        for n in range(4)
        for utility in ("water", "power", "gas")
    ]
    await citizen.says("停水停电停气 福田区 园岭街道")
    for label in ("home", "work", "parents"):
        await citizen.binds_place(label)

    assert "另有" in await citizen.taps("query.outage")


@pytest.mark.parametrize("question", ["停水了怎么投诉", "停电怎么报修", "为什么停气", "停水的补偿"])
async def test_questions_about_outages_are_left_to_the_robot(routes, question):
    found = routes.for_text(question)

    assert found is None or "outage" not in found.route.where


@pytest.mark.parametrize(
    "said", ["11010519491231002X", "粤B12345", '<a href="javascript:alert(1)">x</a>']
)
@pytest.mark.parametrize("where", ["", "福田区 "])
async def test_what_is_no_place_is_never_repeated(citizen, utilities, where, said):
    utilities.announced = [outage()]

    answer = await citizen.says(f"停水 {where}{said}")

    assert said[:6] not in answer
    assert "<a" not in answer


async def test_a_page_past_the_end_does_not_say_that_all_is_well(citizen, utilities):
    utilities.announced = [outage()]

    answer = await citizen.says("停水 福田区 第9页")

    assert "园岭街道 百花二路" in answer
    assert "目前没有" not in answer
