"""Departments' numbers of all processes together (接口状况), by minute, forgotten after hours.

For people who look, and nothing else. Every few seconds each process adds what it has counted; a
process that dies loses those seconds. Three kinds of keys:

    wz:departments:calls:{minute}     hash  {connector}|{number} → how often        3 h
    wz:departments:errors:{connector} list  the last errors, the newest first    24 h
    wz:departments:breakers           hash  {process} → its breakers that are not closed
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from domain.department_health import BOUNDS, BreakerSeen, BreakerState, Misfortune, Tally, Trouble
from storage.redis.scripts import asked

KEPT = timedelta(hours=3)
ERRORS_KEPT = timedelta(hours=24)
MOST_ERRORS = 10  # of one connector
SILENT = timedelta(seconds=30)  # a process that has said nothing for so long is gone

Open = tuple[BreakerState, datetime | None]


class DepartmentHealth:
    """Adds up what processes write, and reads it for a page."""

    calls = "wz:departments:calls"
    errors = "wz:departments:errors"
    breakers = "wz:departments:breakers"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(
        self,
        process: str,
        now: datetime,
        tallies: Mapping[tuple[int, str], Tally],
        errors: Sequence[tuple[str, Misfortune]],
        breakers: Mapping[str, Open],
    ) -> None:
        """Add what a process has counted. Said twice it counts twice."""
        pipe = self._redis.pipeline(transaction=False)
        for (minute, connector), tally in tallies.items():
            key = f"{self.calls}:{minute}"
            for name, number in _numbers(tally):
                pipe.hincrby(key, f"{connector}|{name}", number)
            pipe.expire(key, KEPT)
        for connector, error in errors:
            key = f"{self.errors}:{connector}"
            pipe.lpush(key, _packed(error))
            pipe.ltrim(key, 0, MOST_ERRORS - 1)
            pipe.expire(key, ERRORS_KEPT)
        said = {
            "at": now.timestamp(),
            "not_closed": {
                name: [state, since.timestamp() if since else None]
                for name, (state, since) in breakers.items()
            },
        }
        pipe.hset(self.breakers, process, orjson.dumps(said))
        pipe.expire(self.breakers, KEPT)
        async with asked():
            await pipe.execute()

    async def leave(self, process: str) -> None:
        """Forget the breakers of a process that stops in order."""
        async with asked():
            await cast(Any, self._redis.hdel(self.breakers, process))

    async def minutes(self, first: int, last: int) -> list[dict[str, Tally]]:
        """Return the tallies by connector for each minute from `first` to `last`."""
        pipe = self._redis.pipeline(transaction=False)
        for minute in range(first, last + 1):
            pipe.hgetall(f"{self.calls}:{minute}")
        async with asked():
            rows = cast(list[dict[bytes, bytes]], await pipe.execute())
        return [_tallies(row) for row in rows]

    async def last_errors(self, connectors: Sequence[str]) -> dict[str, list[Misfortune]]:
        """Return the last errors of each connector, the newest first."""
        pipe = self._redis.pipeline(transaction=False)
        for connector in connectors:
            pipe.lrange(f"{self.errors}:{connector}", 0, MOST_ERRORS - 1)
        async with asked():
            rows = cast(list[list[bytes]], await pipe.execute())
        return {
            connector: [_unpacked(text) for text in row]
            for connector, row in zip(connectors, rows, strict=True)
        }

    async def open_breakers(self, now: datetime) -> tuple[int, dict[str, list[BreakerSeen]]]:
        """Return how many processes say something, and their breakers that are not closed."""
        async with asked():
            rows = cast(dict[bytes, bytes], await cast(Any, self._redis.hgetall(self.breakers)))
            said = {name.decode(): orjson.loads(text) for name, text in rows.items()}
            limit = (now - SILENT).timestamp()
            gone = [name for name, what in said.items() if what["at"] < limit]
            if gone:
                await cast(Any, self._redis.hdel(self.breakers, *gone))
        found: dict[str, list[BreakerSeen]] = {}
        for process in sorted(said.keys() - set(gone)):
            for connector, (state, since) in said[process]["not_closed"].items():
                seen = BreakerSeen(process=process, state=state, since=_moment(since))
                found.setdefault(connector, []).append(seen)
        return len(said) - len(gone), found


def _numbers(tally: Tally) -> list[tuple[str, int]]:
    """Return what is not zero, each under a short name."""
    named = [("calls", tally.calls), *tally.troubles.items()]
    named += [(str(index), number) for index, number in enumerate(tally.numbers)]
    return [(name, number) for name, number in named if number]


def _tallies(row: Mapping[bytes, bytes]) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for field, text in row.items():
        connector, _, name = field.decode().rpartition("|")
        tally = found.setdefault(connector, Tally())
        if name == "calls":
            tally.calls = int(text)
        elif name.isdigit():
            if int(name) <= len(BOUNDS):  # another version may have had more bounds
                tally.numbers[int(name)] = int(text)
        else:
            tally.troubles[cast(Trouble, name)] = int(text)
    return found


def _packed(error: Misfortune) -> bytes:
    return orjson.dumps([error.at.timestamp(), error.trouble, error.path, error.reason])


def _unpacked(text: bytes) -> Misfortune:
    at, trouble, path, reason = orjson.loads(text)
    return Misfortune(at=datetime.fromtimestamp(at, UTC), trouble=trouble, path=path, reason=reason)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
