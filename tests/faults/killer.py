"""The killer: SIGKILL at random moments, from a seed that is printed.

A calm kill is left alone until it is made up for, and is what the bar "resumed within lease +
1 s" is held against (unless the account may not send meanwhile: then nobody takes anything, on
purpose); a wild one is followed by the next within a second, as when a machine goes
down. Whoever was killed is started again after a moment, as a supervisor does; Redis is started
again by the process that keeps the databases.
"""

import asyncio
import os
import random
import signal
import time
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.fleet import Fleet, Member

Victim = Literal["push", "scheduler", "redis"]
# what is killed, and whether calmly; again and again, in an order of its own from the second time
ROUND: tuple[tuple[Victim, bool], ...] = (
    ("scheduler", False),
    ("redis", False),
    ("push", True),
    ("push", False),
    ("push", False),
    ("scheduler", False),
    ("push", True),
    ("redis", True),
)
GIVE_UP = 30.0  # seconds after which a batch counts as not resumed


@dataclass(slots=True)
class Kill:
    """One process killed; `resumed` is how long its batches lay still, in seconds."""

    victim: Victim
    calm: bool
    batches: int = 0
    resumed: float | None = None


@dataclass(slots=True)
class Killer:
    """Kills until told to stop."""

    fleet: Fleet
    chance: random.Random
    pause: tuple[float, float]  # seconds before a kill, at random between the two
    kills: list[Kill] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until `stop`; then everybody who was killed is brought back."""
        order = list(ROUND)
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                for victim, calm in order:
                    if calm:
                        await self.fleet.pushers_up()
                        await self._until_it_may_send(stop)
                        await asyncio.sleep(self.chance.uniform(*self.pause))
                    if stop.is_set():
                        break
                    watching = group.create_task(self._kill(victim, calm, group))
                    if calm:
                        await watching
                    await asyncio.sleep(self.chance.uniform(0.1, 1.0))
                self.chance.shuffle(order)
                await asyncio.sleep(2 * self.chance.uniform(*self.pause))  # let them get on

    def longest_calm(self) -> float:
        """Return the longest time a calmly killed worker's batches lay still."""
        return max((k.resumed or 0.0 for k in self.kills if k.calm and k.batches), default=0.0)

    async def _kill(self, victim: Victim, calm: bool, group: asyncio.TaskGroup) -> None:
        kill = Kill(victim, calm)
        self.kills.append(kill)
        if victim == "redis":
            await self._kill_redis()
            return
        members = self.fleet.pushers if victim == "push" else self.fleet.schedulers
        living = [member for member in members if member.is_up]
        if not living:
            self.kills.remove(kill)
            return
        member = self.chance.choice(living)
        await member.kill()
        begun = time.monotonic()
        batches = await self.fleet.held_by(member) if victim == "push" else {}
        group.create_task(self._bring_back(member))
        kill.batches = len(batches)
        while batches and await self.fleet.waiting_of(batches):
            if time.monotonic() - begun > GIVE_UP:
                kill.resumed = GIVE_UP
                return
            kill.calm = kill.calm and await self.fleet.may_send()
            await asyncio.sleep(0.05)
        kill.resumed = time.monotonic() - begun

    async def _until_it_may_send(self, stop: asyncio.Event) -> None:
        # the platform and Redis decide it: nothing here could set an event
        while not stop.is_set() and not await self.fleet.may_send():  # noqa: ASYNC110
            await asyncio.sleep(0.5)

    async def _bring_back(self, member: Member) -> None:
        await asyncio.sleep(self.chance.uniform(0.0, 1.0))
        await member.start()

    async def _kill_redis(self) -> None:
        try:
            os.kill(self.fleet.redis_pid(), signal.SIGKILL)
        except (ProcessLookupError, FileNotFoundError, ValueError):
            return  # it is just being started again
