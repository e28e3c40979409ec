"""Ways to send template messages, each a process of its own: `python -m bench.senders WHO PORT N`.

Prints one line of JSON: what N sends took.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import aiohttp
import orjson
import uvloop

from connectors.session import open_http
from connectors.wechat.api import TEMPLATE_SEND, WeChatApi
from connectors.wechat.tokens import TokenKeeper
from domain.clock import SystemClock

AT_ONCE = 64
THREADS = 32
TEMPLATE = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"
OPENID = "oAbCd1234567890EfGhIjKlMnOpQ"
URL = "https://example.org/wechat/notices/20261124/outage?from=template"
DATA = {
    "thing1": "东湖街道、黄贝街道部分小区",
    "time2": "2026年11月24日 08:00",
    "time3": "2026年11月24日 17:00",
    "thing4": "供水管网改造施工",
    "character_string5": "GS202611240001",
}

Send = Callable[[int], Awaitable[object]]


class NoStore:
    """A token store for one process."""

    async def load(self, app_id: str) -> bytes | None:
        return None

    async def claim(self, app_id: str, lease: timedelta) -> str | None:
        return "mine"

    async def save(self, app_id: str, claim: str, content: bytes, ttl: timedelta) -> bool:
        return True

    async def release(self, app_id: str, claim: str) -> None:
        return None


async def ours(http: aiohttp.ClientSession, base: str, count: int) -> list[float]:
    """Send by `WeChatApi.send_template`."""
    keeper = TokenKeeper("wxbench", "secret", base, http, NoStore(), SystemClock())
    api = WeChatApi(http, api_base=base, app_id="wxbench", app_secret="secret", tokens=keeper)

    async def send(number: int) -> None:
        message_id = await api.send_template(
            openid=OPENID,
            template_id=TEMPLATE,
            data=DATA,
            url=URL,
            client_msg_id=f"bench-{number}",
        )
        assert message_id == "3717005636572528642"

    return await _timed(send, count)


async def bare(http: aiohttp.ClientSession, base: str, count: int) -> list[float]:
    """Send by the same client and nothing around it."""
    url = f"{base}{TEMPLATE_SEND}?access_token=bench-token-0123456789"

    async def send(number: int) -> None:
        body = orjson.dumps(
            {
                "touser": OPENID,
                "template_id": TEMPLATE,
                "url": URL,
                "client_msg_id": f"bench-{number}",
                "data": {key: {"value": value} for key, value in DATA.items()},
            }
        )
        async with http.post(url, data=body) as response:
            answer = orjson.loads(await response.read())
        assert answer["msgid"] == 3717005636572528642

    return await _timed(send, count)


async def _timed(send: Send, count: int) -> list[float]:
    """Send so many, 64 at once, and return how long each took."""
    latencies: list[float] = []
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for number in numbers:
            begin = time.perf_counter()
            await send(number)
            latencies.append(time.perf_counter() - begin)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_the_other())
    return latencies


def wechatpy(base: str, count: int) -> list[float]:
    """Send by wechatpy's client, in threads."""
    from wechatpy import WeChatClient  # noqa: PLC0415 - imported by the process that measures it

    client = WeChatClient("wxbench", "secret", access_token="bench-token-0123456789")
    client.API_BASE_URL = f"{base}/cgi-bin/"
    client.expires_at = int(time.time()) + 7200
    data = {key: {"value": value} for key, value in DATA.items()}

    def send(_number: int) -> float:
        begin = time.perf_counter()
        answer = client.message.send_template(OPENID, TEMPLATE, data, URL)
        assert answer["msgid"] == 3717005636572528642
        return time.perf_counter() - begin

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(send, range(count)))


async def _by_aiohttp(who: str, base: str, count: int) -> tuple[list[float], float, float]:
    sender = {"ours": ours, "bare": bare}[who]
    async with open_http(connections=AT_ONCE) as http:
        await sender(http, base, 200)  # connections, caches
        wall, cpu = time.perf_counter(), time.process_time()
        latencies = await sender(http, base, count)
        return latencies, time.perf_counter() - wall, time.process_time() - cpu


def main(who: str, port: int, count: int) -> None:
    base = f"http://127.0.0.1:{port}"
    if who == "wechatpy":
        wechatpy(base, THREADS)
        start, cpu_start = time.perf_counter(), time.process_time()
        latencies = wechatpy(base, count)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            latencies, wall, cpu = runner.run(_by_aiohttp(who, base, count))
    latencies.sort()
    print(
        json.dumps(
            {
                "requests": count,
                "seconds": wall,
                "p50_ms": latencies[count // 2] * 1000,
                "p99_ms": latencies[count * 99 // 100] * 1000,
                "cpu_us": cpu / count * 1e6,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
