"""A subscriber's face (画像): one short text that answers any rule from one index.

MongoDB answers one key of an array from an index; two of them together, or one of them missing,
cost it every document. The face is a plain text in an index of its own (account, following,
reachable, _id, face), so the server decides a whole rule on index entries alone, in `_id` order:

    a20781f19876 !kJ3x9QwZ440305 @440305 #aB3dE6gH %v        (without the spaces)

    a, f        the Beijing day of the last sign of life and of following, 00000 if not known
    !topic      a subscribed topic, and the region it is followed for; once for each region
    @region     a region the person told us of
    #tag        a tag
    %kind       has bound a vehicle (v) or is bound in person (p)

A topic or tag stands there as 48 bits of its hash, never as it was typed, and a region as its
digits, of which those above it are the beginning. A rule becomes a few regular expressions made of
such codes alone. `not` is written inside them: a negated expression MongoDB would look up in the
documents.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache

from domain.audience import Active, Bound, Everybody, Followed, InRegion, OnTopic, Rule, Tagged
from domain.clock import BEIJING, in_beijing
from domain.ids import RegionCode, TopicId
from domain.people import Subscriber
from domain.topic import SubjectKind, ancestors

UNKNOWN_DAY = "00000"
STRANGER = f"a{UNKNOWN_DAY}f{UNKNOWN_DAY}"  # the face of somebody of whom nothing is known
DAYS = len(STRANGER)
ALWAYS = "(?:)"
ANYWHERE = ".*"
_CODE_BYTES = 6


def day_code(day: date | None) -> str:
    """Return a day as five digits that sort as days do; lasts until 2243."""
    return f"{(day - date(1970, 1, 1)).days:05d}" if day else UNKNOWN_DAY


def day_of(moment: datetime | None) -> date | None:
    """Return the Beijing day of an instant."""
    return in_beijing(moment).date() if moment else None


def midnight(day: date) -> datetime:
    """Return the instant at which a Beijing day begins, as it is kept."""
    return datetime.combine(day, time(), BEIJING).astimezone(UTC)


def face_of(
    subscriber: Subscriber, places: Iterable[RegionCode], kinds: Iterable[SubjectKind]
) -> str:
    """Return a subscriber's face; `places` and `kinds` come from what they bound.

    As with the combined keys, a subscription without a region counts for every region the
    person told us of.
    """
    regions = {
        *places,
        *(item.region for item in subscriber.subscriptions if item.region),
        *([subscriber.region] if subscriber.region else []),
    }
    tokens = {f"@{_whole(region)}" for region in regions}
    tokens.update(f"#{_code('tag', tag)}" for tag in subscriber.tags)
    tokens.update(f"%{kind[0]}" for kind in kinds)
    for item in subscriber.subscriptions:
        topic = f"!{_code('topic', item.topic)}"
        for region in [item.region] if item.region else regions:
            tokens.add(topic + _whole(region))
        if not item.region and not regions:
            tokens.add(topic)
    return days_of(subscriber.active_on, subscriber.followed_at) + "".join(sorted(tokens))


def days_of(active_on: datetime | None, followed_at: datetime | None) -> str:
    """Return the beginning of a face."""
    return f"a{day_code(day_of(active_on))}f{day_code(day_of(followed_at))}"


# --- patterns ---------------------------------------------------------------------------------


def pattern(leaf: Rule) -> str | None:
    """Return what a face looks like for which the leaf holds; None if faces cannot tell."""
    match leaf:
        case Everybody():
            return ALWAYS
        case OnTopic(topic, region):
            return topics([topic], [region] if region else [])
        case InRegion(region):
            return places([region])
        case Tagged(tag):
            return tags([tag])
        case Bound(kind, None, None):
            return f"{ANYWHERE}%{kind[0]}"
        case Active(since, until):
            return f"a{_between(since, until)}"
        case Followed(since, until):
            return f".{{6}}f{_between(since, until)}"
    return None


def topics(wanted: Sequence[TopicId], regions: Sequence[RegionCode]) -> str:
    """Return the pattern of who follows one of the topics, for one of the regions if any."""
    found = f"{ANYWHERE}!{_one_of(_code('topic', topic) for topic in wanted)}"
    return found + (_one_of(map(_beginning, regions)) if regions else "")


def places(regions: Sequence[RegionCode]) -> str:
    """Return the pattern of who told us of one of the regions or of one below."""
    return f"{ANYWHERE}@{_one_of(map(_beginning, regions))}"


def tags(wanted: Sequence[str]) -> str:
    """Return the pattern of who carries one of the tags."""
    return f"{ANYWHERE}#{_one_of(_code('tag', tag) for tag in wanted)}"


def both(patterns: Sequence[str]) -> str:
    """Return the pattern that all of them make together."""
    return "".join(f"(?={part})" for part in patterns)


def either(patterns: Sequence[str]) -> str:
    """Return the pattern that any of them makes."""
    if all(map(is_search, patterns)):
        return f"{ANYWHERE}(?:{'|'.join(part[len(ANYWHERE) :] for part in patterns)})"
    return f"(?:{'|'.join(patterns)})"


def is_search(pattern: str) -> bool:
    """Whether it is a token that may stand anywhere."""
    return pattern.startswith(ANYWHERE)


def neither(part: str) -> str:
    """Return the pattern of every face that this one does not fit.

    A token is looked for mark by mark: measured, a third faster than a look-ahead over all.
    """
    if not part.startswith(ANYWHERE):
        return f"(?!{part})"
    mark, rest = part[len(ANYWHERE)], part[len(ANYWHERE) + 1 :]
    return f"[^{mark}]*+(?:{mark}(?!{rest})[^{mark}]*+)*+$"


def expression(pattern: str) -> str:
    """Return the regular expression of a pattern; a token is searched for, which is fastest."""
    found = pattern.removeprefix(ANYWHERE)
    return found if found != pattern else f"^{pattern}"


def _between(since: date | None, until: date | None) -> str:
    """Return the pattern of a known day in the span, at the place where the five digits begin."""
    known = _at_least(max(day_code(since), "00001"))
    return f"(?!{_at_least(day_code(until))}){known}" if until else known


def _at_least(number: str) -> str:
    """Return the pattern of five digits that are not below the number."""
    choices = [number]
    for place, digit in enumerate(number):
        if digit < "9":
            rest = "[0-9]" * (len(number) - place - 1)
            choices.append(f"{number[:place]}[{int(digit) + 1}-9]{rest}")
    return _one_of(choices)


def _one_of(choices: Iterable[str]) -> str:
    found = list(dict.fromkeys(choices))
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


@lru_cache(maxsize=4096)
def _code(kind: str, name: str) -> str:
    """Return eight letters, digits, `-` or `_` that stand for a topic or tag."""
    digest = hashlib.sha256(f"{kind}\0{name}".encode()).digest()[:_CODE_BYTES]
    return base64.urlsafe_b64encode(digest).decode()


@lru_cache(maxsize=4096)
def _whole(region: RegionCode) -> str:
    """Return a region in its one spelling."""
    return next(ancestors(region))


@lru_cache(maxsize=4096)
def _beginning(region: RegionCode) -> str:
    """Return the digits with which the region and all below it begin: 440300 → 4403."""
    code = _whole(region)
    if len(code) == 12:
        return code[:9] if code.endswith("000") else code
    return code[: 2 if code.endswith("0000") else 4 if code.endswith("00") else 6]
