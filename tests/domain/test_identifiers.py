"""Identity numbers, plates and mobiles: the vectors of domain.md 15 and what people type."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.identifiers import (
    PLATE_TYPES,
    age_on,
    birth_date,
    default_plate_type,
    has_known_region,
    is_uscc,
    parse_digits,
    parse_identity,
    parse_mobile,
    parse_name,
    parse_plate,
    parse_plate_type,
    plate_kind,
)
from domain.masking import IdentityNumber

TODAY = date(2026, 11, 24)


# --- plates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "plate_type"),
    [
        ("苏A12345", "ordinary", "02"),
        ("苏AD12345", "new_energy_small", "52"),
        ("苏AFA1234", "new_energy_small", "52"),
        ("苏A12345D", "new_energy_large", "51"),
        ("苏A1234学", "learner", "16"),
        ("苏A1234挂", "trailer", "15"),
        ("苏A1234警", "police", "23"),
        ("粤Z1234港", "hong_kong", "26"),
        ("粤Z1234澳", "macao", "27"),
        ("粤A1234领", "consulate", "04"),
        ("使014578", "embassy", "03"),
        ("粤BAB123", "ordinary", "02"),
    ],
)
def test_a_plate_shows_its_kind_and_the_usual_type(text, kind, plate_type):
    plate = parse_plate(text)

    assert plate_kind(plate) == kind
    assert default_plate_type(plate) == plate_type
    assert plate_type in PLATE_TYPES


@pytest.mark.parametrize(
    "text",
    [
        "苏A1234O",
        "苏I12345",
        "苏AW12345",
        "苏AF1A234",
        "苏AX123456",
        "粤BABC12",
        "B12345",
        "粤B1234",
        "",
        "粤b",
        "龘A12345",
        "粤Z123港",
        "苏A12345\n苏",
    ],
)
def test_what_is_no_plate_is_refused_with_an_example(text):
    with pytest.raises(InvalidInput) as refused:
        parse_plate(text)

    assert "例如 粤B12345" in refused.value.say
    assert refused.value.field == "plate"


@pytest.mark.parametrize(
    "text", ["粤b 12345", "粤B·12345", "粤Ｂ－１２３４５", " 粤B-1 2345 ", "粤b•12345", "粤B.12345"]
)
def test_a_plate_is_the_same_however_it_is_typed(text):
    assert parse_plate(text).plain == "粤B12345"


@pytest.mark.parametrize("text", ["WJ苏1234X", "VA12345"])
def test_army_plates_are_refused_with_a_reason_of_their_own(text):
    with pytest.raises(InvalidInput, match="军队"):
        parse_plate(text)


@pytest.mark.parametrize("text", ["02", "０２", "小型汽车"])
def test_a_plate_type_is_read_by_code_or_name(text):
    assert parse_plate_type(text) == "02"


def test_types_that_no_citizen_drives_are_refused():
    with pytest.raises(InvalidInput):
        parse_plate_type("42")


@pytest.mark.parametrize(
    ("text", "kept"), [("1234", "1234"), (" a-12b ", "A12B"), ("１２３４５６", "123456")]
)
def test_the_last_digits_are_folded(text, kept):
    assert parse_digits(text) == kept


@pytest.mark.parametrize("text", ["123", "1234567", "车架号", ""])
def test_too_few_or_too_many_digits_are_refused(text):
    with pytest.raises(InvalidInput, match="4 到 6 位"):
        parse_digits(text)


# --- people ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["11010519491231002X", "11010519491231002x", " 110105 19491231 002Ｘ "]
)
def test_an_identity_number_is_normalised(text):
    number = parse_identity(text, today=TODAY)

    assert number.plain == "11010519491231002X"
    assert birth_date(number) == date(1949, 12, 31)


def test_a_region_that_never_was_is_only_worth_a_warning():
    assert not has_known_region(parse_identity("990101199001010019", today=TODAY))
    assert has_known_region(parse_identity("11010519491231002X", today=TODAY))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("110105194912310021", "校验"),
        ("990101199002300010", "出生日期"),
        ("990101202701010010", "出生日期"),  # not born yet
        ("990101100001010010", "出生日期"),
        ("9901011990010100", "18 位"),
        ("99010119900101001XX", "18 位"),
        ("990101900101001", "18 位"),  # 15 digits: legacy imports only
        ("", "18 位"),
    ],
)
def test_a_wrong_identity_number_is_refused_without_repeating_it(text, hint):
    with pytest.raises(InvalidInput, match=hint) as refused:
        parse_identity(text, today=TODAY)

    assert not text or text not in refused.value.say


def check_digit(first_seventeen: str) -> str:
    """Written the other way round: the digit that makes the ISO 7064 sum 1."""
    total = 0
    for digit in first_seventeen:
        total = (total + int(digit)) * 2 % 11
    value = (12 - total) % 11
    return "X" if value == 10 else str(value)


@given(
    born=st.dates(date(1900, 1, 1), TODAY),
    sequence=st.integers(0, 999),
    place=st.integers(0, 16),
    shift=st.integers(1, 9),
)
def test_one_wrong_digit_never_passes(born, sequence, place, shift):
    start = f"990101{born:%Y%m%d}{sequence:03}"
    right = start + check_digit(start)
    wrong = right[:place] + str((int(right[place]) + shift) % 10) + right[place + 1 :]

    assert parse_identity(right, today=TODAY).plain == right
    with pytest.raises(InvalidInput):
        parse_identity(wrong, today=TODAY)


@given(st.dates(date(1900, 1, 1), TODAY), st.integers(0, 999), st.sampled_from("0123456789X"))
def test_identity_numbers_agree_with_another_implementation(born, sequence, last):
    other = pytest.importorskip("stdnum.cn.ric")
    text = f"110105{born:%Y%m%d}{sequence:03}{last}"

    try:
        ours = bool(parse_identity(text, today=TODAY))
    except InvalidInput:
        ours = False

    assert ours == other.is_valid(text)


def test_fourteen_begins_on_the_birthday():
    born = date(2012, 11, 24)

    assert age_on(born, date(2026, 11, 23)) == 13
    assert age_on(born, date(2026, 11, 24)) == 14


def test_a_birth_date_needs_a_checked_number():
    with pytest.raises(ValueError, match="parse_identity"):
        birth_date(IdentityNumber("990101199002300010"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("张三", "张三"),
        (" 张 三 ", "张三"),
        ("阿布都•热合曼", "阿布都·热合曼"),
        ("John  O'Neil", "John O'Neil"),
        ("㐀𠀀", "㐀𠀀"),  # rare characters are names too
    ],
)
def test_names_are_kept_as_on_the_card(text, kept):
    assert parse_name(text).plain == kept


@pytest.mark.parametrize("text", ["张", "", "张3", "a@b", "·", "张" * 51, "{{ 7 }}"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(InvalidInput, match="姓名"):
        parse_name(text)


@pytest.mark.parametrize(
    "text", ["13800138000", "+86 138-0013-8000", "0086 13800138000", "１３８００１３８０００"]
)
def test_a_mobile_is_normalised(text):
    assert parse_mobile(text).plain == "13800138000"


@pytest.mark.parametrize("text", ["12800138000", "1380013800", "138001380000", "0755-12345"])
def test_what_is_no_mobile_is_refused(text):
    with pytest.raises(InvalidInput, match="11 位"):
        parse_mobile(text)


def test_an_organisation_number_is_checked():
    assert is_uscc("91110000600037341L")
    assert not is_uscc("91110000600037341K")
    assert not is_uscc("9111000060003734IL")


@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=17, max_size=17))
def test_organisation_numbers_agree_with_another_implementation(start):
    other = pytest.importorskip("stdnum.cn.uscc")
    text = "91" + "110000" + start[:9]
    right = [text + c for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_uscc(text + c)]

    assert right == [text + other.calc_check_digit(text)]


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_plate, "粤B12345"),
        (parse_identity, "11010519491231002X"),
        (parse_name, "张三丰"),
        (parse_mobile, "13800138000"),
    ],
)
def test_what_was_read_shows_itself_masked(parse, text):
    value = parse(text)

    assert text not in f"{value} {value!r}"
