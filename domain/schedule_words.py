"""Times in plain words (时间的说法): a moment, a recurring time, and the spellings a form knows.

A form offers five ways to repeat; `spelt` writes one as the text that a broadcast keeps, and
`read_spelling` reads it back. What was written by other means than the form is a `cron` there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.clock import in_beijing
from domain.sentence import Sentence, joined

Way = Literal["workdays", "weekly", "monthly", "tax", "cron"]
WEEKDAYS = (
    Sentence("周日"), Sentence("周一"), Sentence("周二"), Sentence("周三"), Sentence("周四"),
    Sentence("周五"), Sentence("周六"),
)  # fmt: skip
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_WORKDAYS = re.compile(r"@workdays (\d\d:\d\d)")
_TAX = re.compile(r"@tax ((?:D-\d{1,2})(?:,D-\d{1,2})*) (\d\d:\d\d)(?: (\S+))?")
_WEEKLY = re.compile(r"(\d{1,2}) (\d{1,2}) \* \* ([0-7](?:[-,][0-7])*)")
_MONTHLY = re.compile(r"(\d{1,2}) (\d{1,2}) (\d{1,2}) \* \*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """A recurring time as a form shows it; which parts count depends on `way`."""

    way: Way
    clock: str = "09:00"
    weekdays: tuple[int, ...] = ()  # 0 is Sunday
    day: int = 1  # of the month
    days_before: tuple[int, ...] = (5, 2, 0)
    tax: str = "monthly"
    cron: str = ""


def spelt(spelling: Spelling) -> str:
    """Return the text that a broadcast keeps; raises `ValueError` with a sentence."""
    if spelling.way == "cron":
        return " ".join(spelling.cron.split())
    match = _CLOCK.fullmatch(spelling.clock.strip())
    if match is None:
        raise ValueError(Sentence("请填写发送的钟点，例如 09:00"))
    hour, minute = int(match[1]), int(match[2])
    clock = f"{hour:02}:{minute:02}"
    match spelling.way:
        case "workdays":
            return f"@workdays {clock}"
        case "weekly":
            if not spelling.weekdays:
                raise ValueError(Sentence("请选择星期几发送"))
            return f"{minute} {hour} * * {','.join(map(str, sorted(set(spelling.weekdays))))}"
        case "monthly":
            if not 1 <= spelling.day <= 31:
                raise ValueError(Sentence("请填写每月几日，1 到 31"))
            return f"{minute} {hour} {spelling.day} * *"
        case "tax":
            if not spelling.days_before:
                raise ValueError(Sentence("请选择在期限前几天发送"))
            days = ",".join(f"D-{day}" for day in sorted(set(spelling.days_before), reverse=True))
            return f"@tax {days} {clock}" + (
                "" if spelling.tax == "monthly" else f" {spelling.tax}"
            )


def read_spelling(text: str) -> Spelling:
    """Return how a form shows a recurring time."""
    if match := _WORKDAYS.fullmatch(text):
        return Spelling(way="workdays", clock=match[1])
    if match := _TAX.fullmatch(text):
        days = tuple(int(day[2:]) for day in match[1].split(","))
        return Spelling(way="tax", clock=match[2], days_before=days, tax=match[3] or "monthly")
    if match := _WEEKLY.fullmatch(text):
        return Spelling(
            way="weekly", clock=_clock(match[2], match[1]), weekdays=_weekdays(match[3])
        )
    if match := _MONTHLY.fullmatch(text):
        return Spelling(way="monthly", clock=_clock(match[2], match[1]), day=int(match[3]))
    return Spelling(way="cron", cron=text)


def recurring_in_words(text: str, tax_titles: dict[str, str] | None = None) -> str:
    """Return what a recurring time is called; cron lines that no form makes are shown as such."""
    spelling = read_spelling(text)
    match spelling.way:
        case "workdays":
            return Sentence("每个工作日（含调休上班日）{clock}", clock=spelling.clock)
        case "weekly":
            if len(spelling.weekdays) == len(WEEKDAYS):
                return Sentence("每天 {clock}", clock=spelling.clock)
            return Sentence(
                "每{weekdays} {clock}",
                weekdays=joined(WEEKDAYS[day] for day in spelling.weekdays),
                clock=spelling.clock,
            )
        case "monthly":
            return Sentence("每月 {day} 日 {clock}", day=spelling.day, clock=spelling.clock)
        case "tax":
            title = (tax_titles or {}).get(spelling.tax, spelling.tax)
            days = joined(
                Sentence("前 {day} 天", day=day) if day else Sentence("当天")
                for day in sorted(spelling.days_before)[::-1]
            )
            return Sentence(
                "“{title}”期限{days} {clock}", title=title, days=days, clock=spelling.clock
            )
        case "cron":
            return Sentence("按周期 {cron}", cron=spelling.cron)


def moment_in_words(moment: datetime, now: datetime) -> str:
    """Return a moment as people in China read it: 12月1日（周二）09:00; another year is named."""
    local = in_beijing(moment)
    year = "" if local.year == in_beijing(now).year else Sentence("{year}年", year=local.year)
    return Sentence(
        "{year}{moment.month}月{moment.day}日（{weekday}）{moment:%H:%M}",
        year=year,
        moment=local,
        weekday=WEEKDAYS[local.isoweekday() % 7],
    )


def duration_in_words(minutes: int) -> str:
    """Return a length of time: 90 分钟, 2 小时, 3 天."""
    if minutes % 1440 == 0:
        return Sentence("{days} 天", days=minutes // 1440)
    return (
        Sentence("{hours} 小时", hours=minutes // 60)
        if minutes % 60 == 0
        else Sentence("{minutes} 分钟", minutes=minutes)
    )


def _clock(hour: str, minute: str) -> str:
    return f"{int(hour):02}:{int(minute):02}"


def _weekdays(text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        ends: Sequence[str] = part.split("-")
        found.update(day % 7 for day in range(int(ends[0]), int(ends[-1]) + 1))
    return tuple(sorted(found))
