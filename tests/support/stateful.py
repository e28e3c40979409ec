"""Hypothesis on the real servers: its examples run in a thread, their awaits on the test's loop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings

Result = TypeVar("Result")
Do = Callable[[Coroutine[Any, Any, Result]], Result]
PATIENCE = 30.0  # seconds for one await of an example

# no example database: what failed must fail again from the printed seed, not from a file
CALM: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate, Phase.shrink),
    "print_blob": True,
}


def bounded(examples: int, **more: Any) -> settings:
    """Settings for examples that talk to a database: few of them, without a deadline."""
    return settings(max_examples=examples, **CALM, **more)


async def in_thread(work: Callable[[Do[Any]], None]) -> None:
    """Run `work` in a thread; what it is given runs a coroutine on this loop and waits for it."""
    loop = asyncio.get_running_loop()

    def do(coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE)

    await asyncio.to_thread(work, do)


async def ignoring(errors: tuple[type[BaseException], ...], work: Awaitable[Result]) -> None:
    """Await, and let these errors be: a rule may ask for what is refused."""
    try:
        await work
    except errors:
        return
