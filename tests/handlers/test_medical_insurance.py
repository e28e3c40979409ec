"""医保查询, as a citizen reads it."""

from datetime import date

import pytest

from domain.records import MedicalFlow, OutOfArea
from tests.support.departments import medical_insurance


@pytest.fixture
async def bound(citizen, departments):
    """A citizen with a real name, whom the bureau knows."""
    await citizen.binds_real_name()
    departments.medical.answer = medical_insurance()
    return citizen


async def test_who_has_no_real_name_bound_is_one_key_away_from_it(citizen):
    assert "1. 实名绑定" in await citizen.taps("query.medical")


@pytest.mark.parametrize("words", ["医保", "查医保", "医保余额", "医疗保险"])
async def test_the_account_is_told_with_history_and_this_year_apart(bound, words):
    answer = await bound.says(words)

    assert "职工医疗保险：正常参保（在职）" in answer
    assert "个人账户余额：2,234.50元" in answer
    assert "历年结余2,000.00元，当年234.50元" in answer
    assert answer.index("数据来源：医保局") < answer.index("咨询电话：12393")


async def test_no_personal_account_is_not_an_empty_one(bound, departments):
    departments.medical.answer = medical_insurance(kind="390", person_type="居民", account=None)

    answer = await bound.taps("query.medical")

    assert "没有个人账户" in answer
    assert "0.00元" not in answer


async def test_limits_filings_and_suspension_are_told_when_there_are_any(bound, departments):
    departments.medical.answer = medical_insurance(
        state="suspended",
        deductible=60_000,
        deductible_used=21_600,
        ceiling=80_000_000,
        ceiling_used=100,
        chronic=("高血压",),
        out_of_area=OutOfArea(kind="长期异地居住", city="长沙市", valid_from=date(2026, 1, 1)),
    )

    answer = await bound.says("医保")

    assert "起付线：600.00元，已累计216.00元" in answer
    assert "年度限额：800,000.00元，已用1.00元" in answer
    assert "门诊慢特病备案：高血压" in answer
    assert "长沙市，长期异地居住，2026-01-01至长期" in answer
    assert "已暂停参保" in answer


async def test_the_flow_tells_who_paid_what(bound):
    await bound.says("医保")

    answer = await bound.says("1")

    assert "2026-11-20 门诊 市第二人民医院" in answer
    assert "合计238.50元：统筹166.95，账户71.55，现金0.00" in answer


async def test_the_longest_flow_fits_into_one_message(bound, departments):
    line = MedicalFlow(
        on=date(2026, 11, 20),
        institution="名字非常非常长的定点医疗机构" * 4,
        kind="住院",
        total=123_456_789,
        fund_paid=123_456_789,
        account_paid=123_456_789,
        cash_paid=123_456_789,
    )
    departments.medical.answer = medical_insurance(flow=(line,) * 50, unit="很长的名字" * 12)

    assert "住院" in await bound.says("医保流水")
    assert "很长的名字" in await bound.says("医保")


async def test_nothing_on_record_is_explained(bound, departments):
    departments.medical.answer = None

    assert "没有查到您的参保记录" in await bound.says("医保")


@pytest.mark.parametrize("question", ["医保转移", "医保报销标准", "医保码怎么开通"])
async def test_questions_about_medical_insurance_are_left_to_the_robot(routes, question):
    found = routes.for_text(question)

    assert found is None or "medical_insurance" not in found.route.where
