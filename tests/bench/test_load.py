"""The load generator: every request once, every answer kept with its request."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bench import load
from bench.report import Sample


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A server that answers with the request's body, in two pieces; `bye` closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            body = await reader.readexactly(int(head.split(b"Content-Length: ")[1].split()[0]))
            if body == b"bye":
                break
            status = b"500" if body == b"bad" else b"200"
            writer.write(b"HTTP/1.1 %b X\r\ncontent-length: %d\r\n" % (status, len(body)))
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(b"\r\n" + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def request(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_every_answer_lies_where_its_request_was(echo: int) -> None:
    bodies = [b"message %d" % number for number in range(200)]

    done = await load.run(echo, [request(body) for body in bodies], connections=7)

    assert done.bodies == bodies
    assert done.failures == 0
    assert all(latency > 0 for latency in done.latencies)
    assert 0 < done.percentile_ms(50) <= done.percentile_ms(99)


async def test_an_answer_that_is_not_200_counts_as_failure(echo: int) -> None:
    done = await load.run(echo, [request(b"bad"), request(b"good")], connections=1)

    assert done.failures == 1


async def test_a_server_that_closes_ends_the_run(echo: int) -> None:
    with pytest.raises(ConnectionError, match="closed the connection"):
        await load.run(echo, [request(b"bye"), request(b"more")], connections=1)


def test_requests_a_second_are_requests_over_seconds() -> None:
    sample = Sample(requests=300, seconds=2.0, p50_ms=1, p99_ms=2, cpu_us=100)

    assert sample.per_second == 150
