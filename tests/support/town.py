"""The whole product and its sandbox on one port, driven over HTTP as WeChat and departments do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from config.settings import Settings
from domain.clock import SystemClock
from domain.ids import AccountId
from runtime.context import AppContext, open_context
from runtime.roles import ALL_ROLES, running
from sandbox import departments
from sandbox.app import sandbox_routes
from sandbox.world import World
from tests.support.settings import make_settings
from web.app import SERVER_OPTIONS, make_app


class HurriedClock:
    """The service's time: the machine's, and what a test has put it on by."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return SystemClock().now() + self._ahead

    def put_on(self, by: timedelta) -> None:
        """Let so much time pass at once."""
        self._ahead += by


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A running city: its context, the simulated platform, and a way to talk to both."""

    settings: Settings
    ctx: AppContext
    world: World
    clock: HurriedClock
    http: aiohttp.ClientSession
    base: str

    async def act(self, verb: str, account: str, openid: str, **body: Any) -> dict[str, Any]:
        """Let a citizen do something and return what the platform saw."""
        address = f"{self.base}/sandbox/control/{verb}"
        content = {"account": account, "openid": openid, **body}
        async with self.http.post(address, json=content) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def control(self, verb: str, **body: Any) -> dict[str, Any]:
        """Tell the platform how to behave."""
        async with self.http.post(f"{self.base}/sandbox/control/{verb}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def read(self, what: str, **query: Any) -> dict[str, Any]:
        """Read what the platform knows."""
        address = f"{self.base}/sandbox/control/{what}"
        async with self.http.get(address, params=query) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def says(self, account: str, openid: str, text: str) -> str:
        """Return what a citizen reads after writing this."""
        return str((await self.act("text", account, openid, text=text))["reply"].get("text", ""))

    async def taps(self, account: str, openid: str, key: str) -> str:
        """Return what a citizen reads after a tap on the menu."""
        return str((await self.act("click", account, openid, key=key))["reply"].get("text", ""))

    async def key(self, account: str, *scopes: str) -> dict[str, str]:
        """Make an API key and return the header that carries it."""
        key = await self.ctx.api_keys.create(
            AccountId(account), "test", scopes, now=self.ctx.clock.now()
        )
        return {"Authorization": f"Bearer {key}"}

    async def post(
        self, path: str, content: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Call the departments' API."""
        async with self.http.post(
            f"{self.base}/api/v1/{path}", json=content, headers=headers
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """Read from the departments' API."""
        async with self.http.get(f"{self.base}/api/v1/{path}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())


@asynccontextmanager
async def open_town(
    data_dir: Path, *, database: str, port: int, **sections: Any
) -> AsyncIterator[Town]:
    """Run everything in this process, on one port, without quiet hours.

    `sections` replace whole sections of the settings.
    """
    base = f"http://127.0.0.1:{port}"
    settings = make_settings(
        data_dir,
        database=database,
        port=port,
        api_base=base,
        **{"push": {"lease_seconds": 1, "quiet_hours": ""}, **sections},
    )
    clock = HurriedClock()
    async with open_context(settings, clock) as ctx:
        world = World.from_settings(
            settings.accounts, callback_base=base, menu=ctx.catalogue.menu, seed=1
        )
        routes = [*sandbox_routes(world, ctx.renderer), *departments.routes(world.clock)]
        app = partial(make_app, extra_routes=routes)
        try:
            async with (
                running(ctx, ALL_ROLES, app, SERVER_OPTIONS),
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
            ):
                yield Town(
                    settings=settings, ctx=ctx, world=world, clock=clock, http=http, base=base
                )
        finally:
            await world.aclose()
