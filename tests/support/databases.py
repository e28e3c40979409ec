"""Databases that tests use one after the other, emptied in between.

Making the hundred indexes of a whole installation takes longer than most tests. A file's tests
make the same ones, so what one of them leaves is emptied for the next: no document stays,
collections and indexes do. Only in the folders named here; tests of the storage itself look at
indexes and have a new database each.
"""

import asyncio
import secrets
from collections import defaultdict
from pathlib import Path

from pymongo import AsyncMongoClient

from storage.embedded import Document

TESTS = Path(__file__).parents[1]
REUSED_IN = ("browser", "console", "journeys", "push", "runtime", "web")


class Databases:
    """Names of databases on the session's mongod."""

    def __init__(self, client: AsyncMongoClient[Document]) -> None:
        self._client = client
        self._free: dict[Path, list[str]] = defaultdict(list)

    def take(self, file: Path) -> str:
        """Return the name of an empty database for a test of this file."""
        left = self._free[file]
        return left.pop() if left else f"test_{secrets.token_hex(6)}"

    async def give_back(self, file: Path, name: str) -> None:
        """Empty a database for the next test of the file, or drop it."""
        if file.relative_to(TESTS).parts[0] not in REUSED_IN:
            await self._client.drop_database(name)
            return
        database = self._client[name]
        collections = await database.list_collection_names()
        await asyncio.gather(*(database[each].delete_many({}) for each in collections))
        self._free[file].append(name)
