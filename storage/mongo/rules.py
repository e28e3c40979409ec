"""Rules compiled to MongoDB (受众规则 → 查询): over faces in an index, or over documents.

Both say the same. Over faces a whole rule is one expression on one indexed text, which suits
counting and paging. Over documents it is equalities on `keys` and comparisons of dates, which
suits people looked up one by one. What neither knows, who got a broadcast and who bound one given
thing, is looked up first and handed in as lists of `_id`s (`Known`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.audience import (
    Active,
    AllOf,
    AnyOf,
    Bound,
    Everybody,
    Followed,
    Got,
    InRegion,
    Leaf,
    Not,
    OnTopic,
    Rule,
    Tagged,
    normalised,
    walk,
)
from domain.broadcast import Audience
from domain.ids import BroadcastId
from storage.mongo import faces
from storage.mongo.faces import midnight
from storage.mongo.keys import EVERYBODY, conditions, kind_key, region_of, subject_key, topic_key

Document = dict[str, Any]
LONGEST_EXPRESSION = 30_000  # the server's own limit is 32,764


@dataclass(frozen=True, slots=True)
class Known:
    """Answers to what has to be looked up: `_id`s of those who got it, of those who hold it."""

    got: Mapping[BroadcastId, Sequence[str]] = field(default_factory=dict)
    holders: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by the thing's digest

    def ids(self, leaf: Got | Bound) -> Sequence[str]:
        """Return the people of whom the leaf holds."""
        if isinstance(leaf, Got):
            return self.got[leaf.broadcast]
        return self.holders[leaf.digest or ""]


NOTHING_KNOWN = Known()


# --- over faces -------------------------------------------------------------------------------


def face_filter(audience: Audience, known: Known = NOTHING_KNOWN) -> Document:
    """Return the condition on index entries that an audience (not its `openids`) makes."""
    patterns = []
    if audience.topics:
        patterns.append(faces.topics(audience.topics, audience.regions))
    elif audience.regions:
        patterns.append(faces.places(audience.regions))
    if audience.tags:
        patterns.append(faces.tags(audience.tags))
    others: list[Document] = []
    rule = normalised(audience.rule or Everybody())
    for part in rule.rules if isinstance(rule, AllOf) else (rule,):
        made = _over_faces(part, known)
        if isinstance(made, str):
            patterns.append(made)
        else:
            others.append(made)
    # one condition each, what is quickest to tell first
    patterns = [part for part in patterns if part != faces.ALWAYS]
    patterns.sort(key=lambda part: not faces.is_search(part))
    return _all([*others, *map(_expression, patterns)])


def _over_faces(rule: Rule, known: Known) -> str | Document:
    """Return a pattern as long as faces can tell, else a condition."""
    match rule:
        case Not(inner):
            pattern = faces.pattern(inner)
            if pattern is not None:
                return faces.neither(pattern)
            return {"_id": {"$nin": list(known.ids(_looked_up(inner)))}}
        case AllOf(rules) | AnyOf(rules):
            made = [_over_faces(part, known) for part in rules]
            patterns = [part for part in made if isinstance(part, str)]
            others = [part for part in made if not isinstance(part, str)]
            is_and = isinstance(rule, AllOf)
            if patterns:
                joined = (faces.both if is_and else faces.either)(patterns)
                patterns = [joined] if len(joined) <= LONGEST_EXPRESSION else patterns
            if not others and len(patterns) == 1:
                return patterns[0]
            conditions = [*others, *map(_expression, patterns)]
            return {"$and": conditions} if is_and else {"$or": conditions}
    pattern = faces.pattern(rule)
    if pattern is not None:
        return pattern
    return {"_id": {"$in": list(known.ids(_looked_up(rule)))}}


def _expression(pattern: str) -> Document:
    return {"face": {"$regex": faces.expression(pattern)}}


# --- over documents ---------------------------------------------------------------------------


def document_filter(audience: Audience, known: Known = NOTHING_KNOWN) -> Document:
    """Return the condition on documents that an audience (not its `openids`) makes."""
    groups = [keys for keys in conditions(audience) if keys != [EVERYBODY]]
    parts: list[Document] = [{"keys": one_of(keys)} for keys in groups]
    if audience.rule is not None:
        parts.append(_over_documents(normalised(audience.rule), known))
    return _all(parts)


def _over_documents(rule: Rule, known: Known) -> Document:
    match rule:
        case AllOf(rules):
            return {"$and": [_over_documents(part, known) for part in rules]}
        case AnyOf(rules):
            return {"$or": [_over_documents(part, known) for part in rules]}
        case Not(inner):
            return {"$nor": [_over_documents(inner, known)]}
        case Followed(since, until):
            return {"followed_at": _span(since, until)}
        case Active(since, until):
            return {"active_on": _span(since, until)}
    key = key_of(rule)
    if key is not None:
        return {"keys": key}
    return {"_id": {"$in": list(known.ids(_looked_up(rule)))}}


def key_of(leaf: Rule) -> str | None:
    """Return the combined key that answers a leaf alone, if one does."""
    match leaf:
        case Everybody():
            return EVERYBODY
        case OnTopic(topic, region):
            return topic_key(topic, region_of(region) if region else None)
        case InRegion(region):
            return f"r:{region_of(region)}"
        case Tagged(tag):
            return f"g:{tag}"
        case Bound(kind, None, None):
            return kind_key(kind)
        case Bound(digest=str() as digest):
            return subject_key(digest)
    return None


def keys_of_rule(rule: Rule | None) -> list[str] | None:
    """Return the keys of which one must be there, if that is all that a rule says."""
    rule = normalised(rule) if rule is not None else None
    leaves = rule.rules if isinstance(rule, AnyOf) else (rule,) if rule is not None else ()
    found = [key_of(leaf) for leaf in leaves]
    keys = [key for key in found if key is not None]
    return keys if keys and len(keys) == len(found) else None


def one_of(keys: Sequence[str]) -> Any:
    """Return the condition that one of the keys is there."""
    return {"$in": list(keys)} if len(keys) > 1 else keys[0]


def _span(since: Any, until: Any) -> Document:
    span = {"$gte": midnight(since)} if since else {"$exists": True, "$ne": None}
    return span | ({"$lt": midnight(until)} if until else {})


# --- what has to be looked up -----------------------------------------------------------------


def digests_in(audience: Audience) -> tuple[str, ...]:
    """Return the hashes of the given things that a rule asks about, each once."""
    nodes = walk(audience.rule) if audience.rule is not None else ()
    found = (node.digest for _, _, node in nodes if isinstance(node, Bound) and node.digest)
    return tuple(dict.fromkeys(found))


def relaxed(rule: Rule, is_given: Callable[[Leaf], bool]) -> Rule:
    """Return a rule that holds for at least the same people without asking such leaves."""
    return _relaxed(normalised(rule), is_given)


def _relaxed(rule: Rule, is_given: Callable[[Leaf], bool]) -> Rule:
    match rule:
        case AllOf(rules):
            return AllOf(tuple(_relaxed(part, is_given) for part in rules))
        case AnyOf(rules):
            return AnyOf(tuple(_relaxed(part, is_given) for part in rules))
        case Not(inner) if not isinstance(inner, AllOf | AnyOf | Not):
            return Everybody() if is_given(inner) else rule
        case Not():
            raise ValueError("a rule is relaxed in its normal form")
    return Everybody() if is_given(rule) else rule


def _looked_up(rule: Rule) -> Got | Bound:
    if isinstance(rule, Got) or (isinstance(rule, Bound) and rule.digest is not None):
        return rule
    raise ValueError("a named thing must be sealed before its rule is compiled")


def _all(parts: Sequence[Document]) -> Document:
    return {"$and": list(parts)} if len(parts) > 1 else parts[0] if parts else {}
