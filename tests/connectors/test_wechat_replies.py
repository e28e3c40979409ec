"""Reply XML: whatever an answer holds, WeChat can read it."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.wechat.replies import MAX_BYTES, clean, reply_xml, shorten, size
from domain.conversation import Answer
from tests.support.wechat import read_xml

LINK = '<a href="https://example.org/x?a=1&b=2">查看全文的链接</a>'
TEXT = st.text(st.characters() | st.sampled_from("]>]]>&<\x00\x0b\ud800\ufffe\r\n"))
LONG = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.just(LINK),
        st.just("停水通知：福田区园岭街道\n"),
        st.just("😀" * 20),
    ),
    max_size=120,
).map("".join)


def rendered(answer: Answer) -> ET.Element | None:
    xml = reply_xml(answer, to="oA", by="gh_1", at=1700000000)
    return None if xml is None else read_xml(xml)


@given(TEXT)
def test_any_text_round_trips_as_well_formed_xml(text):
    root = rendered(Answer("text", text))

    if root is None:
        assert not clean(text).strip()
    else:
        assert root.findtext("Content") == shorten(clean(text), MAX_BYTES)


@given(LONG)
def test_no_content_is_longer_than_wechat_takes(text):
    root = rendered(Answer("text", text))

    assert root is None or size(root.findtext("Content") or "") <= MAX_BYTES


@example(LINK + "0" + LINK, size(LINK + "0" + LINK) - 3)  # within the end of the last link
@given(LONG, st.integers(min_value=0, max_value=3000))
def test_a_shortened_text_is_a_beginning_without_half_a_link(text, limit):
    short = shorten(text, limit)

    assert size(short) <= limit or short == text
    assert text.startswith(short)
    assert short.count("<a ") == short.count("</a>") or short == text


def test_a_long_text_is_cut_at_the_end_of_a_line():
    text = "第一行\n第二行\n第三行"

    assert shorten(text, size("第一行\n第二行\n第")) == "第一行\n第二行"


def test_a_single_long_line_is_cut_between_characters():
    assert shorten("停" * 10, 10) == "停停停"


def test_names_are_swapped_and_the_fields_are_what_wechat_expects():
    root = rendered(Answer("text", "已收到"))

    assert root is not None
    fields = {child.tag: child.text for child in root}
    assert fields == {
        "ToUserName": "oA",
        "FromUserName": "gh_1",
        "CreateTime": "1700000000",
        "MsgType": "text",
        "Content": "已收到",
    }


@pytest.mark.parametrize(
    ("desk", "expected"), [("", None), ("desk1@service]]>", "desk1@service]]>")]
)
def test_a_hand_over_goes_to_the_desk_if_one_is_named(desk, expected):
    root = rendered(Answer("transfer", desk))

    assert root is not None
    assert root.findtext("MsgType") == "transfer_customer_service"
    assert root.findtext("TransInfo/KfAccount") == expected


@pytest.mark.parametrize(
    "answer", [Answer.nothing(), Answer("text", " \n"), Answer("text", "\x00")]
)
def test_silence_is_no_xml_at_all(answer):
    assert rendered(answer) is None
