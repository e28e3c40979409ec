"""The form of a broadcast (新建群发): its fields become an order, an order becomes its fields.

Reading never fails: it gives the best order there is and a sentence for each field that could not
even be kept. What is wrong with the order itself the checks of `push` say (`push.orders`); here
their faults only find the field they belong beside, and lose the words of the API.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import cast

from domain.audience import AllOf, Got, Not, Rule, normalised
from domain.broadcast import LATE_BY, Audience, Broadcast, Priority
from domain.clock import BEIJING, in_beijing
from domain.ids import AccountId, BroadcastId, RegionCode, TopicId
from domain.schedule_words import Spelling, Way, read_spelling, spelt
from domain.sentence import Sentence, joined
from push.composing import LONGEST_URL
from push.orders import BroadcastOrder, Fault
from web.admin.compose_rule import Raw, RuleIncomplete, fields_of, node_of, read_node, rule_of

LONGEST_TITLE, LONGEST_VALUE, LONGEST_TAG = 100, 500, 32
MOST_CHOSEN = 100  # topics, regions, tags, broadcasts
MOST_LATE = 10_080  # minutes, a week
WAYS: tuple[Way, ...] = ("workdays", "weekly", "monthly", "tax", "cron")
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_FIRST, _LAST = datetime(2011, 1, 1, tzinfo=BEIJING), datetime(2200, 1, 1, tzinfo=BEIJING)


def cleaned(arguments: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return a form without blanks around its values."""
    return {name: [value.strip() for value in values] for name, values in arguments.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a form says. `errors` are sentences by field; with any, nothing can be kept."""

    order: BroadcastOrder
    errors: Mapping[str, str] = field(default_factory=dict)


class _Reader:
    """Reads fields and collects what is wrong with them."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.errors: dict[str, str] = {}

    def one(self, name: str, longest: int = LONGEST_VALUE) -> str:
        values = self.raw.get(name) or [""]
        value = values[-1]
        if len(value) > longest:
            self.errors[name] = Sentence(
                "最多 {longest} 个字，现有 {size} 个。", longest=longest, size=len(value)
            )
            return value[:longest]
        return value

    def many(self, name: str, longest: int = 64) -> tuple[str, ...]:
        values = tuple(dict.fromkeys(value for value in self.raw.get(name, ()) if value))
        if len(values) > MOST_CHOSEN or any(len(value) > longest for value in values):
            self.errors[name] = Sentence(
                "最多 {most_chosen} 项，每项最多 {longest} 个字。",
                most_chosen=MOST_CHOSEN,
                longest=longest,
            )
            return ()
        return values

    def moment(self, name: str) -> datetime | None:
        text = self.one(name, 40)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)
            if _FIRST <= moment < _LAST:
                return moment
        except (ValueError, OverflowError):
            pass  # said below, together with years that cannot be meant
        self.errors[name] = Sentence("请填写日期和时间，例如 2026-12-01 09:00。")
        return None

    def number(self, name: str, lowest: int, highest: int, otherwise: int) -> int:
        text = self.one(name, 10)
        if not text:
            return otherwise
        if text.isascii() and text.isdigit() and lowest <= int(text) <= highest:
            return int(text)
        self.errors[name] = Sentence(
            "请填写 {lowest} 到 {highest} 的整数。", lowest=lowest, highest=highest
        )
        return otherwise

    def hour(self, name: str) -> time | None:
        text = self.one(name, 10)
        try:
            return time.fromisoformat(text).replace(tzinfo=None) if text else None
        except ValueError:
            self.errors[name] = Sentence("请填写钟点，例如 09:00。")
            return None


def read_order(
    raw: Raw, account: AccountId, names: Iterable[str], kept: Broadcast | None = None
) -> Reading:
    """Read a form: `names` are the data the chosen template wants, `kept` what is being edited."""
    form = _Reader(raw)
    at, cron = _schedule(form)
    window = form.hour("window_from"), form.hour("window_to")
    if (window[0] is None) != (window[1] is None) and "window_from" not in form.errors:
        form.errors["window_to"] = Sentence("发送时段要填写开始和结束，或都不填。")
    priority = "urgent" if form.one("priority") == "urgent" else "normal"
    key = form.one("key", 80)
    order = BroadcastOrder(
        account=account,
        title=form.one("title", LONGEST_TITLE),
        topic=TopicId(form.one("topic", 64)),
        audience=_audience(form, kept),
        template=form.one("template", 64),
        data={name: form.one(f"data.{name}") for name in names if form.one(f"data.{name}")},
        url=form.one("url", LONGEST_URL) or None,
        at=at,
        cron=cron,
        expires_at=form.moment("expires_at"),
        priority=cast("Priority", priority),
        ignore_quiet_hours=form.one("ignore_quiet_hours") == "1",
        window=(window[0], window[1]) if window[0] is not None and window[1] is not None else None,
        late_by=timedelta(
            minutes=form.number("late_by", 1, MOST_LATE, int(LATE_BY.total_seconds()) // 60)
        ),
        channel="mass" if form.one("channel") == "mass" else None,
        idempotency_key=f"console:{key}" if _KEY.fullmatch(key) else None,
    )
    return Reading(order=order, errors=form.errors)


def _schedule(form: _Reader) -> tuple[datetime | None, str | None]:
    when = form.one("when", 20) or "now"
    if when == "once":
        at = form.moment("at")
        if at is None:
            form.errors.setdefault("at", Sentence("请填写发送时间。"))
        return at, None
    if when != "repeat":
        return None, None
    way = form.one("way", 20)
    try:
        text = spelt(
            Spelling(
                way=way if way in WAYS else "workdays",
                clock=form.one("clock", 10),
                weekdays=_numbers(form.many("weekdays"), 0, 6),
                day=form.number("monthday", 1, 31, 1),
                days_before=_numbers(form.many("days_before"), 0, 30),
                tax=form.one("tax", 40) or "monthly",
                cron=form.one("cron", 100),
            )
        )
    except ValueError as error:
        form.errors["way"] = Sentence("{error}。", error=error)
        text = ""
    return form.moment("begins"), text or None


def _numbers(values: Iterable[str], lowest: int, highest: int) -> tuple[int, ...]:
    found = (int(value) for value in values if value.isascii() and value.isdigit())
    return tuple(number for number in found if lowest <= number <= highest)


def _audience(form: _Reader, kept: Broadcast | None) -> Audience:
    who = form.one("who", 20) or "topic"
    topics: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    if who == "topic":
        topic = form.one("topic", 64)
        topics = (topic,) if topic else ()
    elif who == "choose":
        topics = form.many("topics")
        tags = _tags(form)
    openids = kept.audience.openids if kept is not None and form.one("keep_openids") else ()
    regions = form.many("regions", 12)
    parts: list[Rule] = [Not(Got(BroadcastId(each))) for each in form.many("not_got")]
    try:
        rule = rule_of(read_node(form.raw))
        parts += [rule] if rule is not None else []
    except RuleIncomplete as error:
        form.errors["rule"] = Sentence("更细的条件：{error}。", error=error)
    whole = (None, *parts)[-1] if len(parts) < 2 else AllOf(tuple(parts))
    narrowed = bool(regions or openids or whole is not None)
    return Audience(
        topics=tuple(map(TopicId, topics)),
        regions=tuple(map(RegionCode, regions)),
        tags=tags,
        openids=openids,
        all=who == "all" and not narrowed,
        rule=whole,
    )


def _tags(form: _Reader) -> tuple[str, ...]:
    text = form.one("tags", 2_000)
    tags = tuple(dict.fromkeys(re.findall(r"[^\s,，、;；]+", text)))
    if len(tags) > MOST_CHOSEN or any(len(tag) > LONGEST_TAG for tag in tags):
        form.errors["tags"] = Sentence(
            "最多 {most_chosen} 个标签，每个最多 {longest_tag} 个字。",
            most_chosen=MOST_CHOSEN,
            longest_tag=LONGEST_TAG,
        )
        return ()
    return tags


# --- back again -------------------------------------------------------------------------------


def fields_for(broadcast: Broadcast) -> dict[str, list[str]]:
    """Return the fields of the form that edits a broadcast."""
    found: dict[str, list[str]] = {
        "title": [broadcast.title],
        "topic": [broadcast.topic],
        "template": [broadcast.template],
        "url": [broadcast.url or ""],
        "revision": [str(broadcast.revision)],
        "expires_at": [_local(broadcast.expires_at)],
        "priority": [broadcast.priority],
        "ignore_quiet_hours": ["1" if broadcast.ignore_quiet_hours else ""],
        "late_by": [str(int(broadcast.late_by.total_seconds()) // 60)],
        "channel": [broadcast.channel or ""],
        "window_from": [f"{broadcast.window[0]:%H:%M}" if broadcast.window else ""],
        "window_to": [f"{broadcast.window[1]:%H:%M}" if broadcast.window else ""],
    }
    found |= {f"data.{name}": [value] for name, value in broadcast.data.items()}
    return found | _audience_fields(broadcast) | _schedule_fields(broadcast)


def _audience_fields(broadcast: Broadcast) -> dict[str, list[str]]:
    audience = broadcast.audience
    not_got, rule = _without_exclusions(audience.rule)
    if audience.topics == (broadcast.topic,) and not audience.tags:
        who = "topic"
    elif audience.topics or audience.tags or audience.is_empty:
        who = "choose" if not audience.is_empty else "topic"
    else:
        who = "all"
    found: dict[str, list[str]] = {
        "who": [who],
        "topics": list(audience.topics),
        "tags": [joined(audience.tags)],
        "regions": list(audience.regions),
        "not_got": not_got,
        "keep_openids": ["1" if audience.openids else ""],
    }
    return found | {name: [value] for name, value in fields_of(node_of(rule))}


def _without_exclusions(rule: Rule | None) -> tuple[list[str], Rule | None]:
    """Part a rule into the broadcasts that nobody of it got, and the rest."""
    if rule is None:
        return [], None
    plain = normalised(rule)
    parts = plain.rules if isinstance(plain, AllOf) else (plain,)
    left: list[Rule] = []
    not_got: list[str] = []
    for part in parts:
        if isinstance(part, Not) and isinstance(part.rule, Got):
            not_got.append(part.rule.broadcast)
        else:
            left.append(part)
    if len(left) < 2:
        return not_got, left[0] if left else None
    return not_got, AllOf(tuple(left))


def _schedule_fields(broadcast: Broadcast) -> dict[str, list[str]]:
    if broadcast.cron is None:
        when = "once" if broadcast.at is not None else "now"
        return {"when": [when], "at": [_local(broadcast.at)]}
    spelling = read_spelling(broadcast.cron)
    return {
        "when": ["repeat"],
        "begins": [_local(broadcast.at)],
        "way": [spelling.way],
        "clock": [spelling.clock],
        "weekdays": [str(day) for day in spelling.weekdays],
        "monthday": [str(spelling.day)],
        "days_before": [str(day) for day in spelling.days_before],
        "tax": [spelling.tax],
        "cron": [spelling.cron],
    }


def _local(moment: datetime | None) -> str:
    return f"{in_beijing(moment):%Y-%m-%dT%H:%M}" if moment is not None else ""


# --- what the checks say ----------------------------------------------------------------------

_SAY: Mapping[str, str] = {
    "empty_audience": Sentence("请选择发送对象。"),
    "unknown_topic": Sentence("请选择主题。"),
    "unknown_template": Sentence("请选择模板；这个模板本账号没有，或这个主题用不了。"),
    "missing_field": Sentence("请填写这一项。"),
    "invalid_cron": Sentence("周期写法无效：请按“分 时 日 月 周”写五段，例如 0 9 * * 1-5。"),
    "invalid_window": Sentence("发送时段的开始和结束不能相同。"),
    "invalid_url": Sentence(
        "应为 http 或 https 开头的网址，不超过 {longest_url} 个字符。", longest_url=LONGEST_URL
    ),
    "expired": Sentence("失效时间应晚于现在，也晚于发送时间。"),
}
_FIELDS: Mapping[str, str] = {
    "audience": "who",
    "audience.all": "who",
    "cron": "way",
    "window": "window_to",
    "data": "template",
}


def sentences(faults: Iterable[Fault]) -> dict[str, str]:
    """Return the checks' faults as sentences by field of the form, the first for each."""
    found: dict[str, str] = {}
    for fault in faults:
        found.setdefault(_field_of(fault.field), _sentence(fault))
    return found


def _field_of(name: str) -> str:
    if name.startswith("audience.rule"):
        return "rule"
    if name.startswith("audience."):
        return _FIELDS.get(name, name.split(".")[1])
    return _FIELDS.get(name, name)


def _sentence(fault: Fault) -> str:
    if fault.field == "title":
        return Sentence("请填写任务标题。")
    if fault.field.startswith("audience.rule"):
        return Sentence("更细的条件里有一条不完整或已失效，请检查。")
    if fault.code in _SAY and not fault.field.startswith("audience.regions"):
        return _SAY[fault.code]
    message = fault.message
    if isinstance(message, Sentence) and isinstance(problem := message.values.get("problem"), str):
        message = problem  # without the name, which stands beside it
    return message if message.endswith("。") else Sentence("{message}。", message=message)
