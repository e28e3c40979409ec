"""The push engine for its tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from pymongo.asynchronous.database import AsyncDatabase
from redis.asyncio import Redis

from config.settings import Settings
from storage.mongo.fields import FieldCipher
from tests.support.platform import Platform, running_platform
from tests.support.push import Engine, FlowingClock

MakeEngine = Callable[..., Awaitable[Engine]]


@pytest.fixture
def clock() -> FlowingClock:
    """A clock that runs, starting on a Tuesday at 10:00 in Beijing."""
    return FlowingClock()


@pytest.fixture
async def platform(clock: FlowingClock) -> AsyncIterator[Platform]:
    """A platform that remembers every card."""
    async with running_platform(clock) as running:
        yield running


@pytest.fixture
async def make_engine(
    mongo: AsyncDatabase[dict[str, Any]],
    redis: Redis,
    fields: FieldCipher,
    settings: Settings,
    platform: Platform,
    clock: FlowingClock,
) -> AsyncIterator[MakeEngine]:
    """Build engines with other paces and sizes."""
    async with aiohttp.ClientSession() as http:

        async def make(**options: Any) -> Engine:
            engine = Engine(mongo, redis, fields, http, settings, platform, clock, **options)
            await engine.create_indexes()
            return engine

        yield make


@pytest.fixture
async def engine(make_engine: MakeEngine) -> Engine:
    """An engine with small batches, no quiet hours and no noticeable limit."""
    return await make_engine()
