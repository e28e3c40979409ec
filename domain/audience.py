"""Rules (受众规则): who is meant, as a small tree of typed conditions.

A rule speaks only of people who follow and can be reached; `Not` is among those. It is a value:
built from the API's JSON, checked, kept with its broadcast, compiled to indexed queries by
`storage.mongo.rules`. Nothing in it is ever run as text.

`plain` and `rule_from` turn a rule into JSON-like values and back, for storage and digests. A
named thing (plate, identity number) is personal data, so such a rule has no plain form until
`sealed` has put the keyed hash in the place of the value.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, TypeAlias

from domain.ids import BroadcastId, RegionCode, TopicId
from domain.people import Subject
from domain.topic import SubjectKind

MOST_DEEP = 6
MOST_NODES = 200


@dataclass(frozen=True, slots=True)
class Everybody:
    """Every follower who can be reached."""


@dataclass(frozen=True, slots=True)
class OnTopic:
    """Follows the topic; with a region, follows it for the region or one below."""

    topic: TopicId
    region: RegionCode | None = None


@dataclass(frozen=True, slots=True)
class InRegion:
    """Told us of the region or one below it."""

    region: RegionCode


@dataclass(frozen=True, slots=True)
class Tagged:
    """Carries the tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class Bound:
    """Bound a thing of this kind; `named` is the one thing meant, `digest` its keyed hash."""

    kind: SubjectKind
    named: Subject | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """Followed the account last on the day `since` or later, and before the day `until`.

    Days are Beijing's. Nobody whose day of following we do not know.
    """

    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Active:
    """Was heard from last on the day `since` or later, and before the day `until`.

    Days are Beijing's: activity is kept once a day. Nobody we have never heard from; who was
    silent since a day is `Not(Active(since=…))`.
    """

    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Got:
    """Was sent the broadcast, or any occurrence of the plan; unknown outcomes count as sent."""

    broadcast: BroadcastId


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of the rules holds."""

    rules: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the rules holds."""

    rules: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The rule does not hold."""

    rule: "Rule"


Leaf: TypeAlias = Everybody | OnTopic | InRegion | Tagged | Bound | Followed | Active | Got
Rule: TypeAlias = Leaf | AllOf | AnyOf | Not
NOBODY = Not(Everybody())


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A count of the people a rule means, and how it was come by."""

    count: int
    indexes: tuple[str, ...]
    keys: int  # index entries examined
    documents: int  # documents read; 0 when the indexes covered the question
    milliseconds: int


def walk(rule: Rule, path: str = "", depth: int = 1) -> Iterator[tuple[str, int, Rule]]:
    """Yield every node with its place, spelt as in the request, and its depth from 1."""
    yield path, depth, rule
    match rule:
        case AllOf(rules) | AnyOf(rules):
            word = "and" if isinstance(rule, AllOf) else "or"
            for number, part in enumerate(rules):
                yield from walk(part, f"{path}.{word}.{number}", depth + 1)
        case Not(inner):
            yield from walk(inner, f"{path}.not", depth + 1)


def broadcasts_in(rule: Rule) -> tuple[BroadcastId, ...]:
    """Return the broadcasts the rule asks about, each once."""
    found = (node.broadcast for _, _, node in walk(rule) if isinstance(node, Got))
    return tuple(dict.fromkeys(found))


def replaced(rule: Rule, change: Callable[[Leaf], Rule]) -> Rule:
    """Return the rule with every leaf changed."""
    match rule:
        case AllOf(rules):
            return AllOf(tuple(replaced(part, change) for part in rules))
        case AnyOf(rules):
            return AnyOf(tuple(replaced(part, change) for part in rules))
        case Not(inner):
            return Not(replaced(inner, change))
    return change(rule)


def sealed(rule: Rule, hashed: Callable[[Subject], str | None]) -> Rule:
    """Return the rule with the keyed hashes of named things instead of their values.

    What has no hash, because it is no such thing, stays for the checks to name.
    """

    def seal(leaf: Leaf) -> Rule:
        if isinstance(leaf, Bound) and leaf.named is not None:
            digest = hashed(leaf.named)
            return Bound(leaf.kind, digest=digest) if digest else leaf
        return leaf

    return replaced(rule, seal)


# --- one form for rules that mean the same ----------------------------------------------------


def normalised(rule: Rule) -> Rule:
    """Return the rule with `Not` only before leaves, flat, sorted and without repetition.

    Two spellings of one rule become equal in the common cases (order, nesting, repetition,
    double negation), and stay different only where finding out would be a search.
    """
    return _normal(rule, negated=False)


def _normal(rule: Rule, *, negated: bool) -> Rule:
    match rule:
        case Not(inner):
            return _normal(inner, negated=not negated)
        case AllOf(rules) | AnyOf(rules):
            is_and = isinstance(rule, AllOf) is not negated
            return _joined([_normal(part, negated=negated) for part in rules], is_and=is_and)
    return Not(rule) if negated else rule


def _joined(parts: list[Rule], *, is_and: bool) -> Rule:
    kind = AllOf if is_and else AnyOf
    neutral, final = (Everybody(), NOBODY) if is_and else (NOBODY, Everybody())
    flat: list[Rule] = []
    for part in parts:
        flat += part.rules if isinstance(part, kind) else [part]
    found = {_spelt(part): part for part in flat if part != neutral}
    literals = set(found.values())
    contradiction = any(isinstance(part, Not) and part.rule in literals for part in literals)
    if final in literals or contradiction:
        return final
    if not found:
        return neutral
    ordered = tuple(found[spelling] for spelling in sorted(found))
    return ordered[0] if len(ordered) == 1 else kind(ordered)


def digest(rule: Rule) -> str:
    """Return a digest that rules of one normal form share; `sealed` first."""
    return sha256(_spelt(normalised(rule)).encode()).hexdigest()


def _spelt(rule: Rule) -> str:
    return json.dumps(_plain(rule, with_named=True), sort_keys=True, ensure_ascii=False)


# --- plain values -----------------------------------------------------------------------------


def plain(rule: Rule) -> dict[str, Any]:
    """Return the rule as JSON-like values, spelt as in the API; `sealed` first."""
    return _plain(rule, with_named=False)


def _plain(rule: Rule, *, with_named: bool) -> dict[str, Any]:
    match rule:
        case AllOf(rules):
            return {"and": [_plain(part, with_named=with_named) for part in rules]}
        case AnyOf(rules):
            return {"or": [_plain(part, with_named=with_named) for part in rules]}
        case Not(inner):
            return {"not": _plain(inner, with_named=with_named)}
        case Bound():
            return _plain_bound(rule, with_named=with_named)
    return _plain_leaf(rule)


def _plain_bound(rule: Bound, *, with_named: bool) -> dict[str, Any]:
    if rule.named is not None:
        if not with_named:
            raise ValueError("a named thing must be sealed before its rule is kept")
        thing = [rule.named.value, rule.named.plate_type]
        return {"subject": {"kind": rule.kind, "named": thing}}
    more = {"digest": rule.digest} if rule.digest else {}
    return {"subject": {"kind": rule.kind} | more}


def _plain_leaf(rule: Rule) -> dict[str, Any]:
    match rule:
        case OnTopic(topic, region):
            return {"topic": topic} | ({"region": region} if region else {})
        case InRegion(region):
            return {"region": region}
        case Tagged(tag):
            return {"tag": tag}
        case Followed(since, until):
            return {"followed": _plain_span(since, until)}
        case Active(since, until):
            return {"active": _plain_span(since, until)}
        case Got(broadcast):
            return {"got": broadcast}
    return {"all": True}


def _plain_span(since: date | None, until: date | None) -> dict[str, str]:
    span = {"since": since, "until": until}
    return {name: day.isoformat() for name, day in span.items() if day}


def rule_from(content: Mapping[str, Any]) -> Rule:
    """Read what `plain` returned."""
    match content:
        case {"and": parts}:
            return AllOf(tuple(map(rule_from, parts)))
        case {"or": parts}:
            return AnyOf(tuple(map(rule_from, parts)))
        case {"not": part}:
            return Not(rule_from(part))
        case {"topic": topic, **rest}:
            return OnTopic(topic, rest.get("region"))
        case {"subject": {"kind": kind, **rest}}:
            return Bound(kind, digest=str(rest["digest"]) if "digest" in rest else None)
    return _leaf_from(content)


def _leaf_from(content: Mapping[str, Any]) -> Rule:
    match content:
        case {"region": region}:
            return InRegion(region)
        case {"tag": tag}:
            return Tagged(tag)
        case {"followed": span}:
            return Followed(*_span_from(span))
        case {"active": span}:
            return Active(*_span_from(span))
        case {"got": broadcast}:
            return Got(broadcast)
        case {"all": True}:
            return Everybody()
    raise ValueError(f"not a rule: {sorted(content)}")


def _span_from(span: Mapping[str, str]) -> tuple[date | None, date | None]:
    since, until = span.get("since"), span.get("until")
    return (
        date.fromisoformat(since) if since else None,
        date.fromisoformat(until) if until else None,
    )
