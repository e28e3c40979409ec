"""Single values of a push: names, numbers, coordinates, the keys of receipts."""

from typing import Any

from connectors.wechat.xml import Fields, Malformed

LATEST = 4_102_444_800  # the year 2100: beyond it a CreateTime is nonsense
Common = dict[str, Any]  # what every `Inbound` carries, ready to be passed on


def name_of(fields: Fields, name: str) -> str:
    """Return an openid or account name: short, visible ASCII; anything else is not one."""
    value = fields.word(name)
    if not value or len(value) > 64 or not value.isascii() or not value.isprintable():
        raise Malformed(f"{name} is missing or no name")
    if " " in value:
        raise Malformed(f"{name} has a space in it")
    return value


def job_of(name: str, fields: Fields, common: Common) -> str:
    """Return a finished job's MsgID, which is what tells its receipts apart."""
    number = fields.word("msgid")
    if not number:
        raise Malformed("a receipt without MsgID")
    common["dedupe_key"] = f"j:{name}:{number}"
    return number


def status_of(fields: Fields) -> str:
    """Lower-cased and without spaces: `failed: system failed` → `failed:systemfailed`."""
    return "".join(fields.text("status").lower().split())


def whole(text: str, *, missing: int = 0) -> int:
    """Read a number; never through a float, and never thousands of digits."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19:
        return missing
    return int(text)


def decimal(text: str) -> float | None:
    if len(text) > 32:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e6 else None  # also turns away nan and inf


def degrees(fields: Fields, name: str) -> float:
    value = decimal(fields.word(name))
    if value is None or abs(value) > 180:
        raise Malformed(f"{name} is missing or no coordinate")
    return value
