"""Doing many small things a few at a time, and failing with the first one's own error."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Thing = TypeVar("Thing")


async def each(
    things: Iterable[Thing], do: Callable[[Thing], Awaitable[None]], *, at_once: int
) -> None:
    """Do it to every thing, so many at once; an error stops the rest and is raised as it is."""
    waiting = iter(things)

    async def work() -> None:
        for thing in waiting:
            await do(thing)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except ExceptionGroup as errors:  # the engine knows errors by their kind
        raise errors.exceptions[0] from errors
