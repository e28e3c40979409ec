"""Live news for the phones on the page: who listens, and to whom."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

News = tuple[str, dict[str, Any]]  # the kind of news ("line", "menu", …) and its content
BACKLOG = 1000


@dataclass(eq=False, slots=True)
class Listener:
    """One open page, or one test that waits for the next line."""

    account_id: str
    openids: Collection[str]
    queue: asyncio.Queue[News | None] = field(default_factory=lambda: asyncio.Queue(BACKLOG))

    def hand(self, news: News | None) -> None:
        """Queue news; a listener that stopped reading loses the oldest."""
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(news)


class Feed:
    """Passes news on to whoever listens; costs almost nothing while nobody does."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    @asynccontextmanager
    async def listen(self, account_id: str, openids: Collection[str]) -> AsyncIterator[Listener]:
        """Listen to some people of one account, and to the account's own news."""
        listener = Listener(account_id, frozenset(openids))
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def publish(
        self, account_id: str, openid: str, kind: str, content: Callable[[], dict[str, Any]]
    ) -> None:
        """Tell those who listen to this person; `openid` "" reaches all of the account."""
        for listener in self._listeners:
            if listener.account_id != account_id:
                continue
            if not openid:
                listener.hand((kind, content()))
            elif openid in listener.openids:
                listener.hand((kind, {"openid": openid, **content()}))

    def close(self) -> None:
        """Let everyone who listens go home."""
        for listener in self._listeners:
            listener.hand(None)
