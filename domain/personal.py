"""Personal values (个性化内容): what stands in a text for each reader's own, such as {区域}.

A broadcast's text is frozen as it was approved, with its placeholders; each reader's values are
put in when it leaves for them. What we do not know of somebody is said in general words. Names
and plates are only ever the masked form (`domain.md` 1.8): a lock screen is read by others.
Braces around anything else are ordinary text.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from domain.ids import RegionCode
from domain.ledger import Content
from domain.masking import PersonName, Plate
from domain.sentence import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A word in braces. `otherwise` is said to whom we do not know it of."""

    name: str
    means: str
    example: str
    otherwise: str
    longest: str  # the widest that it can become, for checks of length

    @property
    def written(self) -> str:
        """How it stands in a text."""
        return f"{{{self.name}}}"


REGION = Placeholder(
    name=Sentence("区域"),
    means=Sentence("市民所在的区"),
    example="南山区",
    otherwise="本市",
    longest="某某某某某某新区",
)
NAME = Placeholder(
    name=Sentence("姓名"),
    means=Sentence("实名市民的姓名，已脱敏"),
    example="王*",
    otherwise="市民朋友",
    longest="市民朋友",
)
PLATE = Placeholder(
    name=Sentence("车牌"),
    means=Sentence("绑定的第一辆车，已脱敏"),
    example="粤B****5",
    otherwise="您的车",
    longest="粤B*****5",
)
PLACEHOLDERS: tuple[Placeholder, ...] = (REGION, NAME, PLATE)
_BY_NAME = {each.name: each for each in PLACEHOLDERS}
_FOUND = re.compile("{(" + "|".join(_BY_NAME) + ")}")
_BRACED = re.compile(r"{([^{}\s]{1,20})}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What we know of one reader."""

    region: RegionCode | None = None
    name: PersonName | None = None
    plate: Plate | None = None


def placeholders_in(*texts: str) -> frozenset[str]:
    """Return the names of the placeholders in some texts."""
    return frozenset(name for text in texts if "{" in text for name in _FOUND.findall(text))


def unknown_in(text: str) -> tuple[str, ...]:
    """Return words in braces that are no placeholders, and go out as they stand."""
    return tuple(word for word in _BRACED.findall(text) if word not in _BY_NAME)


def asked_of(content: Content) -> frozenset[str]:
    """Return the placeholders of a content, over all its channels."""
    notice = content.notice.fields.values() if content.notice is not None else ()
    return placeholders_in(*content.fields.values(), *notice, content.text)


def values_of(known: Known, regions: Mapping[RegionCode, str]) -> dict[str, str]:
    """Return every placeholder's value for one reader."""
    region = regions.get(known.region, "") if known.region is not None else ""
    found = {
        REGION.name: region if len(region) <= len(REGION.longest) else "",
        # a masked name keeps its first character; two characters are enough to address somebody
        NAME.name: known.name.masked[:2] if known.name is not None else "",
        PLATE.name: known.plate.masked if known.plate is not None else "",
    }
    return {name: value or _BY_NAME[name].otherwise for name, value in found.items()}


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the values in the places of its placeholders."""
    return _FOUND.sub(lambda match: values[match[1]], text) if "{" in text else text


def filled_fields(fields: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return a template's fields, filled."""
    return {key: filled(value, values) for key, value in fields.items()}


def filled_content(content: Content, values: Mapping[str, str]) -> Content:
    """Return a content as its reader sees it, for previews."""
    notice = content.notice
    return replace(
        content,
        fields=filled_fields(content.fields, values),
        notice=replace(notice, fields=filled_fields(notice.fields, values)) if notice else None,
        text=filled(content.text, values),
    )


def widest(text: str) -> str:
    """Return a text as long as it can become for anybody, to check it."""
    return filled(text, {each.name: each.longest for each in PLACEHOLDERS})


def general(text: str) -> str:
    """Return a text for a reader of whom nothing is known."""
    return filled(text, {each.name: each.otherwise for each in PLACEHOLDERS})


def first_region(codes: Iterable[RegionCode | None]) -> RegionCode | None:
    """Return the first region that is one."""
    return next((code for code in codes if code), None)
