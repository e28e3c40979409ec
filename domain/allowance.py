"""The day's quota (每日配额) of an account: how many messages the platform takes in a day.

Days are counted in China (`wechat-platform.md` 6.1). Sends are granted in blocks: what is
granted is written where no crash forgets it, before it may be used.
"""

from dataclasses import dataclass
from datetime import datetime

from domain.clock import in_beijing

SMALLEST_BLOCK, LARGEST_BLOCK = 10, 1_000
NORMAL_SHARE, URGENT_SHARE = 0.95, 1.0  # of the day's quota, by what is not urgent and by all
UNDER_WAY = 500  # sends that we have counted and the platform has not seen yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of the day that may be used: the sends after `before` up to `after`."""

    before: int
    after: int
    quota: int | None  # the whole day's, if known
    per_second: float | None = None  # what the platform allows, if it said so lately


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformQuota:
    """What the platform says of one of its calls; 0 and None mean that it sets no limit."""

    daily_limit: int
    used: int
    per_second: float | None = None


def day_number(now: datetime) -> int:
    """Return the day in China as a number that grows: 20261124."""
    local = in_beijing(now)
    return local.year * 10_000 + local.month * 100 + local.day


def quota_of_the_day(said: PlatformQuota, used: int) -> int | None:
    """Return the day's quota as we count it, given how many sends we have counted.

    The platform's count decides. Where it is clearly lower than ours, because its counters were
    cleared, because it did not count what it refused or because blocks were lost with Redis, what
    it has left is added to ours. A small difference is only what is under way, as long as the day
    goes on; once its share for what is not urgent is used up, it is what may still be sent.
    """
    if not said.daily_limit:
        return None
    uncounted = used - said.used
    goes_on = used < int(said.daily_limit * NORMAL_SHARE)
    if uncounted <= (max(UNDER_WAY, said.daily_limit // 50) if goes_on else 0):
        return said.daily_limit
    return said.daily_limit + uncounted


def block_size(quota: int | None) -> int:
    """Return how many sends are granted at once: at most that many are lost with Redis."""
    if quota is None:
        return LARGEST_BLOCK
    return max(SMALLEST_BLOCK, min(LARGEST_BLOCK, quota // 100))
