"""Calls per minute and per day (`wechat-platform.md` 6.1): 45011 and 45009."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.clock import day_number
from sandbox.errors import ApiError

TEMPLATE_SEND = "/cgi-bin/message/template/send"
PER_DAY: Mapping[str, int] = {
    "/cgi-bin/token": 2_000,
    "/cgi-bin/stable_token": 500_000,
    "/cgi-bin/message/custom/send": 500_000,
    "/cgi-bin/message/mass/send": 100,
    "/cgi-bin/message/mass/sendall": 100,
    "/cgi-bin/message/mass/preview": 100,
    "/cgi-bin/menu/create": 1_000,
    "/cgi-bin/menu/get": 10_000,
    "/cgi-bin/menu/delete": 1_000,
    "/cgi-bin/menu/addconditional": 2_000,
    "/cgi-bin/menu/delconditional": 2_000,
    "/cgi-bin/menu/trymatch": 20_000,
    "/cgi-bin/user/get": 500,
    "/cgi-bin/user/info": 5_000_000,
    "/cgi-bin/qrcode/create": 100_000,
}
PER_MINUTE: Mapping[str, int] = {
    "/cgi-bin/stable_token": 10_000,
    "/cgi-bin/message/mass/send": 60,
    "/cgi-bin/message/mass/sendall": 60,
}
CLEARS_PER_MONTH = 10
FOLLOWER_STEPS = (100_000, 1_000_000, 10_000_000)  # the template quota rises tenfold at each


@dataclass(slots=True)
class _Count:
    minute: int = 0
    in_minute: int = 0
    day: int = 0
    in_day: int = 0


class Quotas:
    """The counters of one account. Limits of 0 mean none."""

    def __init__(self) -> None:
        self.per_day = dict(PER_DAY)
        self.per_minute = dict(PER_MINUTE)
        self._counts: dict[str, _Count] = {}
        self._clears: dict[tuple[int, int], int] = {}

    def take(self, path: str, timestamp: int, followers: int) -> None:
        """Count one call, or raise 45011 or 45009."""
        count = self._counts.get(path)
        if count is None:
            count = self._counts[path] = _Count()
        minute = timestamp // 60
        if count.minute != minute:
            day = day_number(timestamp)
            if count.day != day:
                count.day, count.in_day = day, 0
            count.minute, count.in_minute = minute, 0
        per_minute = self.per_minute.get(path, 0)
        if per_minute and count.in_minute >= per_minute:
            raise ApiError(45011)
        per_day = self.day_limit(path, followers)
        if per_day and count.in_day >= per_day:
            raise ApiError(45009)
        count.in_minute += 1
        count.in_day += 1

    def day_limit(self, path: str, followers: int) -> int:
        """Return the day's limit; that of templates grows with the followers."""
        if path == TEMPLATE_SEND and path not in self.per_day:
            steps = sum(followers >= step for step in FOLLOWER_STEPS)
            return int(100_000 * 10**steps)
        return self.per_day.get(path, 0)

    def used(self, path: str, timestamp: int) -> int:
        """Return how many calls were made today."""
        count = self._counts.get(path)
        if count is None or count.day != day_number(timestamp):
            return 0
        return count.in_day

    def clear(self, month: tuple[int, int]) -> None:
        """Forget today's calls (`clear_quota`), ten times a month."""
        if self._clears.get(month, 0) >= CLEARS_PER_MONTH:
            raise ApiError(48006)
        self._clears[month] = self._clears.get(month, 0) + 1
        self._counts.clear()
