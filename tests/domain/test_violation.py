"""States and surcharges of traffic violations."""

from datetime import UTC, date, datetime

import pytest

from domain.masking import Plate
from domain.records import Source
from domain.violation import Violation, Violations, late_fee

TODAY = date(2026, 11, 24)


def violation(**more) -> Violation:
    facts = {
        "seq": "1",
        "at": datetime(2026, 10, 1, tzinfo=UTC),
        "place": "深南大道",
        "act_code": "1625",
        "act": "闯红灯",
        "fine": 20_000,
        "points": 6,
        "agency": "福田大队",
        "handled": False,
        "paid": False,
    }
    return Violation(**(facts | more))


@pytest.mark.parametrize(
    ("fine", "days", "extra"),
    [
        (20_000, 10, 6_000),  # 200 yuan, 10 days late: 60 yuan
        (20_000, 40, 20_000),  # 40 days late: capped at the fine
        (20_000, 33, 19_800),
        (20_000, 34, 20_000),
        (20_000, 0, 0),
        (20_000, -3, 0),
        (0, 100, 0),
    ],
)
def test_the_surcharge_is_three_per_cent_a_day_capped_at_the_fine(fine, days, extra):
    assert late_fee(fine, days) == extra


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "unhandled"),
        ({"handled": True}, "unpaid"),
        ({"handled": True, "paid": True}, "paid"),
        ({"handled": True, "is_in_review": True}, "in_review"),
        ({"handled": True, "paid": True, "is_revoked": True}, "revoked"),
    ],
)
def test_the_state_follows_from_the_flags(facts, state):
    assert violation(**facts).state == state


def test_the_fifteenth_day_after_the_decision_is_the_last_without_surcharge():
    decided = violation(handled=True, decided_on=date(2026, 11, 9))

    assert decided.pay_by == TODAY
    assert decided.late_fee(TODAY) == 0
    assert decided.late_fee(date(2026, 11, 25)) == 600


def test_nothing_is_added_while_the_decision_is_under_review():
    assert violation(handled=True, decided_on=date(2026, 1, 1), is_in_review=True).due(TODAY) == 0


def test_totals_count_open_records_only():
    found = Violations(
        source=Source(department="交警", hotline="12123", as_of=datetime(2026, 11, 24, tzinfo=UTC)),
        plate=Plate("粤B12345"),
        plate_type="02",
        records=(
            violation(),
            violation(handled=True, decided_on=date(2026, 10, 30)),
            violation(handled=True, paid=True),
            violation(is_revoked=True),
        ),
    )

    assert found.due(TODAY) == 20_000 + 26_000
    assert found.possible_points == 6
    assert found.counts() == {"unhandled": 1, "unpaid": 1, "paid": 1, "revoked": 1}
    assert len(found.open_) == 2
