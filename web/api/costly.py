"""Previews are dear: each may read every follower's index entry, and be many in a second."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from domain.ids import AccountId
from web.base import Problem

AT_ONCE = 2  # of one account in one process


class Few:
    """Lets a few of an account's requests run at a time; the next one is refused, not queued."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: Counter[AccountId] = Counter()

    @contextmanager
    def one_of(self, account: AccountId) -> Iterator[None]:
        """Run as one of the few."""
        if self._running[account] >= self._most:
            raise Problem(
                429,
                "too_many_requests",
                f"同一账号同时最多 {self._most} 个试算或预览，请稍后再试。",
                headers={"Retry-After": "1"},
            )
        self._running[account] += 1
        try:
            yield
        finally:
            self._running[account] -= 1


PREVIEWS = Few(AT_ONCE)  # one for the process
