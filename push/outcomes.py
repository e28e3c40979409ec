"""What became of a message, in words for people (送达情况)."""

from typing import Protocol

from domain.delivery import Outcome
from domain.sentence import Sentence
from push.channels.mass import THIS_MONTH, TOO_FEW
from push.channels.walk import NO_CHANNEL

BLOCKED = "failed:userblock"  # receipts in their normalised spelling
NOT_FOLLOWING = Sentence("没有关注本服务号")
FAILED = {  # the platform's codes that are about the person (wechat-platform.md 5.2)
    40003: Sentence("微信号码无效"),
    43004: NOT_FOLLOWING,
    43019: Sentence("在本服务号的黑名单中"),
    43101: Sentence("已拒收这类通知"),
    43117: Sentence("短时间内消息过多"),
    45015: Sentence("近期没有与本服务号对话"),
    45047: Sentence("对话后可发的消息已用完"),
    46004: Sentence("微信用户不存在"),
    48002: Sentence("已屏蔽本服务号的消息"),
    50002: Sentence("微信账号已冻结或注销"),
    50005: NOT_FOLLOWING,
    65315: NOT_FOLLOWING,
    70000: Sentence("未成年人保护模式下不接收"),
}
SKIPPED = {  # what `push.chunks` writes
    "no longer subscribed or reachable": Sentence("已退订、解绑、取消关注或无法送达"),
    "expired": Sentence("已过有效期"),
    THIS_MONTH: Sentence("本月群发已满 4 条"),
    TOO_FEW: Sentence("群发至少需要两个人"),
}
NO_RECEIPTS = frozenset({"custom", "mass"})  # channels that tell nothing of one person


class Told(Protocol):
    """One message to one person, as far as words for it need."""

    @property
    def state(self) -> Outcome: ...
    @property
    def channel(self) -> str: ...
    @property
    def is_delivered(self) -> bool: ...
    @property
    def receipt(self) -> str | None: ...
    @property
    def errcode(self) -> int | None: ...
    @property
    def reason(self) -> str: ...


def in_words(record: Told) -> str:
    """Return whether it arrived, and if not, why."""
    if record.is_delivered:
        return Sentence("已送达")
    match record.state:
        case "sent" if record.channel in NO_RECEIPTS:
            return Sentence("已发送")
        case "sent" if record.receipt is None:
            return Sentence("已发送，暂无送达回执")
        case "sent":
            blocked = record.receipt == BLOCKED
            return Sentence("未送达：接收人拒收") if blocked else Sentence("未送达：微信系统原因")
        case "skipped":
            why = why_skipped(record.reason)
            return Sentence("未发送：{why}", why=why) if why else Sentence("未发送")
        case "unknown":
            return Sentence("微信没有答复，可能已送达")
        case "failed":
            return Sentence("未送达：{why}", why=why_failed(record.errcode))


def why_skipped(reason: str) -> str | None:
    """Return why somebody was left out, if it is a reason that people can be told."""
    return Sentence("没有可用的发送渠道") if reason.startswith(NO_CHANNEL) else SKIPPED.get(reason)


def why_failed(errcode: int | None) -> str:
    """Return what the platform's refusal means."""
    if errcode is None:
        return Sentence("多次尝试未成功")
    return FAILED.get(errcode) or Sentence("微信拒绝（代码 {errcode}）", errcode=errcode)
