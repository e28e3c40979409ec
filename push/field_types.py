"""Field types of template messages (字段类型, wechat-platform.md 4.19), checked before queueing.

A value that WeChat would answer with 47003 is refused here, with a sentence that says what fits.
The type stands in the WeChat key: `thing1`, `character_string2`. Keys of old templates
(`keyword1`, `first`) have no type; only what no template takes is refused there.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from domain.clock import in_beijing
from domain.sentence import Sentence

_TYPED_KEY = re.compile(r"([a-z_]+?)\d*")
_CLOCK = r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
_DAY = (
    r"(\d{4}年(1[0-2]|0?[1-9])月(3[01]|[12]\d|0?[1-9])日"
    r"|\d{4}-(1[0-2]|0?[1-9])-(3[01]|[12]\d|0?[1-9]))"
)
_DAY_TIME = rf"{_DAY}(\s*{_CLOCK})?"
_TIME = rf"({_DAY}\s*{_CLOCK}|{_CLOCK})"
_HAN = r"\u3400-\u9fff\uf900-\ufaff"
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d\U000e0020-\U000e007f]")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_LONGEST_UNTYPED = 200


def problem_with(key: str, value: str) -> str | None:
    """Return what is wrong with a value for the WeChat key, or None if it fits."""
    if not value.strip():
        return Sentence("不能为空")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in value):
        return Sentence("不能含换行或控制字符")
    if _EMOJI.search(value):
        return Sentence("不能含表情符号")
    match = _TYPED_KEY.fullmatch(key)
    check = _CHECKS.get(match[1]) if match else None
    if check is not None:
        return check(value)
    if len(value) > _LONGEST_UNTYPED:
        return Sentence(
            "最多 {longest_untyped} 个字，现有 {size} 个",
            longest_untyped=_LONGEST_UNTYPED,
            size=len(value),
        )
    return None


def as_written(key: str, value: str) -> str:
    """Return a value as the platform wants it written; only times of programs are rewritten.

    `2026-12-01T09:00:00+08:00` in a `time` or `date` becomes `2026年12月1日 09:00`, in Beijing.
    """
    value = value.strip()
    if not key.startswith(("time", "date")) or not _ISO.fullmatch(value):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    if moment.tzinfo is not None:
        moment = in_beijing(moment)
    return f"{moment.year}年{moment.month}月{moment.day}日 {moment:%H:%M}"


def _fits(pattern: str, say: str, longest: int = 0) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)

    def check(value: str) -> str | None:
        if longest and len(value) > longest:
            return Sentence(
                "最多 {longest} 个字符，现有 {size} 个", longest=longest, size=len(value)
            )
        return None if compiled.fullmatch(value) else say

    return check


def _name(value: str) -> str | None:
    longest = 10 if re.search(f"[{_HAN}]", value) else 20
    if len(value) > longest:
        return Sentence(
            "姓名含汉字时最多 10 个字，否则最多 20 个字母或符号，现有 {size} 个", size=len(value)
        )
    return Sentence("姓名不能含数字") if re.search(r"\d", value) else None


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "thing": _fits(r".+", "", 20),
    "number": _fits(r"\d+(\.\d+)?", Sentence("只能是数字，可带小数点，例如 12.5"), 32),
    "letter": _fits(r"[A-Za-z]+", Sentence("只能是字母"), 32),
    "symbol": _fits(r"[^\w\s]+", Sentence("只能是符号"), 5),
    "character_string": _fits(r"[\x20-\x7e]+", Sentence("只能是数字、字母和符号，不能有汉字"), 32),
    "time": _fits(
        rf"{_TIME}(\s*~\s*{_TIME})?",
        Sentence("应为 24 小时制时间，例如 15:01 或 2026年12月1日 15:01，时间段用 ~ 连接"),
    ),
    "date": _fits(
        rf"{_DAY_TIME}(\s*~\s*({_DAY_TIME}|{_CLOCK}))?",
        Sentence("应为日期，例如 2026年12月1日 或 2026-12-01，可带时间，日期段用 ~ 连接"),
    ),
    "amount": _fits(
        r"[+-]?[¥￥$€£]?[+-]?(?=(\d\.?){1,10}元?$)\d+(\.\d+)?元?",
        Sentence(
            "应为金额：一个货币符号加最多 10 位数字，可带小数，可以“元”结尾，例如 ¥100.00 或 100元"
        ),
    ),
    "phone_number": _fits(r"[\d+\-() #*]+", Sentence("只能是数字和符号，例如 0755-12345678"), 17),
    "car_number": _fits(
        rf"[{_HAN}A-Za-z][A-Za-z0-9*·]{{3,6}}[{_HAN}A-Za-z0-9]",
        Sentence("应为车牌号，首尾可为汉字，例如 粤B12345"),
        8,
    ),
    "name": _name,
    "phrase": _fits(rf"[{_HAN}]+", Sentence("只能是汉字"), 5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldKind:
    """What a type takes, in words for whoever fills it in; `longest` is 0 where nothing is said."""

    name: str
    takes: str
    example: str
    longest: int = 0


_UNTYPED = FieldKind(
    name=Sentence("不限"),
    takes=Sentence("最多 {longest_untyped} 个字，不能换行", longest_untyped=_LONGEST_UNTYPED),
    example="停水通知",
    longest=_LONGEST_UNTYPED,
)
_KINDS: dict[str, FieldKind] = {
    "thing": FieldKind(
        name=Sentence("文字"), takes=Sentence("最多 20 个字"), example="福田区园岭街道", longest=20
    ),
    "number": FieldKind(
        name=Sentence("数字"), takes=Sentence("可带小数点，最多 32 位"), example="12.5", longest=32
    ),
    "letter": FieldKind(
        name=Sentence("字母"), takes=Sentence("最多 32 个字母"), example="ABC", longest=32
    ),
    "symbol": FieldKind(
        name=Sentence("符号"), takes=Sentence("最多 5 个符号"), example="※", longest=5
    ),
    "character_string": FieldKind(
        name=Sentence("编号"),
        takes=Sentence("最多 32 个数字、字母或符号，不能有汉字"),
        example="SZ2026-0001",
        longest=32,
    ),
    "time": FieldKind(
        name=Sentence("时间"),
        takes=Sentence("24 小时制，时间段用 ~ 连接"),
        example="2026年12月1日 09:00",
    ),
    "date": FieldKind(
        name=Sentence("日期"), takes=Sentence("可带时间，日期段用 ~ 连接"), example="2026年12月1日"
    ),
    "amount": FieldKind(
        name=Sentence("金额"),
        takes=Sentence("一个货币符号加最多 10 位数字，可以“元”结尾"),
        example="¥100.00",
    ),
    "phone_number": FieldKind(
        name=Sentence("电话"),
        takes=Sentence("最多 17 个数字或符号"),
        example="0755-12345678",
        longest=17,
    ),
    "car_number": FieldKind(
        name=Sentence("车牌"), takes=Sentence("最多 8 位"), example="粤B12345", longest=8
    ),
    "name": FieldKind(
        name=Sentence("姓名"),
        takes=Sentence("含汉字时最多 10 个字，否则最多 20 个字母"),
        example="王芳",
        longest=20,
    ),
    "phrase": FieldKind(
        name=Sentence("汉字"), takes=Sentence("最多 5 个汉字"), example="橙色预警", longest=5
    ),
}


def kind_of(key: str) -> FieldKind:
    """Return what the WeChat key takes; keys of old templates take any short text."""
    match = _TYPED_KEY.fullmatch(key)
    return _KINDS.get(match[1], _UNTYPED) if match else _UNTYPED
