"""A web server for each test, with one account in each mode."""

from collections.abc import AsyncIterator

import pytest

from tests.support.web import Outbox, SmallContext, Talk, make_context, make_dispatcher, serving


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
async def ctx(redis, settings, clock, talk) -> AsyncIterator[SmallContext]:
    dispatcher = make_dispatcher(redis, settings, clock, talk, Outbox(), patience=2.0, grace=0.2)
    yield make_context(redis, settings, clock, dispatcher)
    await dispatcher.aclose()


@pytest.fixture
async def site(ctx: SmallContext, free_port: int) -> AsyncIterator[str]:
    """The address of the running server."""
    async with serving(ctx, free_port) as address:
        yield address
