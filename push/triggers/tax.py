"""Tax reminders (纳税提醒, domain.md 3.4): five days before, two days before, and on the last day.

The calendar is ours (`config.tax_calendar`): nobody is asked. Reminders of the next hours are
scheduled ahead for 09:00 sharp; one that was missed (the service was down) goes out later the
same day. Deadlines of one day are one reminder. The day stands in the event's name: when the
annual notice moves a provisional date, the new date is another event, and the old one that still
waits is outdated by at most an hour's look ahead.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Protocol

from domain.broadcast import Audience
from domain.clock import BEIJING, in_beijing
from domain.ids import TopicId
from domain.tax_calendar import TaxDeadline, reminder_day
from push.orders import BroadcastOrder
from push.triggers.ports import Cursor, Outcome, Visit
from push.triggers.wording import THING, fit

NAME = "tax"
TOPIC = TopicId("tax.calendar")
TEMPLATE = "reminder_notice"
DAYS_BEFORE = (5, 2, 0)
AT = time(9)
AHEAD = timedelta(hours=1)
UNTIL = time(20)  # a reminder that could not go out by then is none any more
_NOTES = {5: "还有5天，请提前准备", 2: "还有2天，请尽快申报", 0: "今天截止，请及时申报"}
_PROVISIONAL = "推算日期，以税务通知为准"


class Deadlines(Protocol):
    """The tax calendar."""

    def deadlines(self, first: date, last: date) -> list[TaxDeadline]: ...


class TaxTrigger:
    """Reminders for those who follow tax.calendar."""

    name = NAME
    every = timedelta(minutes=5)

    def __init__(self, calendar: Deadlines) -> None:
        self._calendar = calendar

    async def run(self, visit: Visit) -> Outcome:
        """Say what is due within the next hour, or was due today."""
        today = in_beijing(visit.now).date()
        last = today + timedelta(days=max(DAYS_BEFORE) + 1)
        by_day: dict[date, list[TaxDeadline]] = {}
        for deadline in self._calendar.deadlines(today, last):
            by_day.setdefault(deadline.day, []).append(deadline)
        seen = 0
        for day, deadlines in by_day.items():
            for before in DAYS_BEFORE:
                if _is_due(reminder_day(day, before), visit.now):
                    seen += 1
                    await visit.emit.broadcast(
                        _order(visit, day, before, deadlines),
                        event=day.isoformat(),
                        revision=1,
                        phase=f"D-{before}",
                    )
        return Outcome(cursor=Cursor(), seen=seen)


def _is_due(day: date, now: datetime) -> bool:
    start = datetime.combine(day, AT, BEIJING)
    return start - AHEAD <= now < datetime.combine(day, UNTIL, BEIJING)


def _order(
    visit: Visit, day: date, before: int, deadlines: Sequence[TaxDeadline]
) -> BroadcastOrder:
    on = reminder_day(day, before)
    titles = [deadline.title for deadline in deadlines]
    note = _NOTES[before]
    if any(deadline.provisional for deadline in deadlines):
        note = _PROVISIONAL
    return BroadcastOrder(
        account=visit.account,
        title=fit(f"纳税提醒：{'、'.join(titles)}", 100),
        topic=TOPIC,
        audience=Audience(topics=(TOPIC,)),
        template=TEMPLATE,
        data={
            "matter": _matter(titles),
            "due": f"{day.year}年{day.month}月{day.day}日",
            "note": fit(note),
        },
        at=datetime.combine(on, AT, BEIJING),
        late_by=timedelta(hours=UNTIL.hour - AT.hour),
        expires_at=datetime.combine(on, UNTIL, BEIJING),
    )


def _matter(titles: Sequence[str]) -> str:
    whole = "、".join(titles)
    if len(whole) <= THING:
        return whole
    rest = f"等{len(titles)}项"
    return fit(titles[0], THING - len(rest)) + rest
