"""A second look at free text (domain.md 1.8): numbers of persons that stand in it are masked."""

import re

from domain.errors import InvalidInput
from domain.identifiers import parse_identity
from domain.masking import Mobile

_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
_MOBILE = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")


def mask_numbers(text: str) -> str:
    """Return the text with identity numbers (pattern and check digit) and mobiles masked."""
    text = _IDENTITY.sub(lambda found: _identity(found[0]), text)
    return _MOBILE.sub(lambda found: Mobile(found[0]).masked, text)


def _identity(number: str) -> str:
    try:
        return parse_identity(number).masked
    except InvalidInput:
        return number
