"""Questions to Redis with a time-out and one kind of failure, and Lua scripts sent once.

Above this package nobody needs to know redis-py: Redis being away, slow or full is `StoreAway`.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from domain.errors import ServiceError

PATIENCE = 1.5  # seconds; WeChat waits five, and an apology must still fit in

Ask = Callable[..., Awaitable[Any]]


class StoreAway(ServiceError):
    """Redis did not answer, or refused (storage unavailable)."""

    code = "store_unavailable"
    status = 503


@asynccontextmanager
async def asked(patience: float = PATIENCE) -> AsyncIterator[None]:
    """Bound a question to Redis in time and translate its failures."""
    try:
        async with asyncio.timeout(patience):
            yield
    except (RedisError, OSError) as error:  # TimeoutError is an OSError
        raise StoreAway(f"redis: {type(error).__name__}: {error}") from error


class Script:
    """One Lua file beside this module, called by its digest.

    `ask` sends a command another way than by redis-py's pool, and bounds it in time itself.
    """

    def __init__(self, redis: Redis, name: str, *, ask: Ask | None = None) -> None:
        self._send: Ask = redis.execute_command
        self._ask: Ask = ask or self._bounded
        self._text = (Path(__file__).parent / f"{name}.lua").read_text(encoding="utf-8")
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
        """Run the script; a restarted Redis that forgot it is sent it again."""
        try:
            try:
                return await self._ask("EVALSHA", self._digest, len(keys), *keys, *arguments)
            except NoScriptError:
                return await self._ask("EVAL", self._text, len(keys), *keys, *arguments)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            raise StoreAway(f"redis: {type(error).__name__}: {error}") from error

    async def _bounded(self, *words: str | bytes | int) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await self._send(*words)
