"""Two web processes and one push process on the same embedded servers."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from config.settings import load_settings
from domain.clock import SystemClock
from tests.support.ports import find_free_port
from tests.support.program import line_with, running
from tests.support.wechat import Platform

CONFIG = Path("config/settings.toml")
HEALTHY_SECONDS = 30
COUNTED = re.compile(r"^weizheng_repeated_pushes_total(?:{[^}]*})? (\S+)$", re.MULTILINE)


@pytest.fixture
async def two_webs(
    data_dir: Path, mongo_client: object, redis_client: object
) -> AsyncIterator[list[str]]:
    """The addresses of two web processes; a push process and a sandbox run beside them."""
    sandbox, *webs = (find_free_port() for _ in range(3))
    common = {
        "WEIZHENG_STORAGE__DATA_DIR": str(data_dir),
        "WEIZHENG_MONGO__DATABASE": f"processes_{secrets.token_hex(4)}",
        "WEIZHENG_ACCOUNTS__0__API_BASE": f"http://127.0.0.1:{sandbox}",
        "WEIZHENG_DEPARTMENTS__TRAFFIC__BASE_URL": (
            f"http://127.0.0.1:{sandbox}/sandbox/departments/traffic"
        ),
    }
    async with AsyncExitStack() as stack:
        played = await stack.enter_async_context(
            running("run.py", "sandbox", "--port", str(sandbox), env=common)
        )
        await line_with(played, "sandbox:")
        await stack.enter_async_context(running("run.py", "serve", "--roles", "push", env=common))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        for port in webs:
            env = {**common, "WEIZHENG_SERVER__PORT": str(port)}
            await stack.enter_async_context(running("run.py", "serve", "--roles", "web", env=env))
        addresses = [f"http://127.0.0.1:{port}" for port in webs]
        await asyncio.gather(*(healthy(http, address) for address in addresses))
        # the department takes its time, so that the second delivery finds the first one running
        fault = {"kind": "slow", "seconds": 1.5, "times": 1}
        async with http.post(
            f"http://127.0.0.1:{sandbox}/sandbox/departments/traffic/fault", json=fault
        ) as answer:
            assert answer.status == 200, await answer.text()
        yield addresses


async def test_a_push_that_reaches_both_is_answered_once_and_alike(two_webs):
    platform = Platform(
        load_settings(CONFIG).accounts[0], SystemClock(), openid=f"o{secrets.token_hex(13)}A"
    )
    push = platform.wrap(platform.text("违章 粤B12345 02 1234"))

    async with aiohttp.ClientSession() as http:
        first, second = await asyncio.gather(
            *(deliver(http, web, platform, push) for web in two_webs)
        )
        third = await deliver(http, two_webs[1], platform, push)
        repeats = [await repeated(http, web) for web in two_webs]

    assert first == second == third
    assert "粤B****5" in first
    assert sum(repeats) == 2  # three deliveries, one of which ran the handler


async def deliver(http: aiohttp.ClientSession, web: str, platform: Platform, push: object) -> str:
    """Deliver the very same request and return the text of the reply."""
    query, body = push
    async with http.post(f"{web}/wechat/city", params=query, data=body) as answer:
        assert answer.status == 200, await answer.text()
        return platform.read(await answer.read())["Content"]


async def repeated(http: aiohttp.ClientSession, web: str) -> float:
    """Return how many pushes this process answered from an earlier delivery."""
    async with http.get(f"{web}/metrics") as answer:
        found = COUNTED.search(await answer.text())
        assert found is not None
        return float(found.group(1))


async def healthy(http: aiohttp.ClientSession, address: str) -> None:
    """Wait until a process is ready."""
    async with asyncio.timeout(HEALTHY_SECONDS):
        while True:
            try:
                async with http.get(f"{address}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)
