"""Handing over what a process has counted: never lost to a Redis that is away for a while."""

from dataclasses import dataclass, field
from typing import Any

from domain.figures import Figures, Gathered, minute_of
from domain.ids import AccountId
from runtime.counting import handing_over
from storage.redis.figures import MinuteFigures
from storage.redis.scripts import StoreAway

CITY = AccountId("city")


@dataclass
class Minutes:
    """Redis's side, which may be away."""

    is_away: bool = False
    got: list[Gathered] = field(default_factory=list)

    async def add(self, gathered: Gathered) -> None:
        if self.is_away:
            raise StoreAway("redis: ConnectionError")
        self.got.append(gathered)


@dataclass
class Process:
    """What handing over needs of a context."""

    figures: Figures
    minute_figures: Any

    @property
    def stores(self) -> "Process":
        return self


async def test_what_cannot_be_written_is_kept_for_the_next_time(clock, caplog):
    away, back = Minutes(is_away=True), Minutes()
    figures = Figures(clock)
    figures.add(CITY, "sent", 3)

    async with handing_over(Process(figures, away)):
        pass
    async with handing_over(Process(figures, back)):
        figures.add(CITY, "sent")

    assert back.got == [{(CITY, minute_of(clock.now())): {"sent": 4}}]
    assert "figures.away" in caplog.text


async def test_processes_add_to_the_same_minute(redis, clock):
    store, minute = MinuteFigures(redis), minute_of(clock.now())
    for _ in range(2):
        figures = Figures(clock)
        figures.answered(CITY, 0.02)
        async with handing_over(Process(figures, store)):
            pass

    assert await store.read(CITY, [minute - 1, minute]) == {minute: {"calls": 2, "b2": 2}}
