"""社保查询, as a citizen reads it."""

import logging
from datetime import date

import pytest

from domain.errors import BrokenContract, DepartmentTimeout
from domain.records import Benefit, Insurance
from tests.support.departments import contribution, social_insurance


@pytest.fixture
async def bound(citizen, departments):
    """A citizen with a real name, whom the agency knows."""
    await citizen.binds_real_name()
    departments.social.answer = social_insurance()
    return citizen


async def test_who_has_no_real_name_bound_is_one_key_away_from_it(citizen, departments):
    answer = await citizen.taps("query.social")

    assert "请先实名绑定" in answer
    assert "1. 实名绑定" in answer
    assert citizen.session.options == ["实名绑定"]
    assert departments.social.asked == []


@pytest.mark.parametrize("words", ["社保", "查社保", "社保查询", "养老保险", "社保。"])
async def test_the_overview_names_kind_state_months_and_balance(bound, words):
    answer = await bound.says(words)

    assert "职工养老保险：正常参保，累计75个月" in answer
    assert "养老个人账户（2025年末）：63,360.45元" in answer
    assert "甲公司" in answer


async def test_every_answer_ends_with_source_time_and_hotline(bound):
    for words in ("社保", "社保明细 养老", "断缴", "社保余额"):
        answer = await bound.says(words)

        assert "数据来源：社保局" in answer
        assert "数据截至：2026-11-24 09:30" in answer
        assert "咨询电话：12333" in answer


async def test_the_name_is_masked_and_the_number_never_shown(bound):
    answer = await bound.taps("query.social")

    assert "张*" in answer
    assert "张伟" not in answer
    assert "990101" not in answer


async def test_the_agency_is_asked_about_the_bound_person(bound, departments):
    await bound.says("社保")

    assert departments.social.asked == [("990101199001010019", "张伟")]


async def test_a_number_of_the_overview_opens_the_months_of_that_kind(bound):
    await bound.says("社保")

    answer = await bound.says("1")

    assert "2026年10月 800.00/1,600.00" in answer
    assert "2025年11月" in answer
    assert "2025年10月" not in answer


async def test_gaps_refunds_double_employers_and_money_under_way_are_told(bound, departments):
    departments.social.answer = social_insurance(
        missing=["202606", "202610"],
        contributions=(
            contribution("202610", arrived=False),
            contribution("202609"),
            contribution("202609", unit="乙公司"),
            contribution("202608", pay_type="back_payment", pay_month="202610"),
            contribution("202605"),
            contribution("202605", pay_type="refund", paid_person=-80_000, paid_unit=-160_000),
        ),
    )

    answer = await bound.says("社保明细 养老")

    assert "2026年10月 800.00/1,600.00 未到账" in answer
    assert "2026年9月 1,600.00/3,200.00 2家单位" in answer
    assert "2026年8月 800.00/1,600.00 含补缴" in answer
    assert "2026年6月 断缴" in answer
    assert "2026年5月 0.00/0.00 断缴（已退费） 含退费" in answer


async def test_gap_months_are_named_per_kind(bound, departments):
    departments.social.answer = social_insurance(missing=["202606", "202607"])

    assert "职工养老保险：2026年6月、2026年7月" in await bound.says("断缴")


async def test_no_gap_is_said_in_so_many_words(bound, departments):
    record = social_insurance()
    departments.social.answer = social_insurance(insurances=record.insurances[:1])

    assert "最近12个月没有断缴" in await bound.says("社保断缴")


async def test_a_pensioner_sees_the_benefit_and_when_to_certify(bound, departments):
    departments.social.answer = social_insurance(
        insurances=(Insurance(kind="110", state="ended", months_total=420),),
        contributions=(),
        benefit=Benefit(since="200501", monthly=412_350, certified_until=date(2027, 1, 15)),
    )

    answer = await bound.says("社保")

    assert "养老金：每月4,123.50元，2005年1月起领取" in answer
    assert "请在2027-01-15前完成待遇资格认证" in answer
    assert "断缴" not in answer


async def test_what_is_paid_by_the_year_has_no_months(bound, departments):
    departments.social.answer = social_insurance(
        insurances=(Insurance(kind="170", state="active", months_total=48),),
        contributions=(contribution("202603", kind="170", paid_person=120_000, paid_unit=36_000),),
    )

    answer = await bound.says("社保明细 居民养老保险")

    assert "2026年3月 正常缴费 个人1,200.00元，补助360.00元" in answer
    assert "断缴" not in answer


async def test_a_transfer_under_way_is_told(bound, departments):
    departments.social.answer = social_insurance(transfer_with="东莞市")

    assert "转移接续办理中：东莞市" in await bound.says("社保")


async def test_nothing_on_record_is_explained(bound, departments):
    departments.social.answer = None

    answer = await bound.says("社保")

    assert "没有查到您的参保记录" in answer
    assert "12333" in answer


async def test_a_kind_the_citizen_does_not_have_is_answered_with_those_they_have(bound):
    assert "职工养老保险、职工医疗保险" in await bound.says("社保明细 失业")


@pytest.mark.parametrize("error", [DepartmentTimeout, BrokenContract])
async def test_the_agency_being_away_travels_to_the_dispatcher(bound, departments, error):
    departments.social.error = error("社保经办机构", "away", hotline="12333")

    with pytest.raises(error) as caught:
        await bound.says("社保")

    assert "12333" in caught.value.say


async def test_a_look_at_personal_data_is_logged_without_it(bound, caplog):
    caplog.set_level(logging.INFO)
    await bound.says("社保")

    line = next(record for record in caplog.records if record.message == "record.viewed")
    assert bound.openid not in str(line.__dict__)
    assert "张伟" not in str(line.__dict__)


async def test_the_longest_record_fits_into_one_message(bound, departments):
    kinds = ("110", "120", "170", "210", "310", "390", "410", "510", "911")
    departments.social.answer = social_insurance(
        insurances=tuple(
            Insurance(
                kind=kind,
                state="suspended",
                unit=f"{kind}" + "很长的单位名称" * 6,
                months_total=480,
                balance=123_456_789,
                balance_year=2025,
            )
            for kind in kinds
        ),
        transfer_with="呼伦贝尔市",
    )

    for words in ("社保", "社保明细 养老", "断缴", "社保余额"):
        assert await bound.says(words)  # the citizen checks the length


@pytest.mark.parametrize(
    "question", ["社保卡掉了怎么补", "社保中断了会怎么样", "社保明细怎么打印", "怎么开社保证明"]
)
async def test_questions_about_social_insurance_are_left_to_the_robot(citizen, routes, question):
    found = routes.for_text(question)

    assert found is None or "social_insurance" not in found.route.where


async def test_each_of_two_pensions_opens_its_own_payments(bound, departments):
    departments.social.answer = social_insurance(
        insurances=(
            Insurance(kind="110", state="suspended", months_total=75),
            Insurance(kind="170", state="active", months_total=12),
        )
    )

    assert "【居民养老保险】" in await bound.says("社保明细 居民养老保险")
    assert "【职工养老保险】" in await bound.says("社保明细 养老")


async def test_a_kind_the_person_does_not_have_is_not_met_by_another(bound):
    assert "您没有这个险种" in await bound.says("社保明细 居民养老保险")


async def test_who_draws_a_pension_is_not_told_of_gaps(bound, departments):
    departments.social.answer = social_insurance(benefit=Benefit(since="202501", monthly=412_350))

    answer = await bound.says("断缴")

    assert "不用再缴费" in answer
    assert "没有断缴" not in answer


async def test_kinds_paid_by_the_year_have_no_missing_months(bound, departments):
    departments.social.answer = social_insurance(
        insurances=(Insurance(kind="390", state="active", months_total=60),)
    )

    assert "按年缴费，没有按月断缴" in await bound.says("断缴")
