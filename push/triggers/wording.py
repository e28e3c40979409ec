"""Texts that fit: what departments write, cut at a sensible place to what a card can hold.

A `thing` takes 20 characters (`push/field_types.py`). Nothing here ever fails: what cannot be
said is left out, and an empty text becomes a word that says so.
"""

import re
import unicodedata
from collections.abc import Sequence

THING = 20
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d\U000e0020-\U000e007f]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_BREAKS = "、，；。,;（( "  # after or before which a text may end
_OPENING = "（("


def clean(text: str) -> str:
    """Return a text on one line, without what WeChat refuses."""
    spaced = "".join(
        " " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter
        for letter in _EMOJI.sub("", text)
    )
    return re.sub(r"\s+", " ", spaced).strip()


def fit(text: str, longest: int = THING, *, empty: str = "详见通知") -> str:
    """Return the text, or as much of it as fits, ended at a pause and marked with `…`."""
    text = clean(text) or empty
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    pause = max(cut.rfind(sign) for sign in _BREAKS)
    if pause >= longest // 2:
        cut = cut[:pause]
    cut = _without_open_bracket(cut, at_least=longest // 3)
    return cut.rstrip(_BREAKS) + "…"


def fit_type(kind: str, text: str) -> str:
    """Return as much of a text as a field of this type (`push/field_types.py`) takes."""
    match kind:
        case "thing":
            return fit(text)
        case "phrase":  # five characters, and nothing but them
            return "".join(_HAN.findall(text))[:5] or "详见通知"
        case "name":
            return fit(re.sub(r"\d", "", text), 10)
    return text


def listed(texts: Sequence[str], longest: int = THING, *, empty: str = "详见通知") -> str:
    """Return as many of the texts as fit, and how many there are: 园岭街道、华富街道等3处."""
    known = list(dict.fromkeys(each for each in map(clean, texts) if each))
    whole = "、".join(known)
    if len(known) < 2 or len(whole) <= longest:
        return fit(whole, longest, empty=empty)
    rest = f"等{len(known)}处"
    for count in range(len(known) - 1, 0, -1):
        text = "、".join(known[:count]) + rest
        if len(text) <= longest:
            return text
    return fit(known[0], longest - len(rest), empty=empty) + rest


def _without_open_bracket(text: str, *, at_least: int) -> str:
    opened = max(text.rfind(sign) for sign in _OPENING)
    if opened >= at_least and not re.search("[）)]", text[opened:]):
        return text[:opened]
    return text
