"""A web process that is told to stop: whoever has written already still gets an answer."""

import asyncio

import aiohttp
import pytest

from domain.conversation import Answer
from runtime.roles import running
from tests.support.web import SmallContext
from tests.support.wechat import Platform
from web.app import SERVER_OPTIONS, make_app


@pytest.fixture
def listening(ctx: SmallContext, free_port: int) -> SmallContext:
    """The context of a process that listens on a port of its own."""
    server = ctx.settings.server.model_copy(update={"port": free_port})
    ctx.settings = ctx.settings.model_copy(update={"server": server})
    return ctx


async def test_a_message_at_work_is_answered_before_the_process_stops(
    listening, http, talk, settings, clock, free_port
):
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> Answer:
        entered.set()
        await go_on.wait()
        return Answer("text", "办好了")

    talk.answerer = slow
    platform = Platform(settings.account("city"), clock)
    query, body = platform.wrap(platform.text("你好"))
    address = f"http://127.0.0.1:{free_port}/wechat/city"

    async def deliver() -> bytes:
        async with http.post(address, params=query, data=body) as response:
            return await response.read()

    async with running(listening, frozenset({"web"}), make_app, SERVER_OPTIONS):
        delivery = asyncio.create_task(deliver())
        await entered.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)  # by then it is stopping

    assert platform.read(await delivery)["Content"] == "办好了"
    with pytest.raises(aiohttp.ClientConnectionError):
        await deliver()
