"""How many people are meant, for pages that do not wait for it (边等边数).

To count a rule among a million followers takes up to a second, so a page waits a moment only. A
count that is not finished then goes on, and the page asks again: the same question joins the count
under way, and a finished one is remembered for some seconds. Of one account a few run at once;
whoever comes next is told that it is being counted, and asks again like everybody else.

Nothing is kept when a process dies: the page asks again and the count begins anew.
"""

import asyncio
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

from domain.broadcast import Audience
from domain.ids import AccountId, OpenId
from push.ports import People

MOMENT = 0.25  # seconds that a page waits
FRESH = 10.0  # seconds that a number is good for
AT_ONCE = 2  # counts of one account under way in this process
KEPT = 100  # numbers remembered
SOME = 5

Question = tuple[AccountId, Audience]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """How many people are meant, and a few of them: whoever shows those masks them."""

    people: int
    some: tuple[OpenId, ...] = ()


@dataclass(slots=True)
class _Asked:
    task: asyncio.Task[Heads]
    ended: float = 0.0


class Headcounts:
    """Counts beside the pages (runtime: `ctx.headcounts`, which ends what is under way)."""

    def __init__(self, people: People, *, moment: float = MOMENT) -> None:
        self._people = people
        self._moment = moment
        self._asked: dict[Question, _Asked] = {}
        self._now: Callable[[], float] = time.monotonic

    async def soon(self, account: AccountId, audience: Audience) -> Heads | None:
        """Return the number, or None while it is being counted: ask again in a moment.

        `TooSlow` when the database gave up; the next question begins anew.
        """
        self._forget()
        question = (account, audience)
        asked = self._asked.get(question)
        if asked is None:
            if self._under_way(account) >= AT_ONCE:
                return None
            task = asyncio.create_task(self._count(account, audience), name="headcount")
            asked = self._asked[question] = _Asked(task)
            task.add_done_callback(functools.partial(self._note_end, asked))
        await asyncio.wait({asked.task}, timeout=self._moment)
        if not asked.task.done():
            return None
        if asked.task.cancelled() or asked.task.exception() is not None:
            self._asked.pop(question, None)
        return asked.task.result()

    async def aclose(self) -> None:
        """Give up what is being counted."""
        left = [each.task for each in self._asked.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _count(self, account: AccountId, audience: Audience) -> Heads:
        people = await self._people.count(account, audience)
        some = await self._people.sample(account, audience, SOME) if people else []
        return Heads(people=people, some=tuple(some))

    def _note_end(self, asked: _Asked, task: asyncio.Task[Heads]) -> None:
        asked.ended = self._now()
        if not task.cancelled():
            task.exception()  # whoever asks again is told; perhaps nobody does

    def _under_way(self, account: AccountId) -> int:
        return sum(
            whose == account and not each.task.done() for (whose, _), each in self._asked.items()
        )

    def _forget(self) -> None:
        """Let go of numbers that are old, and of the oldest when there are many."""
        over = [key for key, each in self._asked.items() if each.task.done()]
        old = [key for key in over if self._now() - self._asked[key].ended > FRESH]
        for key in {*old, *over[: max(0, len(self._asked) - KEPT)]}:
            del self._asked[key]
