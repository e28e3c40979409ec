"""A second look at free text (domain.md 1.8): numbers of persons that stand in it are masked."""

import re

from domain.errors import InvalidInput
from domain.identifiers import parse_identity
from domain.masking import Mobile

_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
_MOBILE = re.compile(  # alone or after the country's code, in one piece or as 138 1234 5678
    r"(?<![0-9])(?P<country>(?:\+|00)?86[- ]?)?"
    r"(?P<number>1[3-9][0-9](?P<gap>[- ]?)[0-9]{4}(?P=gap)[0-9]{4})(?![0-9])"
)


def mask_numbers(text: str) -> str:
    """Return the text with identity numbers (pattern and check digit) and mobiles masked."""
    text = _IDENTITY.sub(lambda found: _identity(found[0]), text)
    return _MOBILE.sub(_mobile, text)


def _mobile(found: re.Match[str]) -> str:
    digits = re.sub("[^0-9]", "", found["number"])
    return (found["country"] or "") + Mobile(digits).masked


def _identity(number: str) -> str:
    try:
        return parse_identity(number).masked
    except InvalidInput:
        return number
