"""Months, gaps and balances of what departments keep about a person."""

from datetime import UTC, date, datetime

import pytest

from domain.masking import PersonName
from domain.records import (
    Benefit,
    Contribution,
    Insurance,
    MedicalAccount,
    SocialInsurance,
    Source,
    months_before,
)

TODAY = date(2026, 11, 24)
SOURCE = Source(department="社保局", hotline="12333", as_of=datetime(2026, 11, 24, tzinfo=UTC))


def paid(period: str, *, kind: str = "110", times: int = 1, unit: str = "甲公司", **more):
    return Contribution(
        kind=kind,
        period=period,
        pay_month=more.pop("pay_month", period),
        base=1_000_000,
        paid_person=80_000 * times,
        paid_unit=160_000 * times,
        unit=unit,
        **more,
    )


def record(*contributions: Contribution, first: str = "202001", **more) -> SocialInsurance:
    return SocialInsurance(
        source=SOURCE,
        name=PersonName("张伟"),
        insurances=(
            Insurance(kind="110", state=more.pop("state", "active"), first_insured=first),
            Insurance(kind="170", state="active", first_insured=first),
        ),
        contributions=contributions,
        **more,
    )


def all_months_but(*missing: str) -> list[Contribution]:
    return [paid(period) for period in months_before(TODAY, 12) if period not in missing]


def test_months_before_reach_over_the_turn_of_the_year():
    assert list(months_before(date(2026, 1, 31), 3)) == ["202512", "202511", "202510"]


def test_months_without_any_payment_are_gaps_oldest_first():
    found = record(*all_months_but("202608", "202603"))

    assert found.gaps("110", TODAY) == ("202603", "202608")


def test_the_present_month_is_never_a_gap_because_it_is_booked_at_its_end():
    assert record(*all_months_but()).gaps("110", TODAY) == ()


def test_a_back_payment_fills_the_month_it_belongs_to():
    late = paid("202603", pay_type="back_payment", pay_month="202610", late_fee=500)

    assert record(*all_months_but("202603"), late).gaps("110", TODAY) == ()


def test_a_month_whose_payment_was_refunded_is_a_gap():
    refund = paid("202605", pay_type="refund", times=-1)

    assert record(*all_months_but(), refund).gaps("110", TODAY) == ("202605",)


def test_a_double_payment_refunded_once_is_no_gap():
    twice, refund = paid("202605"), paid("202605", pay_type="refund", times=-1)

    assert record(*all_months_but(), twice, refund).gaps("110", TODAY) == ()


def test_two_employers_in_one_month_are_added_up():
    month = record(paid("202610"), paid("202610", unit="乙公司")).months("110", TODAY)[0]

    assert month.paid_person == 160_000
    assert month.units == ("甲公司", "乙公司")


def test_money_on_its_way_is_pending_and_no_gap():
    found = record(*all_months_but("202610"), paid("202610", arrived=False))

    assert found.months("110", TODAY)[0].is_pending
    assert found.gaps("110", TODAY) == ()


def test_nothing_is_missing_before_the_first_insured_month():
    found = record(paid("202610"), first="202609")

    assert found.gaps("110", TODAY) == ("202609",)


def test_a_pensioner_has_no_gaps_once_the_benefit_began():
    benefit = Benefit(since="202609", monthly=400_000)

    assert record(*all_months_but("202609", "202610"), benefit=benefit).gaps("110", TODAY) == ()


@pytest.mark.parametrize(
    ("kind", "state"), [("170", "active"), ("110", "ended"), ("310", "active")]
)
def test_yearly_ended_and_unknown_kinds_have_no_gaps(kind, state):
    assert record(state=state).gaps(kind, TODAY) == ()


def test_a_local_kind_keeps_its_code_as_title():
    assert Insurance(kind="911", state="active").title == "险种911"


def test_a_medical_balance_is_history_and_this_year():
    assert MedicalAccount(history=1_000, this_year=250).balance == 1_250
