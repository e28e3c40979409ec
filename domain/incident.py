"""Something an operator has to know about (值班提醒): one record of each event, until it is over.

A condition is what a look finds: it has a name, `what`, that is the same at every look and in
every process. An incident is its record: made when the condition is first seen, over when it has
not been seen for a while. Titles of broadcasts and names of departments, never of persons.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.ids import AccountId
from domain.sentence import Sentence

IncidentKind = Literal[
    "broadcast.failed", "broadcast.paused", "notices.paused", "department.down", "quota.high",
    "batches.dead", "feed.silent",
]  # fmt: skip
KINDS: dict[IncidentKind, str] = {
    "broadcast.failed": Sentence("群发任务失败"),
    "broadcast.paused": Sentence("群发任务自动暂停"),
    "notices.paused": Sentence("个人通知自动暂停，处理好原因后请系统管理员恢复"),
    "department.down": Sentence("委办局接口不通"),
    "quota.high": Sentence("今日发送配额将用完"),
    "batches.dead": Sentence("有批次多次失败被搁置"),
    "feed.silent": Sentence("委办局消息源没有更新"),
}
GONE_AFTER = timedelta(minutes=2)  # not seen for so long, it is over: a flicker is no end


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What is wrong at this moment; `account` None concerns all of them."""

    kind: IncidentKind
    what: str
    subject: str
    detail: str = ""
    account: AccountId | None = None
    link: str = ""  # behind /admin/a/{account}/


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The record of it. `over_at` None: it goes on."""

    id: str
    condition: Condition
    noticed_at: datetime
    over_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    told_at: datetime | None = None  # through the webhook
    tries: int = 0

    @property
    def is_unread(self) -> bool:
        """Nobody has said yet that they know."""
        return self.acknowledged_at is None
