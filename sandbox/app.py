"""The sandbox as HTTP routes, and as a server of its own (`run.py sandbox`)."""

import asyncio
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RedirectHandler, StaticFileHandler

from sandbox import departments
from sandbox.api import WeChatApi
from sandbox.control import Control
from sandbox.phone import Events, Phones
from sandbox.world import World
from templates.environment import Renderer

STATIC = Path(__file__).parent.parent / "static" / "sandbox"


def sandbox_routes(world: World, renderer: Renderer | None = None) -> list[Any]:
    """Return the routes of WeChat's API, the phones and the control API."""
    here = {"world": world}
    page = {**here, "renderer": renderer or Renderer()}
    return [
        (r"/(?:cgi-bin|wxaapi)/.*", WeChatApi(world)),
        (r"/sandbox", RedirectHandler, {"url": "/sandbox/", "permanent": False}),
        (r"/sandbox/", Phones, page),
        (r"/sandbox/events", Events, here),
        (r"/sandbox/control/([a-z]+)", Control, here),
        (r"/sandbox/static/(.*)", StaticFileHandler, {"path": str(STATIC)}),
    ]


def sandbox_application(world: World) -> Application:
    """Return everything the sandbox serves: WeChat, the phones and the departments."""
    return Application([*sandbox_routes(world), *departments.routes(world.clock)])


async def run_sandbox(world: World, port: int, host: str = "127.0.0.1") -> None:
    """Serve until cancelled."""
    server = HTTPServer(sandbox_application(world))
    server.listen(port, host)
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()
        await world.aclose()
        await server.close_all_connections()
