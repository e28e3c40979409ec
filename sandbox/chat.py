"""What a citizen's phone shows: bubbles, cards, notices and the pushes behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

Side = Literal["citizen", "account", "system"]
FAILURE_NOTICE = "该公众号提供的服务出现故障，请稍后再试"


class Entry(Protocol):
    """One line of a chat. Template sends are their own lines, see `sandbox.template_messages`."""

    @property
    def seq(self) -> int:
        """A number that grows over the whole world."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return the line as the control API and the phone show it."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A bubble, an event mark such as 已关注, or a notice of the platform."""

    seq: int
    at: int
    side: Side
    kind: str
    content: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": written(self.at),
            "side": self.side,
            "kind": self.kind,
            **self.content,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One push to the service and what came back, for the drawer of raw XML and for tests."""

    seq: int
    event: str
    deliveries: int
    push: str  # the message in clear
    push_sent: str  # the body as it went over the wire
    reply: str  # the reply in clear, "" if none
    reply_received: str  # as it came over the wire
    result: Mapping[str, Any]  # kind "none", "text", …, or "notice" with its reason
    milliseconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "reply": dict(self.result),
            "deliveries": self.deliveries,
            "milliseconds": round(self.milliseconds, 1),
            "raw": {
                "push": self.push,
                "reply": self.reply,
                "push_sent": self.push_sent,
                "reply_received": self.reply_received,
            },
            "event": self.event,
            "seq": self.seq,
        }


def written(timestamp: float) -> str:
    """Write a time of the platform's clock for JSON."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat()
