"""Mass sends (群发, 4.8): jobs, the four a month of each follower, and the key against repeats."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.clock import BEIJING
from sandbox.errors import ApiError

PER_MONTH = 4
KEY_LIFE = 24 * 3600  # seconds a clientmsgid is kept
KEY_PAUSE = 60  # seconds before it may come again
LONGEST_KEY = 32
FIRST_JOB = 1000001625


class KeyKnown(ApiError):
    """45065: this clientmsgid was used before; the answer carries its job."""

    def __init__(self, job: "MassJob") -> None:
        super().__init__(45065)
        self.job = job


@dataclass(slots=True, kw_only=True, eq=False)
class MassJob:
    """One accepted mass send. `people` are those left after filtering."""

    msg_id: int
    at: int
    clientmsgid: str
    openid: str  # FromUserName of its event
    total: int
    people: tuple[str, ...]
    text: str
    failed: int = 0
    refused_as: str = ""  # "err(10001)": the platform's review said no
    status: str = ""
    receipts: int = 0
    deleted: bool = False

    def event(self, status: str) -> tuple[str, dict[str, Any]]:
        """Return the event that tells its result."""
        refused = bool(self.refused_as)
        left = 0 if refused else len(self.people)
        return "MASSSENDJOBFINISH", {
            "MsgID": self.msg_id,
            "Status": self.refused_as or "send success",
            "TotalCount": 0 if refused else self.total,
            "FilterCount": left,
            "SentCount": left - (0 if refused else self.failed),
            "ErrorCount": 0 if refused else self.failed,
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "msg_id": self.msg_id,
            "clientmsgid": self.clientmsgid,
            "total": self.total,
            "filtered": len(self.people),
            "text": self.text,
            "status": self.status,
            "receipts": self.receipts,
        }


@dataclass(slots=True)
class MassSends:
    """An account's mass sends. `refuse_as` is the verdict of the review on coming jobs."""

    jobs: list[MassJob] = field(default_factory=list)
    refuse_as: str = ""
    repeats: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    _months: Counter[tuple[str, str]] = field(default_factory=Counter)

    def check_key(self, key: str, now: int) -> None:
        """Raise 45067, 45066 or 45065 when the key says that this must not be a new job."""
        if len(key.encode()) > LONGEST_KEY:
            raise ApiError(45067)
        for job in reversed(self.jobs):
            if key and job.clientmsgid == key and now - job.at < KEY_LIFE:
                self.repeats += 1
                if now - job.at < KEY_PAUSE:
                    raise ApiError(45066)
                raise KeyKnown(job)

    def spend(self, openids: list[str], now: int) -> tuple[str, ...]:
        """Count the job for each person and return those who may still get it this month."""
        month = f"{datetime.fromtimestamp(now, BEIJING):%Y%m}"
        may = tuple(o for o in openids if self._months[o, month] < PER_MONTH)
        self._months.update((openid, month) for openid in may)
        return may

    def of_month(self, openid: str, now: int) -> int:
        """Return how many mass sends somebody has got this month."""
        return self._months[openid, f"{datetime.fromtimestamp(now, BEIJING):%Y%m}"]

    def find(self, msg_id: str) -> MassJob | None:
        return next((job for job in self.jobs if str(job.msg_id) == msg_id), None)

    def clear(self) -> None:
        """Forget the jobs; what people got this month stays counted."""
        self.jobs.clear()
        self.refused.clear()
        self.repeats = 0
