"""Fixtures for all tests: real servers once per session, an empty database for each test."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
import uvloop
from hypothesis import settings
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from redis.asyncio import Redis

from config.settings import Settings
from storage.embedded import Document, open_mongo, open_redis
from tests.support.clock import FakeClock
from tests.support.databases import Databases
from tests.support.ports import find_free_port
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from storage.mongo.fields import FieldCipher


# ADR 33: a build draws the same examples each time; `make explore` draws others
settings.register_profile("build", derandomize=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile("build")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run all tests on the event loop the product runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """A `storage.data_dir` for the whole session."""
    folder = Path(tempfile.mkdtemp(prefix="wz-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def mongo_client(data_dir: Path) -> AsyncIterator[AsyncMongoClient[Document]]:
    """The client of the session's mongod; most tests want `mongo`."""
    async with open_mongo(make_settings(data_dir)) as client:
        # it would delete by its own clock what is still young by the test's
        await client.admin.command({"setParameter": 1, "ttlMonitorEnabled": False})
        yield client


@pytest.fixture(scope="session")
async def redis_client(data_dir: Path) -> AsyncIterator[Redis]:
    """The client of the session's redis-server; most tests want `redis`."""
    async with open_redis(make_settings(data_dir)) as client:
        yield client


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on; for more, `tests.support.ports`."""
    return find_free_port()


@pytest.fixture(scope="session")
def databases(mongo_client: AsyncMongoClient[Document]) -> Databases:
    """Where tests have their databases from."""
    return Databases(mongo_client)


@pytest.fixture
def settings(
    data_dir: Path,
    databases: Databases,
    redis_client: Redis,
    free_port: int,
    request: pytest.FixtureRequest,
) -> Settings:
    """Settings with accounts city (safe), plain and both (compatible), on the running servers.

    The database is this test's own: the one that `mongo` gives.
    """
    return make_settings(data_dir, database=databases.take(request.path), port=free_port)


@pytest.fixture
async def mongo(
    settings: Settings,
    mongo_client: AsyncMongoClient[Document],
    databases: Databases,
    request: pytest.FixtureRequest,
) -> AsyncIterator[AsyncDatabase[Document]]:
    """A MongoDB database without a document."""
    yield mongo_client[settings.mongo.database]
    await databases.give_back(request.path, settings.mongo.database)


@pytest.fixture
async def redis(redis_client: Redis) -> Redis:
    """An empty Redis."""
    await redis_client.flushdb()
    return redis_client


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when told to; it starts on a Tuesday at 10:00 in Beijing."""
    return FakeClock()


@pytest.fixture
async def fields(
    mongo_client: AsyncMongoClient[Document],
    mongo: AsyncDatabase[Document],
    settings: Settings,
) -> "AsyncIterator[FieldCipher]":
    """The cipher of personal fields, with its key vault in `mongo`."""
    from storage.mongo.fields import FieldCipher

    cipher = await FieldCipher.open(mongo_client, mongo.name, settings.security.master_key)
    yield cipher
    await cipher.aclose()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client for HTTP on this machine."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session
