"""A WeChat platform for tests that answers what it is told, and misbehaves on demand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Misbehaviour:
    """What to do instead of a JSON answer with status 200."""

    status: int = 200
    body: bytes = b""
    promised: int | None = None  # Content-Length, when it is a lie
    cut: bool = False  # close without a word
    silent: bool = False  # never answer


CUT = Misbehaviour(cut=True)
SILENCE = Misbehaviour(silent=True)
HALF = Misbehaviour(body=b'{"errcode":0,"msg', promised=60)
HTML_502 = Misbehaviour(status=502, body=b"<html>Bad Gateway</html>")
HTML_200 = Misbehaviour(body=b"<!DOCTYPE html><html>maintenance</html>")
EMPTY = Misbehaviour()

Answer = dict[str, Any] | bytes | Misbehaviour | Callable[[Asked], Any]


@dataclass
class WeChatStub:
    """Answers per path from a list, the last one again and again; keeps what was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    tokens_given: int = 0
    _answers: dict[str, list[Answer]] = field(default_factory=dict)

    def on(self, path: str, *answers: Answer) -> None:
        """Say how to answer calls to `path` from now on."""
        self._answers[path] = list(answers)

    def calls(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def next_token(self, asked: Asked) -> dict[str, Any]:
        """Answer a token call with a new token each time."""
        self.tokens_given += 1
        return {"access_token": f"token-{self.tokens_given}", "expires_in": 7200}

    def _answer_to(self, asked: Asked) -> Any:
        self.asked.append(asked)
        answers = self._answers.get(asked.path)
        if not answers:
            return {"errcode": 40066, "errmsg": "invalid url"}
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer(asked) if callable(answer) else answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away, as the tests of time-outs want
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        answer = self._answer_to(Asked(method, parts.path, query, headers, body))
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, dict):
            answer = json.dumps(answer, ensure_ascii=False).encode()
        if isinstance(answer, bytes):
            answer = Misbehaviour(body=answer)
        if answer.silent:
            await reader.read()  # until the client gives up
        if answer.cut or answer.silent:
            return False
        length = len(answer.body) if answer.promised is None else answer.promised
        # JSON under text/plain: the platform does so
        writer.write(
            f"HTTP/1.1 {answer.status} X\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
            + answer.body
        )
        await writer.drain()
        return answer.promised is None


@asynccontextmanager
async def wechat_stub() -> AsyncIterator[WeChatStub]:
    """Run a `WeChatStub` on a free port; it gives out tokens unless told otherwise."""
    stub = WeChatStub()
    stub.on("/cgi-bin/stable_token", stub.next_token)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await stub.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield stub
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
