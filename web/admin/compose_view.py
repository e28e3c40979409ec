"""What the page of a broadcast shows (新建群发): fields, choices, the phone, the times in words.

Everything here is made from the form as it stands, whether or not it is finished, and asks no
database: what costs (numbers, quotas) is loaded by its own address.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice

from config.catalogue import Catalogue
from config.settings import AccountSettings
from config.tax_calendar import national_tax_calendar
from domain.broadcast import LATE_BY
from domain.clock import in_beijing
from domain.masking import mask_openid
from domain.personal import PLACEHOLDERS, filled, placeholders_in, unknown_in, widest
from domain.recurrence import Recurrence, first_time
from domain.schedule_words import (
    WEEKDAYS,
    duration_in_words,
    moment_in_words,
    recurring_in_words,
)
from domain.sentence import Sentence
from push.field_types import FieldKind, as_written, kind_of, problem_with
from push.orders import BroadcastOrder
from push.recurrences import recurrence
from web.admin.compose_words import DATA, TEMPLATES

NEXT = 5  # dates of a recurring broadcast that are shown
Choice = tuple[str, str]
Say = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """One field of the template: what it takes, what stands in it, what is wrong with that."""

    number: int
    key: str
    name: str
    label: str
    kind: FieldKind
    value: str
    problem: str  # "" while nothing was typed
    note: str  # how much of the limit is used, or that braces are no placeholder

    @property
    def field(self) -> str:
        """The name of its input."""
        return f"data.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the card on the phone."""

    label: str
    text: str  # "" when it is not filled in


def template_choices(account: AccountSettings, say: Say) -> list[Choice]:
    """Return the account's templates by the names people know them by."""
    names = dict.fromkeys([*account.templates, *account.subscription_templates])
    return [(name, template_title(name, say)) for name in names]


def template_title(name: str, say: Say) -> str:
    """Return what a template is called."""
    return say(TEMPLATES[name]) if name in TEMPLATES else name


def mapped_fields(account: AccountSettings, template: str) -> Mapping[str, str]:
    """Return a template's fields, WeChat key → our data name; none for no template of ours."""
    own = account.templates.get(template) or account.subscription_templates.get(template)
    return own.fields if own is not None else {}


def data_names(account: AccountSettings, template: str) -> list[str]:
    """Return every name of data that a template's channels want, each once."""
    both = (account.templates.get(template), account.subscription_templates.get(template))
    return list(dict.fromkeys(name for one in both if one for name in one.fields.values()))


def blanks(
    account: AccountSettings,
    order: BroadcastOrder,
    say: Say,
    labels: Mapping[str, str] | None = None,
) -> list[Blank]:
    """Return the template's fields as they stand, each checked by the engine's own rules.

    `labels` are what the platform's template calls its keys, as far as it was looked at.
    """
    keys: dict[str, str] = {}
    for one in (account.templates, account.subscription_templates):
        settings = one.get(order.template)
        for key, name in settings.fields.items() if settings else ():
            keys.setdefault(name, key)
    found: list[Blank] = []
    for number, (name, key) in enumerate(keys.items()):
        value = order.data.get(name, "")
        kind = kind_of(key)
        text = widest(as_written(key, value))
        found.append(
            Blank(
                number=number,
                key=key,
                name=name,
                label=(labels or {}).get(key) or (say(DATA[name]) if name in DATA else name),
                kind=kind,
                value=value,
                problem=(problem_with(key, text) or "") if value else "",
                note=_note(value, len(text), kind),
            )
        )
    return found


def _note(value: str, length: int, kind: FieldKind) -> str:
    unknown = unknown_in(value)
    if unknown:
        return Sentence("{{{unknown}}} 不是占位符，会照原样发出。", unknown=unknown[0])
    if not value or not kind.longest:
        return ""
    if placeholders_in(value):
        return Sentence("最长 {length}/{longest} 字", length=length, longest=kind.longest)
    return Sentence("{length}/{longest} 字", length=length, longest=kind.longest)


def rows(found: Sequence[Blank], values: Mapping[str, str]) -> list[Row]:
    """Return the card as a reader with these values sees it."""
    return [
        Row(label=each.label, text=filled(as_written(each.key, each.value), values))
        for each in found
    ]


def topic_choices(catalogue: Catalogue) -> list[Choice]:
    """Return the topics there are."""
    return [(topic.id, topic.title) for topic in catalogue.topics.values()]


def region_choices(catalogue: Catalogue, chosen: Sequence[str] = ()) -> list[Choice]:
    """Return the regions by name; a code that was chosen and has no name stands as it is."""
    known = [(str(region.code), region.name) for region in catalogue.regions.values()]
    codes = {code for code, _ in known}
    return [*known, *((code, code) for code in chosen if code not in codes)]


def test_people(account: AccountSettings) -> list[Choice]:
    """Return who may get a test, by number: openids do not stand in pages."""
    return [
        (
            str(number),
            Sentence(
                "测试人员 {number}（{mask_openid}）",
                number=number + 1,
                mask_openid=mask_openid(openid),
            ),
        )
        for number, openid in enumerate(account.test_openids)
    ]


def tax_choices(now: datetime) -> list[Choice]:
    """Return the deadlines of the tax calendar that a broadcast can be tied to."""
    titles = tax_titles(now)
    return sorted(titles.items(), key=lambda item: item[0] != "monthly")


def tax_titles(now: datetime) -> dict[str, str]:
    """Return what the deadlines are called, by their names."""
    today = in_beijing(now).date()
    calendar = national_tax_calendar()
    found = calendar.deadlines(today, today + timedelta(days=400))
    titles = {each.key.partition(":")[0]: each.title for each in found}
    return {name: titles.get(name, name) for name in sorted(calendar.names)}


def weekday_choices() -> list[Choice]:
    """Return the days of the week, Monday first."""
    return [(str(day), WEEKDAYS[day]) for day in (1, 2, 3, 4, 5, 6, 0)]


def placeholder_choices() -> Sequence[object]:
    """Return the placeholders there are."""
    return PLACEHOLDERS


# --- the schedule in words --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When it goes out: sentences, and the next dates of a recurring one."""

    sentences: tuple[str, ...]
    dates: tuple[str, ...] = ()
    is_past: bool = False


def times_of(
    order: BroadcastOrder, when: str, now: datetime, quiet: tuple[time, time] | None
) -> Times:
    """Say when an order goes out, once it is approved and published."""
    said: list[str] = []
    dates: tuple[str, ...] = ()
    is_past = False
    if when == "repeat":
        if order.cron is None:
            return Times(sentences=(Sentence("还没有选好周期。"),))
        try:
            found = recurrence(order.cron)
            dates = tuple(_next(found, order, now))
        except ValueError:
            return Times(sentences=(Sentence("这个周期写法无效，没有可以发送的日期。"),))
        said.append(
            Sentence(
                "审核并发布后，{recurring_in_words} 发送。",
                recurring_in_words=recurring_in_words(order.cron, tax_titles(now)),
            )
        )
        if not dates:
            said.append(Sentence("在失效时间之前没有可以发送的日期。"))
    elif when == "once" and order.at is not None:
        is_past = order.at <= now
        if is_past:
            said.append(Sentence("这个时间已经过去，请改为以后的时间。"))
        else:
            said.append(
                Sentence(
                    "审核并发布后，于 {moment_in_words} 发送。",
                    moment_in_words=moment_in_words(order.at, now),
                )
            )
    else:
        said.append(Sentence("审核并发布后立即发送。"))
    return Times(
        sentences=(*said, *_conditions(order, when, now, quiet)), dates=dates, is_past=is_past
    )


def _next(found: Recurrence, order: BroadcastOrder, now: datetime) -> Iterator[str]:
    begins = order.at is not None and order.at > now

    def times() -> Iterator[datetime]:
        moment = first_time(found, order.at) if begins and order.at else found.next_after(now)
        while order.expires_at is None or moment < order.expires_at:
            yield moment
            moment = found.next_after(moment)

    for moment in islice(times(), NEXT):
        words = moment_in_words(moment, now)
        if found.is_provisional(moment):
            words = Sentence("{moment}（暂定，放假安排公布后可能调整）", moment=words)
        yield words


def _conditions(
    order: BroadcastOrder, when: str, now: datetime, quiet: tuple[time, time] | None
) -> Iterator[str]:
    if order.window is not None:
        start, end = order.window
        yield Sentence(
            "只在每天 {start:%H:%M} 到 {end:%H:%M} 之间发送，没发完的等到下一次开始。",
            start=start,
            end=end,
        )
    if order.priority == "urgent":
        yield Sentence("紧急任务先发，免打扰时段也发。")
    elif order.ignore_quiet_hours:
        yield Sentence("免打扰时段也发送。")
    elif quiet is not None:
        yield Sentence(
            "免打扰时段 {begins:%H:%M}–{ends:%H:%M} 内不发送，之后继续。",
            begins=quiet[0],
            ends=quiet[1],
        )
    if when != "now":
        late = duration_in_words(int(order.late_by.total_seconds()) // 60)
        usual = "" if order.late_by == LATE_BY else Sentence("（您设定的）")
        yield Sentence(
            "晚于计划 {late}{usual}仍不能开始的，就不再发送，并提醒管理员。", late=late, usual=usual
        )
    if order.expires_at is not None:
        yield Sentence(
            "到 {moment_in_words} 还没有收到的人，不再发送。",
            moment_in_words=moment_in_words(order.expires_at, now),
        )
