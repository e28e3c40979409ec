"""Topics, regions and menu: what ships is sound, and a slip in a file is named."""

import shutil
from pathlib import Path

import pytest

from config.catalogue import FOLDER, load_catalogue
from domain.errors import ConfigError
from domain.ids import RegionCode, TopicId

CONTRACT_TOPICS = [
    "outage.water", "outage.power", "outage.gas", "traffic.violation", "social.balance",
    "medical.balance", "fund.balance", "tax.calendar", "policy.enterprise", "bus.detour",
    "fuel.price", "weather.alert", "case.progress",
]  # fmt: skip
CONTRACT_KEYS = {
    "query.social", "query.medical", "query.fund", "query.traffic", "query.outage",
    "my.subscriptions", "my.bindings", "ask.robot", "ask.human", "do.appointment", "do.case",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


@pytest.fixture
def edited(tmp_path: Path):
    """Return a function that copies the files and replaces one text in one of them."""

    def edit(name: str, old: str, new: str) -> Path:
        for file in ("topics.toml", "regions.toml", "menu.toml"):
            shutil.copy(FOLDER / file, tmp_path / file)
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        return tmp_path

    return edit


def test_the_promised_topics_are_there(catalogue):
    assert list(catalogue.topics) == CONTRACT_TOPICS


@pytest.mark.parametrize(
    ("said", "topic"),
    [("停水", "outage.water"), ("违章", "traffic.violation"), ("ｏutage.Gas", "outage.gas")],
)
def test_a_topic_is_found_by_what_citizens_call_it(catalogue, said, topic):
    assert catalogue.topic_by_word(said) is catalogue.topics[TopicId(topic)]


def test_a_word_that_names_no_topic_finds_none(catalogue):
    assert catalogue.topic_by_word("天下") is None


def test_the_menu_has_every_promised_key_and_fits_what_wechat_takes(catalogue):
    buttons = catalogue.menu["button"]

    entries = [entry for button in buttons for entry in button["sub_button"]]
    assert {entry["key"] for entry in entries} == CONTRACT_KEYS
    assert len(buttons) <= 3
    assert all(len(button["sub_button"]) <= 5 for button in buttons)
    assert set(catalogue.menu_words) == CONTRACT_KEYS


@pytest.mark.parametrize(
    ("text", "region", "rest"),
    [
        ("福田区", "440304", ""),
        ("福田", "440304", ""),
        ("福田区 园岭街道", "440304", "园岭街道"),
        ("园岭街道", "440304", "园岭街道"),
        ("园岭", "440304", "园岭街道"),
        ("深圳市福田区园岭街道", "440304", "园岭街道"),
        ("南山 西丽", "440305", "西丽街道"),
        ("南山 西丽湖路", "440305", "西丽湖路"),
        ("福田街道", "440304", "福田街道"),  # not 福田 and a left-over 街道
        ("龙岗区龙岗街道", "440307", "龙岗街道"),
        ("深圳", "440300", ""),
        ("440305 粤海街道", "440305", "粤海街道"),
    ],
)
def test_a_region_is_read_from_what_citizens_write(catalogue, text, region, rest):
    found = catalogue.find_region(text)

    assert found is not None
    assert (found[0].code, found[1]) == (region, rest)


@pytest.mark.parametrize("text", ["", "香港", "西丽湖路", "999999"])
def test_what_names_no_region_finds_none(catalogue, text):
    assert catalogue.find_region(text) is None


def test_streets_belong_to_their_district(catalogue):
    assert "沙头角街道" in catalogue.streets(RegionCode("440308"))
    assert catalogue.streets(RegionCode("110000")) == ()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("topics.toml", 'words = ["停电"', 'words = ["停水"', "means both"),
        ("topics.toml", 'scope = "region"', 'scope = "street"', "topics.0.scope"),
        ("topics.toml", 'id = "outage.power"', 'id = "outage.water"', "stands there twice"),
        ("topics.toml", "title =", "titel =", "topics.0"),
        ("regions.toml", "桂园街道", "园岭街道", "stands in both"),
        ("regions.toml", 'code = "440303"', 'code = "4403"', "regions.1.code"),
        ("menu.toml", 'name = "查询"', 'name = "查询查询查询"', "has 18 bytes"),
        ("menu.toml", 'key = "query.medical"', 'key = "query.social"', "stands there twice"),
        ("menu.toml", 'key = "query.social"\n', "", "needs either key or url"),
        ("menu.toml", "[[buttons]]", "[buttons", "cannot be read"),
    ],
)
def test_a_slip_in_a_file_is_named(edited, file, old, new, said):
    with pytest.raises(ConfigError) as caught:
        load_catalogue(edited(file, old, new))

    assert file in str(caught.value)
    assert said in str(caught.value)
