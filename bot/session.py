"""What we remember of a conversation between two messages (会话)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

DIALOG_PATIENCE = timedelta(minutes=10)


@dataclass(slots=True, kw_only=True)
class Session:
    """A running dialog, or the numbered options printed last. Kept sealed, for a day.

    `asked` are the steps the citizen answered themselves, in order: what 返回 takes back.
    """

    dialog: str | None = None
    answers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    until: datetime | None = None
    large_print: bool = False

    def begin(self, dialog: str, answers: Mapping[str, str], now: datetime) -> None:
        """Start a dialog afresh."""
        self.dialog, self.answers, self.asked, self.options = (
            dialog,
            dict(answers),
            [],
            [],
        )
        self.until = now + DIALOG_PATIENCE

    def begin_again(self, now: datetime) -> None:
        """Be patient anew: the citizen is still there."""
        self.until = now + DIALOG_PATIENCE

    def offer(self, says: Sequence[str], now: datetime) -> None:
        """Remember what the numbers 1–9 mean until something else is said."""
        self.options = list(says)
        self.until = now + DIALOG_PATIENCE

    def end(self) -> None:
        """Forget the dialog and the options."""
        self.dialog, self.answers, self.asked, self.options, self.until = (
            None,
            {},
            [],
            [],
            None,
        )

    def has_expired(self, now: datetime) -> bool:
        """Tell whether a dialog was left lying too long."""
        return self.until is not None and now > self.until

    def to_json(self) -> dict[str, Any]:
        """Return only what differs from a fresh session, so that most are empty."""
        content: dict[str, Any] = {}
        if self.dialog:
            content |= {
                "dialog": self.dialog,
                "answers": self.answers,
                "asked": self.asked,
            }
        if self.options:
            content["options"] = self.options
        if self.until and content:
            content["until"] = self.until.isoformat()
        if self.large_print:
            content["large_print"] = True
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        until = content.get("until")
        return cls(
            dialog=content.get("dialog"),
            answers=dict(content.get("answers", {})),
            asked=list(content.get("asked", [])),
            options=list(content.get("options", [])),
            until=datetime.fromisoformat(until) if until else None,
            large_print=bool(content.get("large_print")),
        )
