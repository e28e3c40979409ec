"""Commands as processes, on the session's servers and a sandbox of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tornado.httpserver import HTTPServer

from config.settings import Settings, load_settings
from sandbox.app import sandbox_application
from sandbox.world import World
from tests.support.ports import find_free_port
from tests.support.program import finished


class Done(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Awaitable[Done]]


@pytest.fixture
async def sandbox_url() -> AsyncIterator[str]:
    """A sandbox that knows the account of the shipped settings."""
    port = find_free_port()
    accounts = load_settings(Path("config/settings.toml"), env={}).accounts
    world = World.from_settings(accounts, callback_base="http://127.0.0.1:9")
    server = HTTPServer(sandbox_application(world))
    server.listen(port, "127.0.0.1")
    yield f"http://127.0.0.1:{port}"
    server.stop()
    await world.aclose()
    await server.close_all_connections()


@pytest.fixture
def env(settings: Settings, sandbox_url: str) -> dict[str, str]:
    """What turns the shipped settings into this test's."""
    return {
        "WEIZHENG_CONFIG": "config/settings.toml",
        "WEIZHENG_STORAGE__DATA_DIR": str(settings.storage.data_dir),
        "WEIZHENG_MONGO__DATABASE": settings.mongo.database,
        "WEIZHENG_ACCOUNTS__0__API_BASE": sandbox_url,
    }


@pytest.fixture
def command(env: dict[str, str], redis, mongo) -> Command:
    """Run `run.py` with arguments to its end; keyword arguments override the environment."""

    async def run(*arguments: str, stdin: str = "", **overrides: str) -> Done:
        return Done(
            *await finished("run.py", *arguments, env=env | overrides, stdin=stdin.encode())
        )

    return run
