"""Types and lengths of template fields (`wechat-platform.md` 4.19)."""

import re
from collections.abc import Callable

_HOUR = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_DAY = r"(?:\d{4}年(?:0?[1-9]|1[0-2])月(?:0?[1-9]|[12]\d|3[01])日|\d{4}-\d{1,2}-\d{1,2})"
_MOMENT = rf"(?:{_DAY} ?)?{_HOUR}"
_DATE = rf"{_DAY}(?: ?{_HOUR})?"
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"

_PATTERNS = {
    "thing": r".{1,20}",
    "number": r"(?=.{1,32}\Z)\d+(?:\.\d+)?",
    "letter": r"[A-Za-z]{1,32}",
    "symbol": rf"[^\sA-Za-z0-9{_HAN}]{{1,5}}",
    "character_string": rf"[^{_HAN}]{{1,32}}",
    "time": rf"{_MOMENT}(?: ?~ ?{_MOMENT})?",
    "date": rf"{_DATE}(?: ?~ ?(?:{_DATE}|{_HOUR}))?",
    "amount": r"[¥￥$€£]?(?=(?:\D*\d){1,10}\D*\Z)\d+(?:\.\d+)?元?",
    "phone_number": r"[0-9+\-() #*]{1,17}",
    "car_number": rf"[{_HAN}A-Za-z0-9][A-Za-z0-9·*]{{0,6}}[{_HAN}A-Za-z0-9]",
    "name": rf"(?:(?=.*[{_HAN}]).{{1,10}}|[^{_HAN}]{{1,20}})",
    "phrase": rf"[{_HAN}]{{1,5}}",
    "enum": r".{1,20}",
    "const": r".{1,20}",
}
_OLD_STYLE = re.compile(r".{1,200}")  # keyword1, first, remark: no type, only a length
_COMPILED = {kind: re.compile(pattern) for kind, pattern in _PATTERNS.items()}
_FORBIDDEN = re.compile(  # line breaks, control characters and emoji
    r"[\x00-\x1f\x7f\u2028\u2029\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]"
)

Check = Callable[[str], bool]


def kind_of(key: str) -> str:
    """Return the type in a key's name: `character_string03` is a `character_string`."""
    return key.rstrip("0123456789")


def checker(key: str) -> Check:
    """Return the test for one key's values, compiled once per template."""
    pattern = _COMPILED.get(kind_of(key), _OLD_STYLE)

    def fits(value: str) -> bool:
        return (
            pattern.fullmatch(value) is not None
            and _FORBIDDEN.search(value) is None
            and not value.isspace()
        )

    return fits
