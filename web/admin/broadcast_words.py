"""Words for what a broadcast says and what became of it, as the console's pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.broadcast import BroadcastState
from domain.channel import TITLES
from domain.delivery import Outcome
from domain.review import ReviewKind
from domain.sending_report import OTHER, Fate, Why
from push.outcomes import why_failed, why_skipped
from web.admin.words import mark

STATES: Mapping[BroadcastState, str] = {
    "draft": mark("草稿"),
    "in_review": mark("待审核"),
    "rejected": mark("已退回"),
    "scheduled": mark("待发送"),
    "sending": mark("发送中"),
    "paused": mark("已暂停"),
    "finished": mark("已完成"),
    "cancelled": mark("已取消"),
    "failed": mark("失败"),
}
FATES: Mapping[Fate, str] = {
    "sent": mark("已发送"),
    "delivered": mark("已送达"),
    "failed": mark("失败"),
    "skipped": mark("未发送"),
    "unknown": mark("结果不明"),
}
OUTCOMES: Mapping[Outcome, str] = {
    "failed": mark("失败"),
    "skipped": mark("未发送"),
    "unknown": mark("结果不明"),
    "sent": mark("已发送"),
}
REVIEWS: Mapping[ReviewKind, str] = {
    "comment": mark("意见"),
    "approval": mark("审核通过"),
    "rejection": mark("退回"),
    "publication": mark("发布"),
}
CHANNELS: Mapping[str, str] = dict[str, str](TITLES.items())  # by the names that rows keep
FIELDS: Mapping[str, str] = {
    "title": mark("标题"),
    "topic": mark("主题"),
    "audience": mark("发送对象"),
    "template": mark("模板"),
    "data": mark("内容"),
    "url": mark("链接"),
    "at": mark("发送时间"),
    "cron": mark("周期"),
    "expires_at": mark("失效时间"),
    "priority": mark("优先级"),
    "ignore_quiet_hours": mark("免打扰时段也发送"),
    "window": mark("发送时段"),
    "late_by": mark("最多推迟"),
    "channel": mark("渠道"),
}
PARTS: Mapping[str, str] = {
    "all": mark("范围"),
    "topics": mark("订阅主题"),
    "regions": mark("地区"),
    "tags": mark("标签"),
    "openids": mark("指定的人"),
    "rule": mark("条件"),
}
_WRITTEN_OFF = mark("任务取消，没有发送")
_OTHER = mark("其他原因")
_UNKNOWN = mark("微信没有答复，可能已送达")
_SKIPPED = mark("未发送")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why so many people were not reached."""

    state: Outcome
    words: str
    number: int


def reasons_in_words(reasons: Mapping[Why, int], *, written_off: int) -> Sequence[Reason]:
    """Return reasons in words, the most frequent first; what reads alike is one."""
    sums: dict[tuple[Outcome, str], int] = {}
    for (state, errcode, reason), number in reasons.items():
        key = (state, why_in_words(state, errcode, reason))
        sums[key] = sums.get(key, 0) + number
    if written_off > 0:
        sums["skipped", _WRITTEN_OFF] = written_off
    found = [
        Reason(state=state, words=words, number=number) for (state, words), number in sums.items()
    ]
    return sorted(found, key=lambda each: -each.number)


def why_in_words(state: Outcome, errcode: int | None, reason: str) -> str:
    """Return why somebody was not reached."""
    if reason == OTHER:
        return _OTHER
    if state == "failed":
        return why_failed(errcode)
    if state == "unknown":
        return _UNKNOWN
    return why_skipped(reason) or _SKIPPED
