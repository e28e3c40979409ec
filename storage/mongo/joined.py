"""Joined writes (合并写入): updates of one document that meet become one update.

The lanes of a worker write to the same batch: an intent here, a closing there. While one write
is on its way, those that come meanwhile wait and leave together in the next one. Each caller
learns the fate of its own write, which is that of the update it travelled in; when the guard of
one of them fails, none of them was made.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

Document = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)
Waiting = tuple[Document, Document, "asyncio.Future[bool]"]  # guard, update, fate


class JoinedWrites(Generic[Key]):
    """Updates by document. `write` makes one, bounded in time: was its guard met?"""

    def __init__(self, write: Callable[[Key, Document, Document], Awaitable[bool]]) -> None:
        self._write = write
        self._waiting: dict[Key, list[Waiting]] = {}
        self._leaving: dict[Key, asyncio.Task[None]] = {}

    async def make(self, key: Key, guard: Document, update: Document) -> bool:
        """Make an update with the next write of its document; False when a guard failed.

        The update of a caller that is cancelled may still be made, as after a lost answer.
        """
        fate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append((guard, update, fate))
        if key not in self._leaving:
            self._leaving[key] = asyncio.create_task(self._leave(key))
        return await fate

    async def _leave(self, key: Key) -> None:
        try:
            while together := self._waiting.pop(key, None):
                await self._make(key, together)
        finally:
            del self._leaving[key]

    async def _make(self, key: Key, together: Sequence[Waiting]) -> None:
        fates = [fate for _, _, fate in together]
        guard, update = _join(together)
        try:
            made = await self._write(key, guard, update)
        except Exception as error:
            for fate in fates:
                if not fate.done():
                    fate.set_exception(error)
        except asyncio.CancelledError:  # the loop ends
            for fate in fates:
                fate.cancel()
            raise
        else:
            for fate in fates:
                if not fate.done():
                    fate.set_result(made)


def _join(together: Sequence[Waiting]) -> tuple[Document, Document]:
    """Add up increments and put the rest side by side: no two set one field differently."""
    guards: Document = {}
    sets: Document = {}
    increments: Document = {}
    for guard, update, _ in together:
        guards |= guard
        sets |= update.get("$set", {})
        for name, number in update.get("$inc", {}).items():
            increments[name] = increments.get(name, 0) + number
    joined = {"$set": sets, "$inc": increments}
    return guards, {operator: fields for operator, fields in joined.items() if fields}
