"""Numbers of persons in free text are masked; other numbers stay readable."""

import pytest

from domain.free_text import mask_numbers


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("请 11010519491231002X 到窗口", "请 1****************X 到窗口"),
        ("电话13812345678，尽快", "电话138****5678，尽快"),
        ("+8613812345678", "+86138****5678"),
        ("8613812345678 或 0086-13812345678", "86138****5678 或 0086-138****5678"),
        ("138 1234 5678，138-1234-5678", "138****5678，138****5678"),
        ("单号 9913812345678、138123456789", "单号 9913812345678、138123456789"),  # longer numbers
        ("2026-1138 1234-5678", "2026-1138 1234-5678"),
        ("单号 110105194912310021 已办结", "单号 110105194912310021 已办结"),  # wrong check digit
        ("2026年11月24日 08:12，罚款200元", "2026年11月24日 08:12，罚款200元"),
        ("", ""),
    ],
)
def test_only_numbers_of_persons_are_masked(text: str, masked: str):
    assert mask_numbers(text) == masked
