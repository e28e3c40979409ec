"""Every template of ours has words for channels without templates, and they render."""

from pathlib import Path

import pytest

from push.composing import LONGEST_TEXT
from templates.push_texts import MissingData, push_text
from tests.support.settings import TEMPLATES

FOLDER = Path(__file__).parent.parent.parent / "templates" / "push"
OPTIONAL = {"reason", "fine", "note"}  # contract.md 7: named there, and not in every message


@pytest.mark.parametrize("name", sorted({*TEMPLATES, *(path.stem for path in FOLDER.iterdir())}))
def test_a_template_of_the_contract_is_written_in_words(name):
    data = {value: f"示例{value}" for value in TEMPLATES[name].values()}

    whole = push_text(name, "标题", data, "https://example.org/n/1")
    short = push_text(name, "标题", {k: v for k, v in data.items() if k not in OPTIONAL}, None)

    assert (FOLDER / f"{name}.txt").is_file()
    assert whole.startswith("【标题】")
    assert "https://example.org/n/1" in whole
    assert len(whole.encode()) <= LONGEST_TEXT
    assert "\n\n" not in short
    assert "None" not in short


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_what_the_words_need_and_the_data_lack_is_named(name):
    with pytest.raises(MissingData, match="undefined"):
        push_text(name, "标题", {}, None)


def test_a_template_without_words_is_written_line_by_line():
    text = push_text("of_an_installation", "标题", {"事项": "体检"}, "https://e.org/")

    assert text == "【标题】\n事项：体检\n详情：https://e.org/"
