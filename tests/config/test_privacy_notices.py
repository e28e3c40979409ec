"""The notices citizens consent to: versioned, complete, short enough for one message."""

import pytest

from config.privacy_notices import load_notice
from domain.errors import ConfigError


def test_the_real_name_notice_says_what_the_law_asks():
    notice = load_notice("real_name")

    assert notice.version
    # PIPL 17 and 30: who, why, what, how long, rights; necessity of sensitive information
    for word in (
        "处理者",
        "目的",
        "姓名",
        "身份号码",
        "保存期限",
        "权利",
        "敏感个人信息",
        "14 周岁",
    ):
        assert word in notice.text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("text without a version", "must begin"),
        ("---\nversion: \n---\ntext", "must begin"),
        ("---\nversion: 1\n---\n" + "长" * 600, "longer than"),
    ],
)
def test_a_notice_without_version_or_too_long_does_not_start(tmp_path, content, problem):
    (tmp_path / "real_name.md").write_text(content, encoding="utf-8")

    with pytest.raises(ConfigError, match=problem):
        load_notice("real_name", tmp_path)


def test_a_notice_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.md"):
        load_notice("gone", tmp_path)
