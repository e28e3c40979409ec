"""Mass sends (群发): limits, and what the verdicts mean (`wechat-platform.md` 2.4, 4.8)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from domain.clock import in_beijing
from domain.ids import AccountId, OpenId
from domain.sentence import Sentence

PER_MONTH = 4  # messages one follower may get in a calendar month, Beijing time
PER_DAY = 100  # calls of one account
FEWEST, MOST = 2, 10_000  # people in one call
SAFE_TO_REPEAT = timedelta(hours=23)  # a clientmsgid is kept for 24
SOONEST_AGAIN = timedelta(seconds=65)  # the same one within a minute is refused (45066)

_REASONS: Mapping[str, str] = {
    "10001": Sentence("涉嫌广告"),
    "20001": Sentence("涉嫌政治"),
    "20002": Sentence("涉嫌色情"),
    "20004": Sentence("涉嫌社会、公共秩序"),
    "20006": Sentence("涉嫌违法犯罪"),
    "20008": Sentence("涉嫌欺诈"),
    "20013": Sentence("涉嫌版权"),
    "21000": Sentence("涉嫌其他"),
    "22000": Sentence("涉嫌互推（互相宣传）"),
    "30001": Sentence("原创校验出错，且不允许按转载发送"),
    "30002": Sentence("原创校验不允许发送"),
    "30003": Sentence("被判定为转载，且选择了不发送"),
    "40001": Sentence("管理员拒绝"),
    "40002": Sentence("管理员 30 分钟内没有确认"),
}


def client_id(batch: str) -> str:
    """Return the platform's key against repetition: stable, and exactly 32 bytes."""
    return sha256(batch.encode()).hexdigest()[:32]


def refusal(status: str) -> str | None:
    """Return why the platform did not send a job; None when it did."""
    folded = "".join(status.lower().split())
    if folded.startswith("err(") and folded.endswith(")"):
        code = folded[4:-1]
        return Sentence(
            "平台没有发出群发：{reason}（err {code}）",
            reason=_REASONS.get(code, Sentence("原因未说明")),
            code=code,
        )
    return Sentence("平台没有发出群发") if folded == "sendfail" else None


def month_key(account: AccountId, openid: OpenId, now: datetime) -> str:
    """Return the key under which a follower's mass sends of this month are counted."""
    return f"mass:{account}:{openid}:{in_beijing(now):%Y%m}"


def day_key(account: AccountId, now: datetime) -> str:
    """Return the key under which an account's calls of this day are counted."""
    return f"mass:{account}:{in_beijing(now):%Y%m%d}"
