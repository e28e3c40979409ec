"""Writes to one document that meet leave together, and each caller learns its own fate."""

import asyncio
from typing import Any

import pytest

from storage.mongo.joined import JoinedWrites

Document = dict[str, Any]


class Server:
    """Takes its time over each write, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Document, Document]] = []
        self.began: asyncio.Queue[str] = asyncio.Queue()
        self.answers = asyncio.Event()
        self.refuses: set[str] = set()  # guards that do not hold
        self.breaks = False

    async def write(self, key: str, guard: Document, update: Document) -> bool:
        self.asked.append((key, guard, update))
        self.began.put_nowait(key)
        await self.answers.wait()
        if self.breaks:
            raise ConnectionError("the server is away")
        return not self.refuses & guard.keys()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def writes(server: Server) -> JoinedWrites[str]:
    return JoinedWrites(server.write)


async def _begun(server: Server, writes: JoinedWrites[str], number: int) -> list[Any]:
    """Make one write that is on its way, and more that come meanwhile."""
    tasks = [asyncio.create_task(writes.make("a", {"g0": 1}, {"$inc": {"n": 1}}))]
    await server.began.get()
    tasks += [
        asyncio.create_task(
            writes.make("a", {f"g{each}": each}, {"$set": {f"f{each}": each}, "$inc": {"n": each}})
        )
        for each in range(1, number)
    ]
    await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_a_write_is_on_its_way_leaves_in_one(server, writes):
    tasks = await _begun(server, writes, 4)

    server.answers.set()

    assert await asyncio.gather(*tasks) == [True, True, True, True]
    assert server.asked == [
        ("a", {"g0": 1}, {"$inc": {"n": 1}}),
        ("a", {"g1": 1, "g2": 2, "g3": 3}, {"$set": {"f1": 1, "f2": 2, "f3": 3}, "$inc": {"n": 6}}),
    ]


async def test_writes_to_other_documents_do_not_wait(server, writes):
    tasks = await _begun(server, writes, 1)
    tasks.append(asyncio.create_task(writes.make("b", {}, {"$set": {"x": 1}})))
    await server.began.get()

    assert [key for key, _, _ in server.asked] == ["a", "b"]
    server.answers.set()
    await asyncio.gather(*tasks)


async def test_a_guard_that_fails_fails_those_who_travelled_together_and_no_others(server, writes):
    server.refuses = {"g2"}
    tasks = await _begun(server, writes, 3)

    server.answers.set()

    assert await asyncio.gather(*tasks) == [True, False, False]


async def test_a_server_that_is_away_tells_every_caller_and_the_next_write_is_tried(server, writes):
    tasks = await _begun(server, writes, 3)
    server.breaks = True

    server.answers.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    server.breaks = False

    assert [type(result) for result in results] == [ConnectionError] * 3
    assert await writes.make("a", {}, {"$set": {"x": 1}})


async def test_a_caller_that_is_cancelled_takes_nobody_with_it(server, writes):
    first, second, third = await _begun(server, writes, 3)
    second.cancel()

    server.answers.set()

    assert await first
    assert await third
    assert second.cancelled() or await asyncio.gather(second, return_exceptions=True)
