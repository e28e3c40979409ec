"""A load generator: kept connections, requests built beforehand, one in flight per connection.

It does as little as possible per answer, so that what is measured is the server: about 10 µs
of its own core.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

CONNECTIONS = 64
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"


@dataclass(slots=True)
class Load:
    """What came back: one answer per request, in the order of the requests."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # seconds
    statuses: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that so many percent of the requests stayed under."""
        ordered = sorted(self.latencies)
        place = min(len(ordered) - 1, int(len(ordered) * percent / 100))
        return ordered[place] * 1000

    @property
    def failures(self) -> int:
        """Return how many answers were not 200."""
        return sum(status != b"200" for status in self.statuses)


async def run(
    port: int, requests: Sequence[bytes], *, connections: int = CONNECTIONS, limit: float = 60.0
) -> Load:
    """Send every request once and wait for all answers, at most `limit` seconds."""
    load = Load(
        latencies=[0.0] * len(requests),
        statuses=[b""] * len(requests),
        bodies=[b""] * len(requests),
    )
    queue = iter(enumerate(requests))
    loop = asyncio.get_running_loop()
    clients: list[_Client] = []
    for _ in range(min(connections, len(requests))):
        _, client = await loop.create_connection(lambda: _Client(queue, load), "127.0.0.1", port)
        clients.append(client)
    begin = time.perf_counter()
    for client in clients:
        client.send_next()
    try:
        async with asyncio.timeout(limit):
            await asyncio.gather(*(client.finished for client in clients))
    finally:
        for client in clients:
            client.close()
    load.seconds = time.perf_counter() - begin
    return load


class _Client(asyncio.Protocol):
    """One connection, which takes the next request whenever it has its answer."""

    def __init__(self, queue: Iterator[tuple[int, bytes]], load: Load) -> None:
        self._queue = queue
        self._load = load
        self._buffer = b""
        self._number = -1
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it

    def send_next(self) -> None:
        following = next(self._queue, None)
        if following is None:
            if not self.finished.done():
                self.finished.set_result(None)
            return
        self._number, request = following
        self._sent = time.perf_counter()
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(_END)
        if end < 0:
            self._buffer = buffer
            return
        found = _LENGTH.search(buffer, 0, end)
        total = end + 4 + (int(found.group(1)) if found else 0)
        if len(buffer) < total:
            self._buffer = buffer
            return
        load, number = self._load, self._number
        load.latencies[number] = time.perf_counter() - self._sent
        load.statuses[number] = buffer[9:12]
        load.bodies[number] = buffer[end + 4 : total]
        self._buffer = b""
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(
                ConnectionError(f"the server closed the connection during request {self._number}")
            )

    def close(self) -> None:
        if not self.finished.done():
            self.finished.cancel()
        if self._transport is not None:
            self._transport.close()
