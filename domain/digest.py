"""Digests (汇总): what is collected for people who want one message a day or a week.

A digest day runs from 08:00 to 08:00 in Beijing, so that whoever looks late still makes the
digest of that day, and only one.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from domain.clock import in_beijing
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from domain.schedule import DIGEST_HOUR, next_time_of_day

Cadence = Literal["daily", "weekly"]
LeftOut = Literal["expired", "no longer wanted"]
MONDAY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One notice waiting for one person's digest; `sealed` is its encrypted content."""

    notice: BroadcastId
    account: AccountId
    openid: OpenId
    topic: TopicId
    at: datetime  # when it was announced
    due_at: datetime
    expires_at: datetime | None = None
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestMark:
    """Whose digest a broadcast of kind `digest` is; `key` is unique.

    With `notice` it carries that one only: the account has no template to merge with.
    """

    key: str
    openid: OpenId
    notice: BroadcastId | None = None


def next_digest(moment: datetime, cadence: Cadence) -> datetime:
    """Return when the next digest after `moment` goes out: 08:00, weekly ones on Mondays."""
    found = next_time_of_day(moment, DIGEST_HOUR)
    if cadence == "weekly":
        found += timedelta(days=(MONDAY - in_beijing(found).weekday()) % 7)
    return found.astimezone(UTC)


def digest_day(now: datetime) -> date:
    """Return the day whose digest is the current one: until 08:00 it is yesterday's."""
    return (in_beijing(now) - timedelta(hours=DIGEST_HOUR.hour)).date()


def digest_key(
    account: AccountId, openid: OpenId, day: date, notice: BroadcastId | None = None
) -> str:
    """Return what makes a digest unique: person and day, alone or with its only item."""
    key = f"{account}:{openid}:{day.isoformat()}"
    return f"{key}:{notice}" if notice else key
