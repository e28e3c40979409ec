"""An alert (预警) as its issuer wrote it, in the terms of CAP 1.2, and its level (`domain.md` 3.5).

Nothing is rewritten here: texts stand as they came, and only what decides whom to tell and how
loudly is worked out (level, language, regions). Times are aware.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from domain.errors import CitizenError
from domain.ids import RegionCode

Status = Literal["Actual", "Exercise", "System", "Test", "Draft"]
MessageType = Literal["Alert", "Update", "Cancel", "Ack", "Error"]
Scope = Literal["Public", "Restricted", "Private"]
Severity = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
Level = Literal["red", "orange", "yellow", "blue", "unknown"]

LEVELS: tuple[Level, ...] = ("unknown", "blue", "yellow", "orange", "red")  # by urgency
LEVEL_NAMES: Mapping[Level, str] = {
    "red": "红色预警",
    "orange": "橙色预警",
    "yellow": "黄色预警",
    "blue": "蓝色预警",
    "unknown": "未分级",
}
WAKES: frozenset[Level] = frozenset({"red", "orange"})  # break quiet hours
_BY_SEVERITY: Mapping[Severity, Level] = {
    "Extreme": "red",
    "Severe": "orange",
    "Moderate": "yellow",
    "Minor": "blue",
    "Unknown": "unknown",
}
_BY_WORD: Mapping[str, Level] = {"红": "red", "橙": "orange", "黄": "yellow", "蓝": "blue"}
_BY_ENGLISH: Mapping[str, Level] = {
    "red": "red",
    "orange": "orange",
    "yellow": "yellow",
    "amber": "orange",
    "blue": "blue",
}
_COLOUR = re.compile("([红橙黄蓝])色")
_CLAUSE = re.compile("[，。；]")
_BECOMES = re.compile("升级为|升级发布|降级为|变更为|更新为|改为|调整为|改发")
_ABOUT_LEVEL = re.compile(r"level|colou?r|级别|等级|颜色|severity", re.IGNORECASE)


class CapRefused(CitizenError):
    """A document that is not a CAP 1.2 alert: `reason` for machines, `where` to look.

    `where` names the element and its place in the text: `alert/info/severity, line 12 column 7`.
    """

    code = "invalid_cap"
    status = 422

    def __init__(self, reason: str, say: str, where: str = "document") -> None:
        super().__init__(f"{say}（{where}）", field=where)
        self.reason = reason
        self.sentence = say
        self.where = where


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertId:
    """What makes a message the same message: the triple of CAP (identifier, sender, sent)."""

    identifier: str
    sender: str
    sent: datetime

    @property
    def digest(self) -> str:
        """A short name of it: the same for the same instant, however its zone was written."""
        text = "\n".join((self.identifier, self.sender, self.sent.astimezone(UTC).isoformat()))
        return sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """A circle on the ground: degrees and kilometres."""

    latitude: float
    longitude: float
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertArea:
    """Where (area): in words, and in the codes and shapes that the issuer gives."""

    text: str
    geocodes: tuple[tuple[str, str], ...] = ()  # (valueName, value)
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()  # (latitude, longitude)
    circles: tuple[Circle, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertInfo:
    """What is said (info), in one language, about one event."""

    language: str
    categories: tuple[str, ...]
    event: str
    urgency: str
    severity: Severity
    certainty: str
    responses: tuple[str, ...] = ()
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = field(default="", repr=False)
    instruction: str = field(default="", repr=False)
    web: str = ""
    contact: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    areas: tuple[AlertArea, ...] = ()

    @property
    def level(self) -> Level:
        """The colour the issuer names; where none is named, the one of the severity.

        The colour is what the law knows (一级红…四级蓝), severity its translation; a headline
        that names several (将黄色升级为橙色) means the last one it arrives at.
        """
        for name, value in self.parameters:
            if _ABOUT_LEVEL.search(name) and (level := _level_in_parameter(value)):
                return level
        for text in (self.event, self.headline):
            if level := _level_in_text(text):
                return level
        return _BY_SEVERITY[self.severity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One CAP message. `warnings`: what is not as the standard has it, and was understood."""

    id: AlertId
    status: Status
    message_type: MessageType
    scope: Scope
    source: str = ""
    note: str = ""
    references: tuple[AlertId, ...] = ()
    infos: tuple[AlertInfo, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_public(self) -> bool:
        """Whether it is meant in earnest, and for everybody."""
        return self.status == "Actual" and self.scope == "Public"

    @property
    def chosen(self) -> tuple[AlertInfo, ...]:
        """The blocks to relay: all in one language, Chinese before others, else the first one's."""
        if not self.infos:
            return ()
        languages = [info.language.lower() for info in self.infos]
        wanted = next(
            (each for test in (_is_mainland, _is_chinese) for each in languages if test(each)),
            languages[0],
        )
        return tuple(info for info in self.infos if info.language.lower() == wanted)


def rank(level: Level) -> int:
    """Return a number that grows with urgency."""
    return LEVELS.index(level)


# --- where ------------------------------------------------------------------------------------

# Names under which GB/T 2260 codes come: 行政区划代码, GB/T 2260-2007, adcode, areaCode …
_CHINESE_CODE = re.compile(
    r"2260|区划|地区代码|区域代码|adcode|ad_?code|admin_?code|area_?code|region_?code|geo_?code|citycode",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12])\d{4}(?:\d{3}|\d{6})?")


def regions_of(area: AlertArea) -> tuple[RegionCode, ...]:
    """Return the counties, cities or provinces that an area names by code, each once.

    A code of a town or village is widened to its county: citizens tell us of their district, and
    one who lives in the town must not be missed.
    """
    found: list[RegionCode] = []
    for name, value in area.geocodes:
        if _CHINESE_CODE.search(name):
            found += [
                RegionCode(each[:6])
                for each in re.split(r"[\s,;，；、]+", value.strip())
                if _CODE.fullmatch(each)
            ]
    return tuple(dict.fromkeys(found))


# --- inside -----------------------------------------------------------------------------------


def _level_in_text(text: str) -> Level | None:
    """Return the colour that a sentence names, if it is one and the same throughout."""
    for clause in _CLAUSE.split(text):
        becomes = _BECOMES.search(clause)
        if becomes and (arrived := _COLOUR.search(clause, becomes.end())):
            return _BY_WORD[arrived[1]]
    colours = set(_COLOUR.findall(text))
    return _BY_WORD[colours.pop()] if len(colours) == 1 else None


def _level_in_parameter(value: str) -> Level | None:
    """Return the level in a parameter about it: `红色`, `红`, `2; yellow; Moderate`, `RED`."""
    if level := _level_in_text(value):
        return level
    if value.strip() in _BY_WORD:
        return _BY_WORD[value.strip()]
    words = {word.lower() for word in re.findall("[A-Za-z]+", value)} & set(_BY_ENGLISH)
    return _BY_ENGLISH[words.pop()] if len(words) == 1 else None


def _is_mainland(language: str) -> bool:
    return language in ("zh-cn", "zh-hans", "zh-hans-cn", "zh")


def _is_chinese(language: str) -> bool:
    return language.startswith("zh")
