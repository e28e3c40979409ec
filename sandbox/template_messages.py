"""Template messages (模板消息): templates, the check of a send, and the book of all sends.

The book is the platform's own proof that nothing was lost and nothing came twice; it keeps
the request as it came and reads it again only when somebody looks, so that hundreds of
thousands of sends stay cheap.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.chat import written
from sandbox.errors import ApiError
from sandbox.fields import Check, checker

REPEAT_WINDOW = 600  # seconds in which openid + client_msg_id is sent only once
FIRST_MSGID = 3717005636572528642

TITLES = {
    "outage_notice": "停水停电停气通知",
    "violation_notice": "交通违法处理提醒",
    "balance_notice": "账户余额变动提醒",
    "case_notice": "办件进度通知",
    "alert_notice": "预警信息通知",
    "reminder_notice": "事项办理提醒",
}
LABELS = {
    "area": "影响区域",
    "start": "开始时间",
    "end": "恢复时间",
    "reason": "原因",
    "plate": "车牌号码",
    "time": "时间",
    "place": "地点",
    "act": "违法行为",
    "fine": "罚款金额",
    "account": "账户",
    "change": "变动金额",
    "balance": "当前余额",
    "case": "办件编号",
    "step": "当前环节",
    "headline": "预警内容",
    "level": "预警级别",
    "issuer": "发布单位",
    "matter": "事项",
    "due": "截止时间",
    "note": "备注",
}
_FIELD = re.compile(r"^(?:(?P<label>.*?)[::])?\{\{(?P<key>\w+)\.DATA\}\}$", re.MULTILINE)


@dataclass(slots=True, kw_only=True)
class Template:
    """One template of an account; `content` tells its keys, as on the platform."""

    id: str
    title: str
    content: str
    checks: Mapping[str, Check]
    labels: Mapping[str, str]
    banned: bool = False

    @classmethod
    def of(cls, template_id: str, title: str, content: str) -> "Template":
        """Read the keys and labels from lines such as `区域:{{thing1.DATA}}`."""
        labels = {m["key"]: m["label"] or m["key"] for m in _FIELD.finditer(content)}
        checks = {key: checker(key) for key in labels}
        return cls(id=template_id, title=title, content=content, checks=checks, labels=labels)

    @classmethod
    def from_fields(cls, template_id: str, name: str, fields: Mapping[str, str]) -> "Template":
        """Make the template that our settings expect: WeChat key → our data name."""
        lines = (f"{LABELS.get(data, data)}:{{{{{key}.DATA}}}}" for key, data in fields.items())
        return cls.of(template_id, TITLES.get(name, name), "\n".join(lines))

    def check(self, data: Any) -> None:
        """Raise 47003 naming the first key that is unknown, missing, empty or ill-typed."""
        if not isinstance(data, dict):
            raise ApiError(47003, "data invalid")
        for key, fits in self.checks.items():
            given = data.get(key)
            value = given.get("value") if isinstance(given, dict) else None
            if not isinstance(value, str) or not fits(value):
                raise ApiError(47003, f"data.{key}.value invalid")
        if len(data) != len(self.checks):
            unknown = next(key for key in data if key not in self.checks)
            raise ApiError(47003, f"data.{unknown}.value invalid")

    def as_json(self) -> dict[str, str]:
        """Return it as `get_all_private_template` does."""
        return {
            "template_id": self.id,
            "title": self.title,
            "primary_industry": "政府与公共事业",
            "deputy_industry": "政务",
            "content": self.content,
            "example": "",
        }


@dataclass(slots=True, eq=False)
class SendRecord:
    """One accepted send; it is also the card's line in the chat."""

    seq: int
    at: int
    openid: str
    client_msg_id: str
    msgid: int
    template: Template
    body: bytes
    status: str = ""  # of the last receipt pushed
    receipts: int = 0

    @property
    def request(self) -> dict[str, Any]:
        """The request as it came."""
        parsed: dict[str, Any] = orjson.loads(self.body)
        return parsed

    @property
    def card(self) -> tuple[str, str, bytes]:
        """What the person sees: two equal cards are one too many, whatever their ids."""
        request = self.request
        content = orjson.dumps((request["data"], request.get("url")), option=orjson.OPT_SORT_KEYS)
        return self.openid, self.template.id, content

    def event(self, status: str) -> tuple[str, dict[str, Any]]:
        """Return the event that tells its result."""
        return "TEMPLATESENDJOBFINISH", {"MsgID": self.msgid, "Status": status}

    def as_json(self) -> dict[str, Any]:
        request = self.request
        data = request["data"]
        return {
            "seq": self.seq,
            "at": written(self.at),
            "side": "account",
            "kind": "card",
            "title": self.template.title,
            "fields": [
                {"key": key, "label": label, "value": data[key]["value"]}
                for key, label in self.template.labels.items()
            ],
            "url": request.get("url") or "",
            "template_id": self.template.id,
            "client_msg_id": self.client_msg_id,
            "msgid": str(self.msgid),
        }


class SendBook:
    """Every accepted send of one account, in order."""

    def __init__(self) -> None:
        self.records: list[SendRecord] = []
        self.repeats = 0  # repeats within ten minutes, answered but not delivered again
        self.refused: Counter[int] = Counter()
        self._latest: dict[str, SendRecord] = {}

    def already_sent(self, openid: str, client_msg_id: str, now: int) -> SendRecord | None:
        """Return the send that a repeat refers to, and count the repeat."""
        known = self._latest.get(f"{openid}\0{client_msg_id}")
        if known is None or now - known.at >= REPEAT_WINDOW:
            return None
        self.repeats += 1
        return known

    def enter(self, record: SendRecord) -> None:
        """Write an accepted send down."""
        self.records.append(record)
        if record.client_msg_id:
            self._latest[f"{record.openid}\0{record.client_msg_id}"] = record

    def clear(self) -> None:
        """Begin a new book."""
        self.records.clear()
        self._latest.clear()
        self.refused.clear()
        self.repeats = 0

    def matching(self, prefix: str) -> Iterator[SendRecord]:
        """Return the sends whose client_msg_id begins like this; all for the empty text."""
        return (r for r in self.records if r.client_msg_id.startswith(prefix))

    def summary(self, prefix: str = "") -> dict[str, Any]:
        """Return the figures of the proof (see `sandbox.control`)."""
        keys: Counter[tuple[str, str]] = Counter()
        cards: Counter[tuple[str, str, bytes]] = Counter()
        statuses: Counter[str] = Counter()
        openids: Counter[str] = Counter()
        nameless = 0
        for record in self.matching(prefix):
            if record.client_msg_id:
                keys[record.openid, record.client_msg_id] += 1
            else:
                nameless += 1
            cards[record.card] += 1
            openids[record.openid] += 1
            statuses[record.status or "pending"] += 1
        return {
            "total": openids.total(),
            "distinct": len(keys) + nameless,
            "doubled": [
                {"openid": openid, "client_msg_id": client_msg_id, "times": times}
                for (openid, client_msg_id), times in keys.items()
                if times > 1
            ],
            "same_card_twice": [
                {"openid": openid, "template_id": template_id, "times": times}
                for (openid, template_id, _), times in cards.items()
                if times > 1
            ],
            "openids": len(openids),
            "without_client_msg_id": nameless,
            "repeats": self.repeats,
            "refused": {str(code): times for code, times in self.refused.items()},
            "receipts": dict(statuses),
        }
