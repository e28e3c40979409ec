"""A whole town for each story."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from config.settings import Settings
from tests.support.town import Town, open_town


@pytest.fixture
async def town(settings: Settings, mongo: object, redis: Redis) -> AsyncIterator[Town]:
    """The product and its sandbox on one port, with an empty database."""
    async with open_town(
        settings.storage.data_dir, database=settings.mongo.database, port=settings.server.port
    ) as opened:
        yield opened
