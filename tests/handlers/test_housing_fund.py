"""公积金查询, as a citizen reads it."""

from datetime import date

import pytest

from domain.records import FundFlow
from tests.support.departments import fund_loan, housing_fund


@pytest.fixture
async def bound(citizen, departments):
    """A citizen with a real name, whom the centre knows."""
    await citizen.binds_real_name()
    departments.fund.answer = housing_fund()
    return citizen


async def test_who_has_no_real_name_bound_is_one_key_away_from_it(citizen):
    assert "1. 实名绑定" in await citizen.taps("query.fund")


@pytest.mark.parametrize("words", ["公积金", "公积金查询", "住房公积金", "公积金余额"])
async def test_state_balance_and_deposit_are_told(bound, words):
    answer = await bound.says(words)

    assert "账户状态：正常" in answer
    assert "账户余额：88,123.45元" in answer
    assert "月缴存：1,200.00元（基数12,000.00元，单位5%，个人5%）" in answer
    assert "缴至：2026年10月" in answer
    assert "咨询电话：12329" in answer


async def test_the_account_number_shows_its_last_four_only(bound):
    answer = await bound.says("公积金")

    assert "***********1001" in answer
    assert "20031990" not in answer


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("sealed", "账户已封存"),
        ("withdrawn", "提取销户"),
        ("moved_out", "外部转出销户"),
        ("frozen", "冻结"),
        ("other", "其他"),
    ],
)
async def test_every_state_has_its_words(bound, departments, state, words):
    departments.fund.answer = housing_fund(state=state)

    assert words in await bound.taps("query.fund")


async def test_the_flow_is_one_key_away(bound):
    await bound.says("公积金")

    assert "2026-11-05 汇缴 1,200.00元，余额88,123.45元" in await bound.says("1")


async def test_the_loan_is_told_with_what_is_overdue(bound, departments):
    departments.fund.answer = housing_fund(loan=fund_loan(overdue_periods=2))
    overview = await bound.says("公积金")

    answer = await bound.says("2")

    assert "贷款余额：482,350.17元，已逾期2期" in overview
    assert "下次还款：2026-12-20" in answer
    assert "已逾期2期，请尽快还款" in answer
    assert "***********0088" in answer


async def test_who_has_no_loan_is_told_so(bound):
    assert "没有查到您的公积金贷款" in await bound.says("公积金贷款查询")


async def test_no_account_is_explained(bound, departments):
    departments.fund.answer = None

    assert "没有查到您的公积金账户" in await bound.says("公积金")


async def test_the_longest_flow_fits_into_one_message(bound, departments):
    line = FundFlow(
        on=date(2026, 11, 5), kind="偿还商业贷款提取", amount=-99_999_999, balance_after=99_999_999
    )
    departments.fund.answer = housing_fund(flow=(line,) * 60, unit="很长的名字" * 12)

    assert await bound.says("公积金流水")
    assert await bound.says("公积金")


@pytest.mark.parametrize("question", ["公积金贷款额度", "公积金转移", "买房怎么取公积金"])
async def test_questions_about_the_fund_are_left_to_the_robot(routes, question):
    found = routes.for_text(question)

    assert found is None or "housing_fund" not in found.route.where
