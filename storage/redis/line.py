"""One line to Redis on which the questions of many citizens travel together.

redis-py takes a connection per command, which costs the event loop several times what Redis
itself needs. Here whoever asks while an exchange is under way is carried by the next one: one
write and few reads for all of them. Alone, a question is as fast as with redis-py.
"""

import asyncio
import math
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from storage.redis.scripts import PATIENCE

_Question = tuple[bytes, "asyncio.Future[Any]"]


class Line:
    """Carries commands in batches; an exchange lives at most `PATIENCE` seconds."""

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool  # redis-py leaves it untyped
        self._waiting: list[_Question] = []
        self._carrier: asyncio.Task[None] | None = None  # ends by itself when nobody waits

    async def ask(self, *words: Any) -> Any:
        """Send one command and return its answer, or raise what redis-py or the network did."""
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._waiting.append((pack_command(words), answer))
        if self._carrier is None:
            self._carrier = loop.create_task(self._carry())
        return await answer

    async def _carry(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self._exchange(batch)
                except (RedisError, OSError) as error:  # TimeoutError is an OSError
                    for _, answer in batch:
                        if not answer.done():
                            answer.set_exception(error)
        finally:
            self._carrier = None

    async def _exchange(self, batch: list[_Question]) -> None:
        connection = await self._pool.get_connection()
        try:
            await connection.send_packed_command(b"".join(words for words, _ in batch))
            for _, answer in batch:
                try:
                    found = await connection.read_response(timeout=math.inf)
                except ResponseError as error:
                    if not answer.done():
                        answer.set_exception(error)
                else:
                    if not answer.done():
                        answer.set_result(found)
        finally:
            await self._pool.release(connection)
