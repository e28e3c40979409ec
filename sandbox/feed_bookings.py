"""The insurance offices' and the fund's news desks: something was booked for a person.

`POST /sandbox/departments/<social|medical|fund>/news {"verb": "book", "number", "kind"?, "seq"?,
"days_ago"?}`. The feeds say who and what kind, no amount, and medical not even the kind.

    social  {"AAC002", "seq", "kind": contribution gap benefit certification, "at"}
    medical {"certno", "seq", "at"}
    fund    {"zjhm", "seq", "type": 汇缴 补缴 提取 …, "grzh_tail", "at"}
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from domain.clock import Clock, in_beijing
from sandbox.feeds import Feed, NewsRefused

Json = dict[str, Any]
NUMBER_FIELDS = {"social": "AAC002", "medical": "certno", "fund": "zjhm"}
KIND_FIELDS = {"social": ("kind", "contribution"), "fund": ("type", "汇缴")}


class BookingDesk:
    """One office's feed of bookings."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.feed = Feed()
        self._name = name
        self._clock = clock
        self._booked = 0
        self.verbs: Mapping[str, Callable[[Json], Json]] = {"book": self._book}

    def _book(self, content: Json) -> Json:
        number = content.get("number")
        if not isinstance(number, str):
            raise NewsRefused("number must be a text")
        self._booked += 1
        days_ago = content.get("days_ago", 0)
        if not isinstance(days_ago, int | float):
            raise NewsRefused("days_ago must be a number")
        at = in_beijing(self._clock.now()) - timedelta(days=days_ago)
        entry: Json = {
            NUMBER_FIELDS[self._name]: number,
            "seq": str(content.get("seq", f"{self._name[0].upper()}{self._booked:08d}")),
            "at": at.isoformat(timespec="seconds"),
        }
        if self._name in KIND_FIELDS:
            field, usual = KIND_FIELDS[self._name]
            entry[field] = str(content.get("kind", usual))
        if self._name == "fund":
            entry["grzh_tail"] = number[-5:-1]
        self.feed.publish(entry)
        return entry
