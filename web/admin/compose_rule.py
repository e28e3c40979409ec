"""The advanced rule of a form (更细的条件): groups of conditions, nested, as flat form fields.

Every node has a path: the outermost group is `r`, its parts are `r.0`, `r.1` …; `r.1.op` says how
the parts of a group are joined, `r.0.kind` what a condition is about. So the rule works without
script: each button posts the form and gets it back with one node more or less. `Not` stands only
before conditions (`domain.audience.normalised`); a group of which no part may hold is "none".

A named thing (plate, identity number) cannot be typed here; the one in a rule that was made
elsewhere is kept as its keyed hash.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from domain.audience import (
    Active,
    AllOf,
    AnyOf,
    Bound,
    Everybody,
    Followed,
    Got,
    InRegion,
    Not,
    OnTopic,
    Rule,
    Tagged,
    normalised,
)
from domain.ids import BroadcastId, RegionCode, TopicId
from domain.sentence import Sentence
from domain.topic import SubjectKind

Raw = Mapping[str, Sequence[str]]
ROOT = "r"
DEEPEST = 3  # groups within one another; more is hard to read on a page
MOST = 40  # nodes
LONGEST = 64  # characters of a value
KINDS = ("topic", "region", "tag", "bound", "followed", "active", "got", "everybody")
OPS = ("all", "any", "none")
SUBJECTS: tuple[SubjectKind, ...] = ("vehicle", "person")
_PARTS = ("topic", "region", "tag", "subject", "digest", "since", "until", "got")


class RuleIncomplete(ValueError):
    """A condition that says nothing yet; the text is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A group (`op`) with its parts, or a condition (`kind`) with its values."""

    op: str = ""
    parts: "tuple[Node, ...]" = ()
    kind: str = ""
    negated: bool = False
    values: Mapping[str, str] | None = None

    def value(self, name: str) -> str:
        """Return a value of a condition, "" when it was not given."""
        return (self.values or {}).get(name, "")


EMPTY = Node(op="all")


def read_node(raw: Raw) -> Node:
    """Read the outermost group from a form; what is too deep or too much is left out."""
    tree: dict[str, dict[str, str]] = {}
    children: dict[str, set[int]] = {}
    for name, values in raw.items():
        path, _, leaf = name.rpartition(".")
        if not values or not _is_path(path):
            continue
        tree.setdefault(path, {})[leaf] = values[-1][:LONGEST]
        while path != ROOT:
            above, _, number = path.rpartition(".")
            children.setdefault(above, set()).add(int(number))
            path = above
    left = [MOST]

    def read(path: str, depth: int) -> Node:
        left[0] -= 1
        said = tree.get(path, {})
        if "kind" in said and path != ROOT:
            kind = said["kind"] if said["kind"] in KINDS else KINDS[0]
            values = {part: said[part].strip() for part in _PARTS if part in said}
            return Node(kind=kind, negated=said.get("not") == "1", values=values)
        op = said.get("op", "all")
        numbers = sorted(children.get(path, ())) if depth < DEEPEST + 1 else []
        parts = tuple(read(f"{path}.{number}", depth + 1) for number in numbers if left[0] > 0)
        return Node(op=op if op in OPS else "all", parts=parts)

    return read(ROOT, 1)


def changed(node: Node, action: str) -> Node:
    """Return the rule after a button: `rule:add:r`, `rule:group:r.1`, `rule:remove:r.0`."""
    _, _, rest = action.partition(":")
    verb, _, path = rest.partition(":")
    if not _is_path(path):
        return node
    steps = [int(step) for step in path.split(".")[1:]]
    return _changed(node, verb, steps, 1)


def _changed(node: Node, verb: str, steps: list[int], depth: int) -> Node:
    if verb == "remove" and len(steps) == 1:
        return replace(node, parts=node.parts[: steps[0]] + node.parts[steps[0] + 1 :])
    if steps:
        first, *others = steps
        if first >= len(node.parts):
            return node
        part = _changed(node.parts[first], verb, others, depth + 1)
        return replace(node, parts=(*node.parts[:first], part, *node.parts[first + 1 :]))
    if not node.op:
        return node
    if verb == "add":
        return replace(node, parts=(*node.parts, Node(kind="tag")))
    if verb == "group" and depth < DEEPEST:
        return replace(node, parts=(*node.parts, Node(op="any", parts=(Node(kind="tag"),))))
    return node


def rule_of(node: Node) -> Rule | None:
    """Return the rule, None for no condition at all; raises `RuleIncomplete`."""
    if not node.op:
        found = _leaf(node)
        return Not(found) if node.negated else found
    rules = tuple(rule for part in node.parts if (rule := rule_of(part)) is not None)
    if not rules:
        return None
    if node.op == "none":
        return Not(rules[0] if len(rules) == 1 else AnyOf(rules))
    if len(rules) == 1:
        return rules[0]
    return AllOf(rules) if node.op == "all" else AnyOf(rules)


def node_of(rule: Rule | None) -> Node:
    """Return how a form shows a rule."""
    if rule is None:
        return EMPTY
    found = _node(normalised(rule))
    return found if found.op else Node(op="all", parts=(found,))


def _node(rule: Rule) -> Node:
    match rule:
        case AllOf(rules):
            return Node(op="all", parts=tuple(map(_node, rules)))
        case AnyOf(rules):
            return Node(op="any", parts=tuple(map(_node, rules)))
        case Not(inner):
            return replace(_node(inner), negated=True)
    kind, values = _condition(rule)
    return Node(kind=kind, values=values)


def _condition(rule: Rule) -> tuple[str, dict[str, str]]:
    match rule:
        case OnTopic(topic, region):
            found = "topic", {"topic": str(topic), "region": region or ""}
        case InRegion(region):
            found = "region", {"region": str(region)}
        case Bound(kind=kind, digest=digest):
            found = "bound", {"subject": str(kind), "digest": digest or ""}
        case Followed(since, until):
            found = "followed", _days(since, until)
        case Active(since, until):
            found = "active", _days(since, until)
        case Got(broadcast):
            found = "got", {"got": str(broadcast)}
        case Tagged(tag):
            found = "tag", {"tag": tag}
        case _:
            found = "everybody", {}
    return found


def _leaf(node: Node) -> Rule:
    value = node.value
    match node.kind:
        case "topic":
            region = value("region")
            return OnTopic(
                TopicId(_given(node, "topic", Sentence("请选择主题"))),
                RegionCode(region) if region else None,
            )
        case "region":
            return InRegion(RegionCode(_given(node, "region", Sentence("请选择区域"))))
        case "bound":
            kind = _given(node, "subject", Sentence("请选择绑定了什么"))
            if kind not in SUBJECTS:
                raise RuleIncomplete(Sentence("请选择绑定了什么"))
            return Bound(kind, digest=value("digest") or None)
        case "followed":
            return Followed(*_span(node, Sentence("关注日期")))
        case "active":
            return Active(*_span(node, Sentence("最近互动日期")))
        case "everybody":
            return Everybody()
        case "got":
            return Got(BroadcastId(_given(node, "got", Sentence("请选择群发任务"))))
    return Tagged(_given(node, "tag", Sentence("请填写标签")))


def _given(node: Node, name: str, otherwise: str) -> str:
    value = node.value(name)
    if not value:
        raise RuleIncomplete(otherwise)
    return value


def _span(node: Node, what: str) -> tuple[date | None, date | None]:
    try:
        since, until = (
            date.fromisoformat(node.value(name)) if node.value(name) else None
            for name in ("since", "until")
        )
    except ValueError as error:
        raise RuleIncomplete(Sentence("{what}应为日期，例如 2026-12-01", what=what)) from error
    if since is None and until is None:
        raise RuleIncomplete(Sentence("请填写{what}的开始或结束", what=what))
    return since, until


def _days(since: date | None, until: date | None) -> dict[str, str]:
    return {
        "since": since.isoformat() if since else "",
        "until": until.isoformat() if until else "",
    }


def fields_of(node: Node, path: str = ROOT) -> Iterator[tuple[str, str]]:
    """Yield the form's fields for a rule; `read_node` reads them back."""
    if node.op:
        yield f"{path}.op", node.op
        for number, part in enumerate(node.parts):
            yield from fields_of(part, f"{path}.{number}")
        return
    yield f"{path}.kind", node.kind
    if node.negated:
        yield f"{path}.not", "1"
    for name, value in (node.values or {}).items():
        yield f"{path}.{name}", value


def _is_path(path: str) -> bool:
    first, *steps = path.split(".")
    return (
        first == ROOT
        and len(steps) <= DEEPEST
        and all(step.isascii() and step.isdigit() and len(step) <= 2 for step in steps)
    )
