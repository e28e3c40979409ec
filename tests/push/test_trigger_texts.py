"""What triggers write fits the cards, whatever departments write."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.outage import Area
from push.field_types import problem_with
from push.triggers.outage_texts import words
from push.triggers.wording import fit, fit_type, listed
from tests.support.departments import outage

ANYTHING = st.text(max_size=60)


@given(text=ANYTHING)
def test_any_text_of_a_department_fits_a_field(text):
    assert problem_with("thing1", fit(text)) is None


@given(text=ANYTHING, kind=st.sampled_from(["thing", "phrase", "name"]))
def test_any_text_fits_a_field_of_any_type_that_takes_chinese(text, kind):
    assert problem_with(f"{kind}1", fit_type(kind, text)) is None


@given(texts=st.lists(ANYTHING, max_size=8), longest=st.integers(7, 20))
def test_any_list_of_places_fits(texts, longest):
    text = listed(texts, longest)

    assert problem_with("thing1", text) is None
    assert len(text) <= longest


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("园岭街道", "园岭街道"),
        ("百花二路（百花一路至园岭四街段）、长城花园1–9栋", "百花二路（百花一路至园岭四街段）…"),
        ("配电设备年度检修，另有变压器更换两台", "配电设备年度检修，另有变压器更换两台"),
        ("配电设备年度检修工程施工，另有变压器更换两台", "配电设备年度检修工程施工…"),
        ("供水管道\n爆裂\t抢修", "供水管道 爆裂 抢修"),
        ("  ", "详见通知"),
    ],
)
def test_a_long_text_ends_at_a_pause(text, fitted):
    assert fit(text) == fitted


def test_as_many_places_as_fit_are_named_and_all_are_counted():
    places = ["园岭街道", "华富街道", "香蜜湖街道", "沙头街道"]

    assert listed(places, 15) == "园岭街道、华富街道等4处"
    assert listed(places[:2], 15) == "园岭街道、华富街道"


@pytest.mark.parametrize("phase", ["announced", "soon", "changed", "restored", "cancelled"])
@given(street=ANYTHING, detail=ANYTHING, reason=ANYTHING)
def test_a_card_fits_in_every_phase(phase, street, detail, reason):
    plain = outage()
    area = Area(plain.areas[0].region, street, detail)
    card = words(replace(plain, areas=(area,) * 3, reason=reason), phase)

    assert problem_with("thing1", card.data["area"]) is None
    assert problem_with("thing4", card.data["reason"]) is None
