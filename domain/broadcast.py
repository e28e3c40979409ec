"""A broadcast (群发任务): one message for many, and the states it may pass through."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Literal

from domain.audience import Rule
from domain.errors import StateError
from domain.ids import AccountId, BroadcastId, OpenId, RegionCode, TopicId
from domain.sentence import Sentence

BroadcastState = Literal[
    "draft",
    "in_review",
    "rejected",
    "scheduled",
    "sending",
    "paused",
    "finished",
    "cancelled",
    "failed",
]
Priority = Literal["normal", "urgent"]
Kind = Literal["broadcast", "notice", "digest"]
# what goes first: urgent broadcasts, then what concerns one person, then everything else
Rank = Literal["urgent", "personal", "bulk"]
RANKS: tuple[Rank, ...] = ("urgent", "personal", "bulk")

LATE_BY = timedelta(hours=1)  # how late a broadcast may begin, unless it says otherwise

TRANSITIONS: Mapping[BroadcastState, frozenset[BroadcastState]] = {
    "draft": frozenset({"in_review", "cancelled"}),
    "in_review": frozenset({"draft", "scheduled", "rejected", "cancelled"}),
    "rejected": frozenset({"draft", "in_review", "cancelled"}),
    "scheduled": frozenset({"sending", "paused", "cancelled", "failed"}),
    "sending": frozenset({"finished", "paused", "cancelled", "failed"}),
    "paused": frozenset({"scheduled", "sending", "cancelled", "failed"}),
    "finished": frozenset(),
    "cancelled": frozenset(),
    "failed": frozenset(),
}


STATE_WORDS: Mapping[BroadcastState, str] = {  # as people read them
    "draft": Sentence("草稿"),
    "in_review": Sentence("待审核"),
    "rejected": Sentence("已退回"),
    "scheduled": Sentence("待发送"),
    "sending": Sentence("发送中"),
    "paused": Sentence("已暂停"),
    "finished": Sentence("已完成"),
    "cancelled": Sentence("已取消"),
    "failed": Sentence("失败"),
}

ORDERED = (  # what an order says, and an edit replaces; the rest is what became of it
    "title", "topic", "audience", "template", "data", "url", "at", "cron", "expires_at",
    "priority", "ignore_quiet_hours", "window", "late_by", "channel",
)  # fmt: skip
EDITABLE: tuple[BroadcastState, ...] = ("draft", "in_review", "rejected")  # before approval


def check_transition(now: BroadcastState, then: BroadcastState) -> None:
    """Raise `StateError` unless a broadcast may go from one state to the other."""
    if then not in TRANSITIONS[now]:
        raise StateError(
            Sentence(
                "群发任务{state}，不能变为{to}。",
                state=STATE_WORDS[now],
                to=STATE_WORDS[then],
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who is meant: kinds of condition are joined by AND, values of one kind by OR."""

    topics: tuple[TopicId, ...] = ()
    regions: tuple[RegionCode, ...] = ()  # a region means all below it
    tags: tuple[str, ...] = ()
    openids: tuple[OpenId, ...] = ()
    all: bool = False
    rule: Rule | None = None  # joined to the other kinds by AND

    @property
    def is_empty(self) -> bool:
        """Nobody is meant: no condition and not `all`."""
        kinds = (self.topics, self.regions, self.tags, self.openids)
        return not (self.all or any(kinds) or self.rule is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """People, not messages. sent + failed + skipped + unknown = audience at the end."""

    audience: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """One message for many, or (kind `notice`) one event for whoever bound its subject.

    Kind `digest` is one message for one person with what was collected for them.
    A broadcast with `cron` is a plan: each planned time makes one child broadcast with
    `parent` set, unique on (parent, planned_at).
    """

    id: BroadcastId
    account: AccountId
    kind: Kind = "broadcast"
    title: str
    topic: TopicId
    audience: Audience
    template: str
    data: Mapping[str, str] = field(repr=False)
    url: str | None = None
    at: datetime | None = None  # None means now
    cron: str | None = None
    expires_at: datetime | None = None
    window: tuple[time, time] | None = None  # sent only inside, Beijing time (发送时段)
    late_by: timedelta = LATE_BY  # missed when it cannot begin within this
    priority: Priority = "normal"
    ignore_quiet_hours: bool = False
    channel: Literal["mass"] | None = None  # None: as the topic says
    state: BroadcastState
    parent: BroadcastId | None = None
    planned_at: datetime | None = None
    due_at: datetime | None = None  # when the scheduler should look at it next
    since: datetime | None = None  # a plan: planned times after this count
    revision: int = 1  # counts up with every edit; an approval is of one revision
    resend_of: BroadcastId | None = None  # the broadcast whose failures this one repeats
    test_of: BroadcastId | None = None  # the broadcast that this one tries out (测试发送)
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    author: str = ""  # API key or operator that made it
    edited_by: tuple[str, ...] = ()  # who changed it since
    reason: str = ""  # why it failed, was paused or rejected

    @property
    def rank(self) -> Rank:
        """Which sends go before others."""
        if self.priority == "urgent":
            return "urgent"
        return "bulk" if self.kind == "broadcast" else "personal"

    @property
    def next_at(self) -> datetime | None:
        """When a plan makes its next occurrence."""
        return self.due_at if self.cron and self.state == "scheduled" else None

    @property
    def heeds_quiet_hours(self) -> bool:
        """Quiet hours hold `normal`, not `urgent`."""
        return self.priority == "normal" and not self.ignore_quiet_hours
