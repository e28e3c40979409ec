"""A platform that accepts every template message at once and remembers when it came.

What is measured is who calls it; what it remembers proves that nobody was left out or got two.
`GET /_reset?latency=0.08` begins a new book, in which answers take so many seconds;
`GET /_tally` tells its figures, `GET /_count` the first of them, `GET /_sends` every send as
[client_msg_id, Unix time].
Sends without a client_msg_id, or with one that begins with `bench-` (they belong to clients that
are compared with ours), are accepted and not remembered.
"""

import asyncio
import re
import sys
import time
from collections import Counter
from typing import cast
from urllib.parse import parse_qs, urlsplit

import orjson
import uvloop

FIRST_MSGID = 3717005636572528642
_SEND = b"POST /cgi-bin/message/template/send"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEY = re.compile(rb'"client_msg_id": ?"([^"]*)"')
_TOKEN = b'{"errcode":0,"errmsg":"ok","access_token":"bench-token-0123456789","expires_in":7200}'


class Book:
    """Every send since the last reset."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.msgid = FIRST_MSGID
        self.keys: list[bytes] = []
        self.times: list[float] = []

    def reset(self, latency: float) -> None:
        self.latency = latency
        self.keys = []
        self.times = []

    def tally(self) -> dict[str, object]:
        """Return the figures: how many, of whom twice, when, how many in the fullest second."""
        distinct = len(set(self.keys))
        return {
            "total": len(self.keys),
            "distinct": distinct,
            "first": self.times[0] if self.times else None,
            "last": self.times[-1] if self.times else None,
            "fullest_second": _fullest_second(self.times),
        }

    def sends(self) -> list[tuple[str, float]]:
        """Return every send with its moment."""
        return [(key.decode(), at) for key, at in zip(self.keys, self.times, strict=True)]

    def doubled(self) -> int:
        """Return how many sends came again."""
        return sum(times - 1 for times in Counter(self.keys).values())


class Recorder(asyncio.Protocol):
    """One connection."""

    book = Book()

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(buffer, 0, end)
            total = end + 4 + (int(found.group(1)) if found else 0)
            if len(buffer) < total:
                break
            self._answer(buffer[:total])
            buffer = buffer[total:]
        self._buffer = buffer

    def _answer(self, request: bytes) -> None:
        if request.startswith(_SEND):
            self._accept(request)
        elif request.startswith(b"GET /_"):
            self._write(self._told(request))
        else:
            self._write(_TOKEN)

    def _accept(self, request: bytes) -> None:
        book = self.book
        found = _KEY.search(request)
        key = found.group(1) if found else b""
        if not key or key.startswith(b"bench-"):
            msgid = FIRST_MSGID
        else:
            book.keys.append(key)
            book.times.append(time.time())
            book.msgid += 1
            msgid = book.msgid
        body = b'{"errcode":0,"errmsg":"ok","msgid":%d}' % msgid
        if book.latency:
            asyncio.get_running_loop().call_later(book.latency, self._write, body)
        else:
            self._write(body)

    def _told(self, request: bytes) -> bytes:
        target = urlsplit(request.split(b" ", 2)[1].decode())
        if target.path == "/_reset":
            self.book.reset(float(parse_qs(target.query).get("latency", ["0"])[0]))
            return b"{}"
        if target.path == "/_count":
            return b'{"total":%d}' % len(self.book.keys)
        if target.path == "/_sends":
            return orjson.dumps(self.book.sends())
        return orjson.dumps(self.book.tally() | {"doubled": self.book.doubled()})

    def _write(self, body: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json; encoding=utf-8\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )


def _fullest_second(times: list[float]) -> int:
    """Return the most sends in any window of one second."""
    most = begin = 0
    for end, moment in enumerate(times):
        while times[begin] <= moment - 1.0:
            begin += 1
        most = max(most, end - begin + 1)
    return most


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Recorder, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
