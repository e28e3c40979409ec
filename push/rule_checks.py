"""What can be wrong with a rule (受众规则), each with its place in the request.

The API has checked the shape; here is what only the domain and the catalogue know. All problems
are found at once.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import date

from config.catalogue import Catalogue
from domain.audience import (
    MOST_DEEP,
    MOST_NODES,
    Active,
    AllOf,
    AnyOf,
    Bound,
    Followed,
    Got,
    InRegion,
    OnTopic,
    Rule,
    Tagged,
    walk,
)
from domain.broadcast import Broadcast
from domain.ids import AccountId, BroadcastId, TopicId
from domain.sentence import Sentence, joined

Problem = tuple[str, str, str]  # field, code, message

EARLIEST, LATEST = date(2011, 1, 1), date(2100, 1, 1)
_TAG = re.compile(r"[^\s\0]{1,32}")
_BROADCAST = re.compile(r"[A-Za-z0-9_]{1,64}")


def check_rule(rule: Rule, catalogue: Catalogue, where: str = "audience.rule") -> list[Problem]:
    """Return everything that is wrong with a rule."""
    nodes = list(walk(rule, where))
    if max(depth for _, depth, _ in nodes) > MOST_DEEP:
        return [
            (
                where,
                "too_deep",
                Sentence(
                    "{where} 嵌套超过 {most_deep} 层，请改写得平一些",
                    where=where,
                    most_deep=MOST_DEEP,
                ),
            )
        ]
    if len(nodes) > MOST_NODES:
        return [
            (
                where,
                "too_large",
                Sentence(
                    "{where} 的条件超过 {most_nodes} 个，请拆成几个群发任务",
                    where=where,
                    most_nodes=MOST_NODES,
                ),
            )
        ]
    return [problem for path, _, node in nodes for problem in _check_node(node, path, catalogue)]


async def unknown_broadcasts(
    rule: Rule,
    account: AccountId,
    find: Callable[[BroadcastId], Awaitable[Broadcast | None]],
    where: str = "audience.rule",
) -> list[Problem]:
    """Return a problem for every broadcast a rule asks about that the account does not have."""
    problems: list[Problem] = []
    for path, _, node in walk(rule, where):
        if isinstance(node, Got):
            found = await find(node.broadcast)
            if found is None or found.account != account:
                message = Sentence(
                    "{path}.got：没有群发任务 {broadcast}", path=path, broadcast=node.broadcast
                )
                problems.append((f"{path}.got", "unknown_broadcast", message))
    return problems


def is_region(code: str) -> bool:
    """Whether this could be the code of a region."""
    return code.isascii() and code.isdigit() and len(code) in (6, 9, 12) and code[0] != "0"


def _check_node(node: Rule, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    match node:
        case AllOf(()) | AnyOf(()):
            yield path, "empty_rule", Sentence("{path} 没有任何条件", path=path)
        case OnTopic(topic, region):
            yield from _check_topic(topic, path, catalogue)
            yield from _check_region(region, path) if region is not None else ()
        case InRegion(region):
            yield from _check_region(region, path)
        case Tagged(tag) if not _TAG.fullmatch(tag):
            yield (
                f"{path}.tag",
                "invalid_tag",
                Sentence("{path}.tag 应为 1 到 32 个字符，不含空白", path=path),
            )
        case Bound(named=named) if named is not None:
            yield (
                f"{path}.subject.value",
                "invalid_subject",
                Sentence("{path}.subject 无效：车牌号码、号牌种类或身份证号码不正确", path=path),
            )
        case Active(since, until):
            yield from _check_span(since, until, f"{path}.active")
        case Followed(since, until):
            yield from _check_span(since, until, f"{path}.followed")
        case Got(broadcast) if not _BROADCAST.fullmatch(broadcast):
            yield (
                f"{path}.got",
                "unknown_broadcast",
                Sentence("{path}.got 不是群发任务编号", path=path),
            )


def _check_topic(topic: TopicId, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    if topic not in catalogue.topics:
        known = joined(sorted(catalogue.topics))
        message = Sentence(
            "{path}.topic 中的主题 {topic} 不在主题目录中，已有：{known}",
            path=path,
            topic=topic,
            known=known,
        )
        yield f"{path}.topic", "unknown_topic", message


def _check_region(region: str, path: str) -> Iterator[Problem]:
    if not is_region(region):
        message = Sentence(
            "{path}.region 中的 {region} 不是行政区划代码（6、9 或 12 位数字）",
            path=path,
            region=region,
        )
        yield f"{path}.region", "unknown_region", message


def _check_span(since: date | None, until: date | None, path: str) -> Iterator[Problem]:
    if since is None and until is None:
        yield path, "empty_span", Sentence("{path} 至少要有 since 或 until", path=path)
    elif since is not None and until is not None and since >= until:
        yield (
            f"{path}.until",
            "empty_span",
            Sentence("{path} 的 until 必须晚于 since（不含 until 当天）", path=path),
        )
    for name, day in (("since", since), ("until", until)):
        if day is not None and not EARLIEST <= day < LATEST:
            yield (
                f"{path}.{name}",
                "invalid_day",
                Sentence("{path}.{name} 应在 2011 年到 2099 年之间", path=path, name=name),
            )
