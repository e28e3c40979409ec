"""A sandbox and a tiny service, each on a port of its own."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from sandbox.app import sandbox_application
from sandbox.world import World
from tests.sandbox.service import Callback, MiniService
from tests.support.clock import FakeClock
from tests.support.settings import make_settings

ANNA = "oTestAnnaAAAAAAAAAAAAAAAAAAA"
BEN = "oTestBenBBBBBBBBBBBBBBBBBBBB"
OUTAGE = {
    "thing1": {"value": "南山区粤海街道"},
    "time2": {"value": "2026年12月01日 08:00"},
    "time3": {"value": "2026年12月01日 17:00"},
    "thing4": {"value": "管网检修"},
}


def _listen(application: Application) -> tuple[HTTPServer, str]:
    server = HTTPServer(application)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    return server, f"http://127.0.0.1:{sockets[0].getsockname()[1]}"


@dataclass
class SandboxClient:
    """Speaks to the sandbox as tests and the product do: over HTTP."""

    base: str
    http: aiohttp.ClientSession
    world: World
    token: str = ""

    async def do(self, verb: str, *, expect: int = 200, **content: Any) -> dict[str, Any]:
        """Use the control API."""
        async with self.http.post(f"{self.base}/sandbox/control/{verb}", json=content) as response:
            answer = await response.json()
            assert response.status == expect, answer
            return answer

    async def read(self, what: str, **query: Any) -> dict[str, Any]:
        """Read through the control API."""
        url = f"{self.base}/sandbox/control/{what}"
        async with self.http.get(url, params=query) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def chat(self, openid: str, **query: Any) -> list[dict[str, Any]]:
        """Return a chat's lines."""
        return (await self.read("chat", openid=openid, **query))["entries"]

    async def get_token(self, account: str = "city", **changes: str) -> dict[str, Any]:
        """Ask `/cgi-bin/token`."""
        settings = self.world.accounts[account]
        query = {
            "grant_type": "client_credential",
            "appid": settings.app_id,
            "secret": settings.secret,
        }
        async with self.http.get(f"{self.base}/cgi-bin/token", params=query | changes) as response:
            assert response.status == 200
            return await response.json()

    async def stable_token(self, *, force: bool = False, account: str = "city") -> dict[str, Any]:
        """Ask `/cgi-bin/stable_token`."""
        settings = self.world.accounts[account]
        content = {
            "grant_type": "client_credential",
            "appid": settings.app_id,
            "secret": settings.secret,
            "force_refresh": force,
        }
        async with self.http.post(f"{self.base}/cgi-bin/stable_token", json=content) as response:
            return await response.json()

    async def call(
        self, path: str, content: Any = None, *, token: str | None = None, **query: str
    ) -> dict[str, Any]:
        """Call WeChat's API with a token; GET without content, POST with."""
        if token is None:
            self.token = self.token or (await self.get_token())["access_token"]
            token = self.token
        url = f"{self.base}/cgi-bin/{path}"
        query = {"access_token": token, **query}
        if content is None:
            request = self.http.get(url, params=query)
        elif isinstance(content, bytes):
            request = self.http.post(url, params=query, data=content)
        else:
            request = self.http.post(url, params=query, json=content)
        async with request as response:
            assert response.status == 200
            return await response.json(content_type=None)

    async def send_template(self, openid: str = ANNA, **changes: Any) -> dict[str, Any]:
        """Send an outage notice."""
        content = {
            "touser": openid,
            "template_id": "city-outage_notice",
            "url": "https://example.org/n/1",
            "data": OUTAGE,
        }
        return await self.call("message/template/send", content | changes)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[tuple[MiniService, str]]:
    """The tiny service and its address."""
    settings = make_settings(tmp_path)
    service = MiniService({account.id: account for account in settings.accounts})
    routes = [(r"/wechat/(\w+)", Callback, {"service": service})]
    server, base = _listen(Application(routes))
    yield service, base
    server.stop()
    await server.close_all_connections()


@pytest.fixture
def mini(service: tuple[MiniService, str]) -> MiniService:
    """The tiny service."""
    return service[0]


@pytest.fixture
async def sandbox(
    service: tuple[MiniService, str], http: aiohttp.ClientSession, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[SandboxClient]:
    """A sandbox on a clock that stands still, with two followers of `city`."""
    menu: Mapping[str, Any] = {
        "button": [
            {
                "name": "查询",
                "sub_button": [{"type": "click", "name": "公积金查询", "key": "query.fund"}],
            },
            {"type": "view", "name": "官网", "url": "https://example.org/"},
        ]
    }
    world = World.from_settings(
        make_settings(tmp_path).accounts,
        callback_base=service[1],
        menu=menu,
        clock=clock,
        seed=1,
    )
    world.courier.habits.retry_pause = 0.0
    world.add_openids("city", [ANNA, BEN])
    habits = world.accounts["city"].habits
    habits.delay_min = habits.delay_max = 0.0
    server, base = _listen(sandbox_application(world))
    yield SandboxClient(base, http, world)
    await world.aclose()
    server.stop()
    await server.close_all_connections()
