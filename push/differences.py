"""What an edit changed (修改对照), field by field, for whoever reviews it.

Everything an order can say is compared, in words people read. Within a text the letters that went
and those that came are told apart; long texts are compared line by line.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Literal

from config.catalogue import Catalogue
from domain.audience import plain
from domain.broadcast import ORDERED, Audience, Broadcast
from domain.channel import TITLES
from domain.clock import in_beijing
from domain.masking import mask_openid
from domain.schedule_words import recurring_in_words
from domain.sentence import Sentence, joined

Mark = Literal["same", "gone", "new"]
LETTER_BY_LETTER = 500  # letters; longer texts are compared by lines, as many at most
SHOWN_PEOPLE = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and whether it stayed, went or came."""

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that differs; `name` is the order's, `part` the name within `data`."""

    name: str
    part: str
    before: str
    after: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One field as it stands."""

    name: str
    part: str
    text: str


def lines_of(broadcast: Broadcast, catalogue: Catalogue) -> list[Line]:
    """Return everything a broadcast says, in words."""
    return [
        Line(name=name, part=part, text=text)
        for name, part, text in _said(broadcast, catalogue)
        if text
    ]


def differences(before: Broadcast, after: Broadcast, catalogue: Catalogue) -> list[Change]:
    """Return what differs, in the order of the form."""
    old = {(name, part): text for name, part, text in _said(before, catalogue)}
    new = {(name, part): text for name, part, text in _said(after, catalogue)}
    found = [
        Change(
            name=name,
            part=part,
            before=old.get((name, part), ""),
            after=new.get((name, part), ""),
            pieces=pieces(old.get((name, part), ""), new.get((name, part), "")),
        )
        for name, part in dict.fromkeys([*new, *old])
        if old.get((name, part), "") != new.get((name, part), "")
    ]
    return found + list(_unseen(before, after, {change.name for change in found}))


def _unseen(before: Broadcast, after: Broadcast, seen: Collection[str]) -> Iterator[Change]:
    """Tell of what differs and reads the same: people who are masked, for one."""
    were, are = set(before.audience.openids), set(after.audience.openids)
    if were != are and were and are:
        text = Sentence(
            "换了人：增加 {more} 人，减少 {fewer} 人", more=len(are - were), fewer=len(were - are)
        )
        yield Change(
            name="audience", part="openids", before="", after=text, pieces=[Piece("new", text)]
        )
        seen = {*seen, "audience"}
    for name in ORDERED:
        if name not in seen and _exact(before, name) != _exact(after, name):
            text = Sentence("有改动，写出来是一样的")
            yield Change(name=name, part="", before="", after=text, pieces=[Piece("new", text)])


def _exact(broadcast: Broadcast, name: str) -> object:
    if name != "audience":
        return getattr(broadcast, name)
    audience = broadcast.audience
    kinds = (audience.topics, audience.regions, audience.tags, audience.openids)
    return (audience.all, *map(frozenset, kinds), plain(audience.rule) if audience.rule else None)


def pieces(before: str, after: str) -> list[Piece]:
    """Return one text that shows both."""
    if isinstance(before, Sentence) or isinstance(after, Sentence):
        both = (Piece("gone", before), Piece("new", after))
        return [piece for piece in both if piece.text]
    if max(len(before), len(after)) > LETTER_BY_LETTER:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        if max(len(old), len(new)) > LETTER_BY_LETTER:
            old, new = [before], [after]
        return list(_pieces(old, new))
    return list(_pieces(before, after))


def _pieces(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            yield Piece("same", "".join(old[a:b]))
            continue
        if a < b:
            yield Piece("gone", "".join(old[a:b]))
        if c < d:
            yield Piece("new", "".join(new[c:d]))


def _said(broadcast: Broadcast, catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    for name in ORDERED:
        if name == "data":
            for part, text in broadcast.data.items():
                yield name, part, text
        elif name == "audience":
            for part, text in audience_words(broadcast.audience, catalogue).items():
                yield name, part, text
        elif name == "topic":
            known = catalogue.topics.get(broadcast.topic)
            yield name, "", known.title if known else broadcast.topic
        elif name in WORDS:
            yield name, "", WORDS[name](broadcast)
        else:
            yield name, "", str(getattr(broadcast, name) or "")


def audience_words(audience: Audience, catalogue: Catalogue) -> Mapping[str, str]:
    """Return who is meant, one entry for each kind of condition; openids masked and counted."""
    words: dict[str, str] = {}
    if audience.all:
        words["all"] = Sentence("全部关注者")
    if audience.topics:
        titles = (
            known.title if (known := catalogue.topics.get(topic)) else topic
            for topic in audience.topics
        )
        words["topics"] = joined(titles)
    if audience.regions:
        names = (
            Sentence("{name}（{code}）", name=region.name, code=code)
            if (region := catalogue.regions.get(code))
            else code
            for code in audience.regions
        )
        words["regions"] = joined(names)
    if audience.tags:
        words["tags"] = joined(audience.tags)
    if audience.openids:
        shown = joined(map(mask_openid, audience.openids[:SHOWN_PEOPLE]))
        words["openids"] = Sentence("{size} 人：{shown}", size=len(audience.openids), shown=shown)
    if audience.rule is not None:
        words["rule"] = _written(plain(audience.rule))
    return words


def _written(value: object, depth: int = 0) -> str:
    """Write a rule as indented lines: a reviewer reads what is asked, and a diff has lines."""
    indent = "  " * depth
    if isinstance(value, Mapping):
        return "\n".join(
            f"{indent}{key}:\n{_written(part, depth + 1)}"
            if isinstance(part, Mapping | list)
            else f"{indent}{key}: {part}"
            for key, part in value.items()
        )
    if isinstance(value, list | tuple):
        return "\n".join(
            f"{indent}-\n{_written(part, depth + 1)}"
            if isinstance(part, Mapping | list)
            else f"{indent}- {part}"
            for part in value
        )
    return f"{indent}{value}"


def _moment(moment: datetime | None) -> str:
    return f"{in_beijing(moment):%Y-%m-%d %H:%M}" if moment else ""


def _window(broadcast: Broadcast) -> str:
    return "-".join(f"{end:%H:%M}" for end in broadcast.window) if broadcast.window else ""


def _recurrence(broadcast: Broadcast) -> str:
    return recurring_in_words(broadcast.cron) if broadcast.cron else ""


WORDS: Mapping[str, Callable[[Broadcast], str]] = {
    "cron": _recurrence,
    "at": lambda broadcast: (
        _moment(broadcast.at) or ("" if broadcast.cron else Sentence("发布后立即"))
    ),
    "expires_at": lambda broadcast: _moment(broadcast.expires_at),
    "priority": lambda broadcast: (
        Sentence("紧急") if broadcast.priority == "urgent" else Sentence("普通")
    ),
    "ignore_quiet_hours": lambda broadcast: (
        Sentence("是") if broadcast.ignore_quiet_hours else Sentence("否")
    ),
    "window": _window,
    "late_by": lambda broadcast: Sentence(
        "{minutes} 分钟", minutes=int(broadcast.late_by.total_seconds() // 60)
    ),
    "channel": lambda broadcast: (
        TITLES["mass"] if broadcast.channel == "mass" else Sentence("按主题的规定")
    ),
}
