"""Departments over real HTTP for tests: the sandbox's, and one that answers what it is told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from domain.clock import Clock
from sandbox.departments import routes

PAYLOADS = Path(__file__).parent.parent / "payloads"


def payload(name: str) -> bytes:
    """Return a captured answer, for example `social/employee`."""
    return (PAYLOADS / f"{name}.json").read_bytes()


@asynccontextmanager
async def sandbox_departments(
    clock: Clock, secrets: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Run the sandbox's departments on a free port; yields their common address."""
    listener, port = bind_unused_port(address="127.0.0.1")
    server = HTTPServer(Application(routes(clock, secrets)))
    server.add_socket(listener)
    try:
        yield f"http://127.0.0.1:{port}/sandbox/departments"
    finally:
        server.stop()
        await server.close_all_connections()


@dataclass
class StubDepartment:
    """A department that answers from a list, the last one again and again, and keeps count."""

    answers: list[Any] = field(default_factory=list)  # bytes, a status, or a coroutine function
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def asked(self, times: int) -> None:
        """Wait until that many requests have come."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.requests) >= times)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        async with self._news:
            self._news.notify_all()
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, bytes):
            return web.Response(body=answer, content_type="application/json")
        if isinstance(answer, int):
            return web.Response(status=answer, text="<html>trouble</html>")
        if isinstance(answer, tuple):
            return web.json_response({"code": answer[1]}, status=answer[0])
        response: web.StreamResponse = await answer(request)
        return response


@asynccontextmanager
async def stub_department(*answers: Any) -> AsyncIterator[StubDepartment]:
    """Run a `StubDepartment` on a free port."""
    stub = StubDepartment(list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stub.url = f"http://{host}:{port}"
    try:
        yield stub
    finally:
        await runner.cleanup()
