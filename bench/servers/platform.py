"""A platform that accepts every call at once: what is measured is who calls it."""

import asyncio
import re
import sys
from typing import cast

import uvloop

_BODY = (
    b'{"errcode":0,"errmsg":"ok","msgid":3717005636572528642,'
    b'"access_token":"bench-token-0123456789","expires_in":7200}'
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; encoding=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Platform(asyncio.Protocol):
    """Answers as soon as a request is complete."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(buffer, 0, end)
            total = end + 4 + (int(found.group(1)) if found else 0)
            if len(buffer) < total:
                break
            buffer = buffer[total:]
            assert self._transport is not None
            self._transport.write(ANSWER)
        self._buffer = buffer


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Platform, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
