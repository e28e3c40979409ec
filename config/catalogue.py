"""What an operator may edit without programming: topics (主题目录), regions and the menu.

Read once from `topics.toml`, `regions.toml` and `menu.toml`; a wrong entry stops the process with
a sentence that names the file.
"""

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from domain.channel import TEMPLATE_ONLY, ChannelName
from domain.errors import ConfigError
from domain.ids import RegionCode, TopicId
from domain.topic import Region, Topic

FOLDER = Path(__file__).parent
STREET = "街道"
_ADMINISTRATIVE = ("新区", "区", "市", "县")  # endings that people leave out
_TOP_NAME_BYTES, _ENTRY_NAME_BYTES, _KEY_BYTES, _URL_BYTES = 16, 60, 128, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Topics, regions and menu of this installation."""

    topics: Mapping[TopicId, Topic]
    regions: Mapping[RegionCode, Region]
    menu: Mapping[str, Any]  # the JSON that WeChat's menu/create takes
    menu_words: Mapping[str, str]  # menu key → what can be written instead of tapping
    _topic_words: Mapping[str, Topic] = field(repr=False)
    _places: tuple[tuple[str, Region, str], ...] = field(repr=False)  # spelling, region, street

    def topic_by_word(self, text: str) -> Topic | None:
        """Return the topic that citizens call this; its id and its title will do too."""
        return self._topic_words.get(_fold(text).lower())

    def find_region(self, text: str) -> tuple[Region, str] | None:
        """Return the region a text begins with and the rest of it; a street implies its district.

        `福田区 园岭街道` → 福田区, `园岭街道`; `园岭街道` → the same; `深圳` → the city, ``.
        """
        text = _fold(text)
        if text[:6].isdigit() and (coded := self.regions.get(RegionCode(text[:6]))):
            return coded, text[6:].strip()
        for spelling, region, street in self._places:  # the longest spelling first
            if not text.startswith(spelling):
                continue
            rest = text[len(spelling) :]
            if not street:
                rest = rest.strip(" ,，")
                return self._below(region, rest) or (region, self._whole_street(region, rest))
            if street == spelling:
                return region, text
            if not rest or rest[0] == " ":  # 园岭, but not the 西丽 of 西丽湖路
                return region, street + rest
        return None

    def streets(self, code: RegionCode) -> tuple[str, ...]:
        """Return a region's streets (街道), none if there is no such region."""
        region = self.regions.get(code)
        return region.streets if region else ()

    def _below(self, region: Region, rest: str) -> tuple[Region, str] | None:
        """Return the district that the rest names, when the region was a city: 深圳市福田区."""
        if not rest or not region.code.endswith("00"):
            return None
        found = self.find_region(rest)
        return found if found and found[0].code != region.code else None

    @staticmethod
    def _whole_street(region: Region, rest: str) -> str:
        first, space, more = rest.partition(" ")
        whole = first + STREET
        return whole + space + more if whole in region.streets else rest


def load_catalogue(folder: Path = FOLDER) -> Catalogue:
    """Read the three files, or raise `ConfigError` with one sentence."""
    entries = _read(folder / "topics.toml", _TopicFile).topics
    topics = {topic.id: topic for topic in map(_TopicEntry.topic, entries)}
    regions = _read(folder / "regions.toml", _RegionFile).regions
    menu = _read(folder / "menu.toml", _MenuFile)
    known = {region.code: region for region in map(_RegionEntry.region, regions)}
    return Catalogue(
        topics=topics,
        regions=known,
        menu={"button": [button.json_form() for button in menu.buttons]},
        menu_words={entry.key: entry.word for entry in menu.entries() if entry.key and entry.word},
        _topic_words=_words(topics.values(), folder / "topics.toml"),
        _places=_places(known.values(), folder / "regions.toml"),
    )


# --- the files ----------------------------------------------------------------------------


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _TopicEntry(_Entry):
    id: str = Field(pattern=r"^[a-z]+(\.[a-z]+)*$")
    title: str = Field(min_length=1, max_length=20)
    words: tuple[str, ...] = Field(min_length=1)
    scope: str = Field(pattern=r"^(region|vehicle|person|none)$")
    hotline: str = "12345"
    daily_cap: int = Field(0, ge=0, le=100)
    channels: tuple[ChannelName, ...] = Field(TEMPLATE_ONLY, min_length=1)

    @model_validator(mode="after")
    def _channels_differ(self) -> "_TopicEntry":
        if "mass" in self.channels:
            raise ValueError("mass is asked for by a broadcast, not by a topic; take it out")
        _no_twice(list(self.channels), "channel")
        return self

    def topic(self) -> Topic:
        return Topic(
            id=TopicId(self.id),
            title=self.title,
            words=self.words,
            scope=self.scope,  # type: ignore[arg-type]  # the pattern above allows these four only
            hotline=self.hotline,
            daily_cap=self.daily_cap,
            channels=self.channels,
        )


class _RegionEntry(_Entry):
    code: str = Field(pattern=r"^\d{6}$")
    name: str = Field(min_length=2)
    aliases: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()

    def region(self) -> Region:
        return Region(
            code=RegionCode(self.code), name=self.name, aliases=self.aliases, streets=self.streets
        )


class _MenuEntry(_Entry):
    """One entry: a tap (`key`) or a page (`url`)."""

    name: str = Field(min_length=1)
    key: str = ""
    url: str = ""
    word: str = ""

    @model_validator(mode="after")
    def _fits(self) -> "_MenuEntry":
        if bool(self.key) == bool(self.url):
            raise ValueError(f"entry {self.name!r} needs either key or url")
        _at_most(self.name, _ENTRY_NAME_BYTES)
        _at_most(self.key, _KEY_BYTES)
        _at_most(self.url, _URL_BYTES)
        return self

    def json_form(self) -> dict[str, Any]:
        if self.url:
            return {"type": "view", "name": self.name, "url": self.url}
        return {"type": "click", "name": self.name, "key": self.key}


class _MenuButton(_Entry):
    name: str = Field(min_length=1)
    entries: tuple[_MenuEntry, ...] = Field(min_length=1, max_length=5)

    @model_validator(mode="after")
    def _fits(self) -> "_MenuButton":
        _at_most(self.name, _TOP_NAME_BYTES)
        return self

    def json_form(self) -> dict[str, Any]:
        return {"name": self.name, "sub_button": [entry.json_form() for entry in self.entries]}


class _TopicFile(_Entry):
    topics: tuple[_TopicEntry, ...]

    @model_validator(mode="after")
    def _differ(self) -> "_TopicFile":
        _no_twice([topic.id for topic in self.topics], "topic")
        return self


class _RegionFile(_Entry):
    regions: tuple[_RegionEntry, ...]

    @model_validator(mode="after")
    def _differ(self) -> "_RegionFile":
        _no_twice([region.code for region in self.regions], "region")
        return self


class _MenuFile(_Entry):
    buttons: tuple[_MenuButton, ...] = Field(max_length=3)

    @model_validator(mode="after")
    def _differ(self) -> "_MenuFile":
        _no_twice([entry.key for entry in self.entries() if entry.key], "menu key")
        return self

    def entries(self) -> list[_MenuEntry]:
        return [entry for button in self.buttons for entry in button.entries]


_File = TypeVar("_File", bound=_Entry)


def _read(path: Path, kind: type[_File]) -> _File:
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; correct the file") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        problem = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}: {where}: {problem}; correct the file") from error


def _at_most(text: str, size: int) -> None:
    length = len(text.encode())
    if length > size:
        raise ValueError(f"{text!r} has {length} bytes, and WeChat takes at most {size}")


def _no_twice(keys: list[str], what: str) -> None:
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the {what} {key!r} stands there twice")


# --- look-up tables -----------------------------------------------------------------------


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _words(topics: Iterable[Topic], path: Path) -> dict[str, Topic]:
    table: dict[str, Topic] = {}
    for topic in topics:
        for word in {topic.id, topic.title, *topic.words}:
            other = table.setdefault(_fold(word).lower(), topic)
            if other.id != topic.id:
                raise ConfigError(
                    f"{path}: the word {word!r} means both {other.id} and {topic.id}; "
                    "take it from one of them"
                )
    return table


def _places(regions: Iterable[Region], path: Path) -> tuple[tuple[str, Region, str], ...]:
    """Return every spelling of a region or street, the longest first, regions before streets."""
    table: dict[str, tuple[Region, str]] = {}
    regions = tuple(regions)
    for region in regions:
        for name in (region.name, *region.aliases):
            for spelling in {name, _short(name)}:
                table.setdefault(spelling, (region, ""))
    for region in regions:
        for street in region.streets:
            other = table.get(street)
            if other and other[1] and other[0].code != region.code:
                raise ConfigError(
                    f"{path}: {street} stands in both {other[0].name} and {region.name}; "
                    "take it from one of them"
                )
            table.setdefault(street, (region, street))
            table.setdefault(street.removesuffix(STREET), (region, street))
    ordered = sorted(table.items(), key=lambda item: -len(item[0]))
    return tuple((spelling, region, street) for spelling, (region, street) in ordered)


def _short(name: str) -> str:
    for ending in _ADMINISTRATIVE:
        if name.endswith(ending) and len(name) - len(ending) >= 2:
            return name.removesuffix(ending)
    return name
