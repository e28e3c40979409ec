"""违章查询, as a citizen reads it."""

from datetime import date

import pytest

from domain.errors import InvalidInput
from handlers.traffic import parse_line
from tests.support.departments import violation


@pytest.fixture
def police(departments):
    return departments.traffic


@pytest.mark.parametrize(
    "line",
    [
        "违章 粤B12345 02 1234",
        "违章 粤B12345 1234",
        "违章 粤B12345 小型汽车 1234",
        "违章粤b12345 1234",
        "查违章 粤B 12345 02 1234",
        "违章：粤Ｂ·12345，1234",
        "交通违法 粤B-12345 1234",
        "粤B12345 1234",
    ],
)
async def test_one_line_is_enough(citizen, police, line):
    await citizen.says(line)

    assert police.asked == [("粤B12345", "02", "1234")]


async def test_the_plate_type_is_inferred_from_the_plate(citizen, police):
    await citizen.says("违章 粤BD12345 5678")

    assert police.asked == [("粤BD12345", "52", "5678")]


async def test_the_dialog_asks_plate_type_and_digits(citizen, police):
    questions = [await citizen.says(text) for text in ("违章", "粤BD12345", "1", "5678")]

    assert "请输入车牌号码" in questions[0]
    assert "1. 小型新能源汽车" in questions[1]
    assert "发动机号后四位" in questions[2]
    assert police.asked == [("粤BD12345", "52", "5678")]


async def test_a_line_without_digits_goes_on_where_it_stopped(citizen, police):
    assert "号牌种类" in await citizen.says("违章 粤B12345")
    await citizen.says("小型汽车")
    await citizen.says("1234")

    assert police.asked == [("粤B12345", "02", "1234")]


async def test_a_wrong_plate_in_the_dialog_is_asked_again_with_a_hint(citizen):
    await citizen.taps("query.traffic")

    answer = await citizen.says("苏I12345")

    assert "没有字母 I 和 O" in answer
    assert "请输入车牌号码" in answer


async def test_a_bound_vehicle_is_answered_at_once(citizen, police):
    await citizen.binds_vehicle()

    answer = await citizen.taps("query.traffic")

    assert police.asked == [("粤B12345", "02", "1234")]
    assert "没有查到交通违法记录" in answer
    assert "订阅违章提醒" in answer
    assert "绑定这辆车" not in answer


async def test_of_several_vehicles_one_is_chosen(citizen, police):
    await citizen.binds_vehicle()
    await citizen.binds_vehicle("粤BD12345", digits="5678")

    choice = await citizen.says("违章")
    await citizen.says("2")

    assert "1. 粤B****5 小型汽车" in choice
    assert police.asked == [("粤BD12345", "52", "5678")]


async def test_another_vehicle_can_be_asked_about(citizen):
    await citizen.binds_vehicle()
    await citizen.says("违章")

    assert "请输入车牌号码" in await citizen.says("查其他车辆")


async def test_each_record_has_state_fine_and_what_to_do(citizen, police):
    police.records = (
        violation(),
        violation(handled=True, decided_on=date(2026, 11, 20)),
        violation(handled=True, decided_on=date(2026, 10, 30), measured=98, limit=80),
        violation(handled=True, paid=True),
    )

    answer = await citizen.says("违章 粤B12345 1234")

    assert "共4条：未处理1，已处理未缴款2，已缴款1" in answer
    assert "待缴合计660.00元，可能记6分" in answer
    assert "【未处理】\n深南大道与上步路路口 违反交通信号灯通行\n罚款200.00元，可能记6分" in answer
    assert "请在2026-12-05前缴款" in answer
    assert "（98/限80）\n罚款200.00元，已逾期加处60.00元" in answer
    assert "处理机关：福田大队" in answer
    assert "记分以实际处理为准" in answer


async def test_points_are_only_possible_ones(citizen, police):
    police.records = (violation(handled=True, decided_on=date(2026, 11, 20)),)

    assert "可能记" not in await citizen.says("违章 粤B12345 1234")


async def test_the_plate_is_masked_in_every_answer(citizen, police):
    police.records = (violation(),)

    answer = await citizen.says("违章 粤B12345 1234")

    assert "粤B****5" in answer
    assert "12345" not in answer.replace("12123", "")


async def test_every_answer_ends_with_source_time_and_hotline(citizen, police):
    answer = await citizen.says("违章 粤B12345 1234")

    assert "数据来源：交警支队\n数据截至：2026-11-24 09:30\n咨询电话：12123" in answer


async def test_many_records_are_told_page_by_page_what_is_open_first(citizen, police):
    police.records = (
        violation(handled=True, paid=True, place="已结清路"),
        *(violation(place=f"第{number}大道") for number in range(1, 6)),
    )

    first = await citizen.says("违章 粤B12345 1234")
    second = await citizen.says("1")

    assert "第1大道" in first
    assert "已结清路" not in first
    assert "5）" in second
    assert "已结清路" in second
    assert "下一页" not in second


async def test_the_pages_of_a_bound_vehicle_leave_no_plate_in_the_session(citizen, police):
    await citizen.binds_vehicle()
    police.records = tuple(violation() for _ in range(6))

    await citizen.says("违章")
    second = await citizen.says("1")

    assert "5）" in second
    assert "粤B12345" not in str(citizen.session.to_json())


async def test_binding_the_vehicle_is_one_key_away(citizen, police):
    await citizen.says("违章 粤B12345 1234")

    assert "绑定成功" in await citizen.says("1")
    await citizen.says("违章")
    assert police.asked == [("粤B12345", "02", "1234")] * 2


async def test_digits_that_do_not_belong_are_the_citizens_to_correct(citizen, police):
    police.error = InvalidInput("车牌、号牌种类与发动机号后四位对不上")

    assert "对不上" in await citizen.says("违章 粤B12345 0000")


async def test_the_longest_records_fit_into_one_message(citizen, police):
    police.records = tuple(
        violation(
            place="很长的路名" * 20,
            act="很长的违法行为" * 20,
            agency="很长的机关名称" * 20,
            measured=180,
            limit=120,
            handled=bool(number % 2),
            decided_on=date(2026, 1, 1),
        )
        for number in range(8)
    )
    await citizen.binds_vehicle()

    assert "下一页" in await citizen.says("违章")


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("违章 粤B12345", {"plate": "粤B12345"}),
        ("违章 粤B12345 01", {"plate": "粤B12345", "plate_type": "01"}),
        ("违章 粤B 12345 ab12", {"plate": "粤B12345", "plate_type": "02", "digits": "AB12"}),
        (
            "违章 粤B12345 1234 大型汽车",
            {"plate": "粤B12345", "plate_type": "01", "digits": "1234"},
        ),
    ],
)
def test_a_line_is_read_word_by_word(line, answers):
    assert parse_line(line) == answers


@pytest.mark.parametrize("line", ["违章 粤B12", "违章 粤B12345 123", "违章 粤B12345 88 1234"])
def test_a_line_that_cannot_be_meant_is_answered_with_a_hint(line):
    with pytest.raises(InvalidInput):
        parse_line(line)


@pytest.mark.parametrize("question", ["怎么查违章", "违章停车怎么处理", "违章扣分几年清零"])
async def test_questions_about_violations_are_left_to_the_robot(routes, question):
    found = routes.for_text(question)

    assert found is None or "traffic" not in found.route.where


async def test_a_page_past_the_end_shows_the_last_one(citizen, police):
    police.records = tuple(violation() for _ in range(5))

    assert "5）" in await citizen.says("违章 粤B12345 1234 第9页")


@pytest.mark.parametrize("plate", ["粤B12345", "粤b·12345", "粤BD12345"])
async def test_a_plate_alone_is_asked_about(citizen, plate):
    assert "【违章查询】请选择号牌种类" in await citizen.says(plate)


async def test_a_plate_without_its_province_is_answered_with_a_hint(citizen):
    assert "请连同省份简称一起写" in await citizen.says("违章 B12345 1234")


async def test_after_wrong_digits_the_dialog_asks_again(citizen, police):
    police.error = InvalidInput("车牌、号牌种类与发动机号后四位对不上")
    for words in ("违章", "粤B12345", "1"):
        await citizen.says(words)

    answer = await citizen.says("0000")

    assert "对不上" in answer
    assert "请选择号牌种类" in answer
    police.error = None
    await citizen.says("1")
    assert "数据来源" in await citizen.says("1234")
