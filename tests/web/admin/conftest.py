"""A served console for each test, on a database of its own; the clock stands still."""

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from runtime.context import open_context
from tests.support.clock import FakeClock
from tests.support.console import Console, open_console
from tests.support.town import Town, open_town
from tests.support.web import serving


@pytest.fixture
async def console(
    settings: Settings, mongo: object, redis: object, clock: FakeClock
) -> AsyncIterator[Console]:
    """The console alone: no worker, no WeChat. `await console.as_(roles=("editor",))` signs in."""
    async with (
        open_context(settings, clock) as ctx,
        serving(ctx, settings.server.port) as base,
        open_console(ctx, base) as opened,
    ):
        yield opened


@pytest.fixture
async def town(settings: Settings, mongo: object, redis: object) -> AsyncIterator[Town]:
    """The whole product and the sandbox as WeChat, with the real clock."""
    async with open_town(
        settings.storage.data_dir, database=settings.mongo.database, port=settings.server.port
    ) as opened:
        yield opened


@pytest.fixture
async def town_console(town: Town) -> AsyncIterator[Console]:
    """The console of `town`, where broadcasts are really sent."""
    async with open_console(town.ctx, town.base) as opened:
        yield opened
