"""The result of each send, some time after it: TEMPLATESENDJOBFINISH and its like.

Receipts wait in a heap until they are due and are pushed by a bounded number of couriers, so
that a hundred thousand sends do not become a hundred thousand connections.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

SUCCESS = "success"
USER_BLOCK = "failed:user block"
SYSTEM_FAILED = "failed: system failed"
FREQ_LIMIT = "failed:freq limit"


class Sent(Protocol):
    """What was sent, and how its result is told."""

    openid: str
    status: str
    receipts: int

    def event(self, status: str) -> tuple[str, dict[str, Any]]:
        """Return the event's name and its own members."""
        ...


Push = Callable[[str, Sent, str], Awaitable[None]]  # account id, what was sent, status
Spawn = Callable[[Coroutine[Any, Any, None]], object]


@dataclass(slots=True, kw_only=True)
class ReceiptHabits:
    """How an account's receipts come; shares are between 0 and 1."""

    enabled: bool = True
    user_block: float = 0.0
    system_failed: float = 0.0
    freq_limit: float = 0.0
    lost: float = 0.0  # never come
    early: float = 0.0  # come before the answer to the send
    duplicate: float = 0.0  # come twice
    delay_min: float = 0.05  # seconds; a wide range brings them out of order
    delay_max: float = 0.5

    def status(self, chance: random.Random, *, blocked: bool) -> str:
        """Draw the status of one send; a person who muted the account always blocks."""
        if blocked:
            return USER_BLOCK
        shares = self.user_block + self.system_failed + self.freq_limit
        if not shares:
            return SUCCESS
        drawn = chance.random()
        if drawn < self.user_block:
            return USER_BLOCK
        if drawn < self.user_block + self.system_failed:
            return SYSTEM_FAILED
        return FREQ_LIMIT if drawn < shares else SUCCESS


class Receipts:
    """The queue of results that are still to be pushed."""

    def __init__(
        self, push: Push, spawn: Spawn, chance: random.Random, *, concurrency: int = 16
    ) -> None:
        self._push = push
        self._spawn = spawn
        self._chance = chance
        self.concurrency = concurrency
        self._waiting: list[tuple[float, int, str, Sent, str]] = []
        self._numbers = itertools.count()
        self._running = 0
        self._pump_is_running = False
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def pending(self) -> int:
        """Receipts that are waiting or on their way."""
        return len(self._waiting) + self._running

    async def drained(self) -> None:
        """Wait until nothing is waiting or on its way."""
        await self._idle.wait()

    def schedule(self, account_id: str, record: Sent, habits: ReceiptHabits, status: str) -> None:
        """Push the result later, once or twice, or never."""
        chance = self._chance
        if habits.lost and chance.random() < habits.lost:
            return
        now = asyncio.get_running_loop().time()
        times = 2 if habits.duplicate and chance.random() < habits.duplicate else 1
        for _ in range(times):
            due = now + chance.uniform(habits.delay_min, habits.delay_max)
            heapq.heappush(self._waiting, (due, next(self._numbers), account_id, record, status))
        self._idle.clear()
        if not self._pump_is_running:
            self._pump_is_running = True
            self._spawn(self._pump())

    async def _pump(self) -> None:
        """Start what is due, never more than `concurrency` at once; end when nothing waits."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                pause = self._waiting[0][0] - loop.time()
                if pause > 0:
                    await asyncio.sleep(min(pause, 0.05))
                elif self._running >= self.concurrency:
                    self._wake.clear()
                    await self._wake.wait()
                else:
                    _, _, account_id, record, status = heapq.heappop(self._waiting)
                    self._running += 1
                    self._spawn(self._one(account_id, record, status))
        finally:
            self._pump_is_running = False

    async def _one(self, account_id: str, record: Sent, status: str) -> None:
        try:
            await self._push(account_id, record, status)
        finally:
            self._running -= 1
            self._wake.set()
            if not self.pending:
                self._idle.set()
