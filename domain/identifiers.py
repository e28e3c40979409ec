"""Numbers people are known by (证件号码、号牌): read, normalise, check (domain.md 1.1–1.6).

Every `parse_…` takes what a citizen typed, full-width characters and all, and returns the
normalised value or raises `InvalidInput` whose `say` tells how to write it. No hint repeats
what was typed: it may be somebody's number.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Literal

from domain.clock import SystemClock, in_beijing
from domain.errors import InvalidInput
from domain.masking import IdentityNumber, Mobile, PersonName, Plate

PlateKind = Literal[
    "ordinary",
    "new_energy_small",
    "new_energy_large",
    "trailer",
    "learner",
    "police",
    "hong_kong",
    "macao",
    "consulate",
    "embassy",
]

# 号牌种类, GA/T 16.7; 41–43 (no plate, forged, misused) are not for citizens to choose
PLATE_TYPES: Mapping[str, str] = {
    "01": "大型汽车",
    "02": "小型汽车",
    "03": "使馆汽车",
    "04": "领馆汽车",
    "05": "境外汽车",
    "06": "外籍汽车",
    "07": "普通摩托车",
    "08": "轻便摩托车",
    "09": "使馆摩托车",
    "10": "领馆摩托车",
    "11": "境外摩托车",
    "12": "外籍摩托车",
    "13": "低速车",
    "14": "拖拉机",
    "15": "挂车",
    "16": "教练汽车",
    "17": "教练摩托车",
    "18": "试验汽车",
    "19": "试验摩托车",
    "20": "临时入境汽车",
    "21": "临时入境摩托车",
    "22": "临时行驶车",
    "23": "警用汽车",
    "24": "警用摩托",
    "25": "原农机号牌",
    "26": "香港入出境车",
    "27": "澳门入出境车",
    "51": "大型新能源汽车",
    "52": "小型新能源汽车",
    "99": "其他号牌",
}

_PROVINCE = "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
_LETTER = "[A-HJ-NP-Z]"  # I and O never appear
_SERIAL = "[A-HJ-NP-Z0-9]"
_PLATE_SHAPES: Mapping[PlateKind, re.Pattern[str]] = {
    # at most two letters in the serial part
    "ordinary": re.compile(f"{_PROVINCE}{_LETTER}(?!(?:[0-9]*[A-Z]){{3}}){_SERIAL}{{5}}"),
    "new_energy_small": re.compile(f"{_PROVINCE}{_LETTER}[DABCEFGHJK]{_SERIAL}[0-9]{{4}}"),
    "new_energy_large": re.compile(f"{_PROVINCE}{_LETTER}[0-9]{{5}}[DABCEFGHJK]"),
    "trailer": re.compile(f"{_PROVINCE}{_LETTER}{_SERIAL}{{4}}挂"),
    "learner": re.compile(f"{_PROVINCE}{_LETTER}{_SERIAL}{{4}}学"),
    "police": re.compile(f"{_PROVINCE}{_LETTER}{_SERIAL}{{4}}警"),
    "hong_kong": re.compile(f"粤Z{_SERIAL}{{4}}港"),
    "macao": re.compile(f"粤Z{_SERIAL}{{4}}澳"),
    # their formats differ, so they are taken loosely
    "consulate": re.compile(f"{_PROVINCE}{_LETTER}?{_SERIAL}{{4,6}}领"),
    "embassy": re.compile(f"{_PROVINCE}?{_LETTER}?{_SERIAL}{{4,6}}使|使[0-9]{{6}}"),
}
_DEFAULT_TYPES: Mapping[PlateKind, str] = {
    "ordinary": "02",
    "new_energy_small": "52",
    "new_energy_large": "51",
    "trailer": "15",
    "learner": "16",
    "police": "23",
    "hong_kong": "26",
    "macao": "27",
    "consulate": "04",
    "embassy": "03",
}
_MILITARY = re.compile(r"WJ.{4,7}|[A-Z]{2}[0-9]{5}")

_IDENTITY = re.compile(r"[0-9]{17}[0-9X]")
_IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_IDENTITY_CHECKS = "10X98765432"
# GB/T 2260 provinces; 81–83 residence permits (港澳台居民居住证); 91 permanent residence cards
_PROVINCE_CODES = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|91")
_OLDEST_BIRTH = date(1880, 1, 1)

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LAST_DIGITS = re.compile(r"[A-Z0-9]{4,6}")
_NAME_DOTS = re.compile(r"[•・‧.．]")
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC = re.compile(f"[{_USCC_ALPHABET}]{{2}}[0-9]{{6}}[{_USCC_ALPHABET}]{{10}}")


def _folded(text: str, *, drop: str = r"[\s\-‐‑–—]") -> str:
    """Return the text half-width, upper-case and without what people put between digits."""
    return re.sub(drop, "", unicodedata.normalize("NFKC", text)).upper()


# --- plates ------------------------------------------------------------------------------


def parse_plate(text: str) -> Plate:
    """Read a plate (号牌号码): `粤b 12345`, `粤B·12345` and `粤Ｂ-12345` are all `粤B12345`."""
    plain = _folded(text, drop=r"[\s\-‐‑–—·•・‧._]")
    if _kind(plain) is not None:
        return Plate(plain)
    if _MILITARY.fullmatch(plain):
        raise InvalidInput("军队和武警号牌不在本服务范围内，请联系所属单位。", field="plate")
    raise InvalidInput(
        "车牌号码不对，请连同省份简称一起写，例如 粤B12345 或 粤BD12345（没有字母 I 和 O）。",
        field="plate",
    )


def plate_kind(plate: Plate) -> PlateKind:
    """Return what kind of plate its shape shows."""
    kind = _kind(plate.plain)
    if kind is None:
        raise ValueError("not a normalised plate; read it with parse_plate")
    return kind


def default_plate_type(plate: Plate) -> str:
    """Return the plate type (号牌种类) its shape suggests; the citizen may know better.

    Eight characters with the letter third are 52, with the letter last 51 (domain.md 1.5).
    """
    return _DEFAULT_TYPES[plate_kind(plate)]


def parse_plate_type(text: str) -> str:
    """Read a plate type: its code or its name."""
    folded = _folded(text)
    for code, name in PLATE_TYPES.items():
        if folded in (code, name):
            return code
    raise InvalidInput("没有这种号牌种类，小型汽车写 02，小型新能源汽车写 52。", field="plate_type")


def _kind(plain: str) -> PlateKind | None:
    return next((kind for kind, shape in _PLATE_SHAPES.items() if shape.fullmatch(plain)), None)


def parse_digits(text: str) -> str:
    """Read the last 4–6 characters of an engine number or VIN (发动机号、车辆识别代号)."""
    folded = _folded(text)
    if not _LAST_DIGITS.fullmatch(folded):
        raise InvalidInput(
            "请写发动机号或车架号的最后 4 到 6 位，例如 1234，行驶证上可以查到。", field="digits"
        )
    return folded


# --- people ------------------------------------------------------------------------------


def parse_identity(text: str, *, today: date | None = None) -> IdentityNumber:
    """Read a resident identity number (公民身份号码, GB 11643): shape, date and check digit.

    A birth date after `today` (by default the machine's date in China) is refused. A region
    that no longer exists is not an error: see `has_known_region`.
    """
    plain = _folded(text)
    if not _IDENTITY.fullmatch(plain):
        raise InvalidInput(
            "身份证号码应为 18 位，最后一位可以是 X，请核对后重写。", field="id_number"
        )
    born = _date_of(plain)
    now = today or in_beijing(SystemClock().now()).date()
    if born is None or not _OLDEST_BIRTH <= born <= now:
        raise InvalidInput("身份证号码里的出生日期不对，请核对后重写。", field="id_number")
    total = sum(w * int(d) for w, d in zip(_IDENTITY_WEIGHTS, plain[:17], strict=True))
    if _IDENTITY_CHECKS[total % 11] != plain[17]:
        raise InvalidInput(
            "身份证号码校验不通过，可能有一位写错了，请核对后重写。", field="id_number"
        )
    return IdentityNumber(plain)


def has_known_region(number: IdentityNumber) -> bool:
    """Whether the number starts with a province there is; worth logging, never a refusal."""
    return _PROVINCE_CODES.fullmatch(number.plain[:2]) is not None


def birth_date(number: IdentityNumber) -> date:
    """Return the birth date inside a number that `parse_identity` returned."""
    born = _date_of(number.plain)
    if born is None:
        raise ValueError("not a checked identity number; read it with parse_identity")
    return born


def age_on(born: date, day: date) -> int:
    """Return the age in whole years (周岁): a year older from the birthday on."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _date_of(plain: str) -> date | None:
    try:
        return date(int(plain[6:10]), int(plain[10:12]), int(plain[12:14]))
    except ValueError:
        return None


def parse_name(text: str) -> PersonName:
    """Read a person's name (姓名) as on the identity card; dots become `·`."""
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if not name.isascii():
        name = _NAME_DOTS.sub("·", name).replace(" ", "")
    letters = re.sub(r"[·.' \-]", "", name)
    if not 2 <= len(letters) <= 50 or not letters.isalpha():
        raise InvalidInput("请写身份证上的姓名，例如 张三。", field="name")
    return PersonName(name)


def parse_mobile(text: str) -> Mobile:
    """Read a mobile number; `+86`, spaces and dashes are dropped."""
    folded = _folded(text).removeprefix("+86").removeprefix("0086")
    if not _MOBILE.fullmatch(folded):
        raise InvalidInput("手机号码应为 1 开头的 11 位数字，请核对后重写。", field="mobile")
    return Mobile(folded)


def is_uscc(text: str) -> bool:
    """Whether this is an organisation number (统一社会信用代码, GB 32100) with right digits."""
    if not _USCC.fullmatch(text):
        return False
    total = sum(
        _USCC_ALPHABET.index(character) * pow(3, place, 31)
        for place, character in enumerate(text[:17])
    )
    return _USCC_ALPHABET[-total % 31] == text[17]
