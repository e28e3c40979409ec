"""What fits a template's field, and how a program's time is written for people."""

import pytest

from push.field_types import as_written, problem_with


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("2026-12-01T09:00:00+08:00", "2026年12月1日 09:00"),
        ("2026-12-01T01:00:00Z", "2026年12月1日 09:00"),
        ("2026-12-01 09:00", "2026年12月1日 09:00"),
        ("2026年12月1日 09:00", "2026年12月1日 09:00"),
        ("09:00", "09:00"),
    ],
)
def test_a_time_of_a_program_becomes_one_for_people(given, written):
    assert as_written("time2", given) == written
    assert problem_with("time2", written) is None


def test_only_times_and_dates_are_rewritten():
    assert as_written("thing1", "2026-12-01 09:00") == "2026-12-01 09:00"


@pytest.mark.parametrize("given", ["2026-13-01T09:00", "明天上午", "2026-12-01T25:00"])
def test_what_is_no_time_is_named_as_such(given):
    assert problem_with("time2", as_written("time2", given)) is not None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "一" * 21),
        ("thing1", "停水😀"),
        ("thing1", "两\n行"),
        ("phrase2", "红色预警级别"),
        ("character_string1", "停水"),
        ("amount3", "很多钱"),
        ("car_number1", "粤"),
        ("number4", "十"),
        ("thing1", "  "),
    ],
)
def test_a_value_the_platform_would_refuse_is_refused_here(key, value):
    assert problem_with(key, value)
