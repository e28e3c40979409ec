"""Subscription notices (订阅通知): their templates, citizens' consents, and what was sent."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from sandbox.chat import written
from sandbox.errors import ApiError
from sandbox.template_messages import TITLES, Template

ONE_TIME, LONG_TERM = 2, 3
Answer = Literal["accept", "reject"]


@dataclass(slots=True, kw_only=True)
class NoticeTemplate:
    """A template of the account for subscription notices; `type` as `gettemplate` tells it."""

    form: Template
    type: int

    @classmethod
    def from_fields(
        cls, template_id: str, name: str, fields: Mapping[str, str], kind: str
    ) -> "NoticeTemplate":
        """Make the template that our settings expect."""
        form = Template.from_fields(template_id, TITLES.get(name, name), fields)
        return cls(form=form, type=ONE_TIME if kind == "one_time" else LONG_TERM)

    def as_json(self) -> dict[str, Any]:
        """Return it as `gettemplate` does."""
        return {
            "priTmplId": self.form.id,
            "title": self.form.title,
            "content": self.form.content,
            "example": "",
            "type": self.type,
            "keywordEnumValueList": [],
        }


@dataclass(slots=True)
class _Consent:
    left: int = 0  # sends that one-time consents still pay for
    lasting: bool = False


class Consents:
    """Who agreed to which notices, as the platform knows it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Consent] = {}

    def answer(self, openid: str, template: NoticeTemplate, answer: Answer) -> None:
        """Take what somebody chose in the consent window."""
        consent = self._known.setdefault((openid, template.form.id), _Consent())
        if template.type == LONG_TERM:
            consent.lasting = answer == "accept"
        elif answer == "accept":
            consent.left += 1

    def withdraw(self, openid: str, template_id: str) -> None:
        """Take back what somebody agreed to (the management page of WeChat)."""
        self._known.pop((openid, template_id), None)

    def spend(self, openid: str, template: NoticeTemplate) -> None:
        """Use a consent up, or raise 43101."""
        consent = self._known.get((openid, template.form.id), _Consent())
        if template.type == LONG_TERM:
            if not consent.lasting:
                raise ApiError(43101)
        elif consent.left < 1:
            raise ApiError(43101)
        else:
            consent.left -= 1

    def as_json(self, openid: str, template_id: str) -> dict[str, Any]:
        consent = self._known.get((openid, template_id), _Consent())
        return {"left": consent.left, "long_term": consent.lasting}


@dataclass(slots=True, kw_only=True, eq=False)
class NoticeRecord:
    """One subscription notice that the platform took; it is also the card's line in the chat."""

    seq: int
    at: int
    openid: str
    msgid: int
    template: Template
    body: bytes
    status: str = ""
    receipts: int = 0

    @property
    def request(self) -> dict[str, Any]:
        parsed: dict[str, Any] = orjson.loads(self.body)
        return parsed

    def as_json(self) -> dict[str, Any]:
        request = self.request
        data = request["data"]
        return {
            "seq": self.seq,
            "at": written(self.at),
            "side": "account",
            "kind": "card",
            "origin": "subscription",
            "title": self.template.title,
            "fields": [
                {"key": key, "label": label, "value": data[key]["value"]}
                for key, label in self.template.labels.items()
            ],
            "url": request.get("page") or "",
            "template_id": self.template.id,
            "msgid": str(self.msgid),
        }

    def event(self, status: str) -> tuple[str, dict[str, Any]]:
        """Return the event that tells its result."""
        code = 0 if status == "success" else 43101
        item = {
            "TemplateId": self.template.id,
            "MsgID": self.msgid,
            "ErrorCode": code,
            "ErrorStatus": status if code == 0 else "user refuse to accept the msg",
        }
        return "subscribe_msg_sent_event", {"SubscribeMsgSentEvent": {"List": item}}


@dataclass(slots=True)
class Notices:
    """An account's templates, consents and sends of this kind."""

    templates: dict[str, NoticeTemplate] = field(default_factory=dict)
    consents: Consents = field(default_factory=Consents)
    records: list[NoticeRecord] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)

    def clear(self) -> None:
        """Forget what was sent; consents stay."""
        self.records.clear()
        self.refused.clear()
