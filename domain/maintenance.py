"""A maintenance notice (停机维护公告): what citizens read while a department's system rests.

It begins and ends by itself; whoever asks in between gets its sentence at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.clock import in_beijing
from domain.errors import DepartmentError, InvalidInput
from domain.ids import AccountId
from domain.sentence import Sentence

LONGEST = 200  # characters of the sentence
LONGEST_TIME = timedelta(days=14)  # longer than that is no maintenance
State = Literal["planned", "on", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """One department's notice for the citizens of one account."""

    account: AccountId
    department: str  # its name in the settings
    starts_at: datetime
    ends_at: datetime
    sentence: str
    by: str  # who put it up
    made_at: datetime

    def state(self, now: datetime) -> State:
        """Return whether it is still to come, in force, or over; the end belongs to nobody."""
        if now < self.starts_at:
            return "planned"
        return "on" if now < self.ends_at else "over"

    def say(self) -> str:
        """Return what a citizen reads."""
        end = in_beijing(self.ends_at)
        return f"{self.sentence}\n预计 {end.month}月{end.day}日 {end:%H:%M} 恢复。"


class UnderMaintenance(DepartmentError):
    """The department is not asked: people have said that its system rests."""

    def __init__(self, department: str, say: str, *, hotline: str) -> None:
        super().__init__(department, "under maintenance", hotline=hotline)
        self.say = f"{say}急事请拨打 {hotline}。"


def check_notice(*, starts_at: datetime, ends_at: datetime, sentence: str, now: datetime) -> None:
    """Refuse a notice that nobody would understand; `InvalidInput` names the field."""
    if not sentence.strip():
        raise InvalidInput(Sentence("请写一句市民看得懂的话。"), field="sentence")
    if len(sentence) > LONGEST:
        raise InvalidInput(
            Sentence("最多 {longest} 个字，现有 {size} 个。", longest=LONGEST, size=len(sentence)),
            field="sentence",
        )
    if ends_at <= starts_at:
        raise InvalidInput(Sentence("结束时间要晚于开始时间。"), field="ends_at")
    if ends_at <= now:
        raise InvalidInput(Sentence("结束时间已经过去。"), field="ends_at")
    if ends_at - starts_at > LONGEST_TIME:
        raise InvalidInput(Sentence("一次维护最长 14 天。"), field="ends_at")
