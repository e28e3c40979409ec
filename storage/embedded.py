"""Open MongoDB and Redis: servers named in the settings, or embedded ones.

`mongo.uri = "embedded"` and `redis.url = "embedded"` mean real servers of our own under
`storage.data_dir`. Whoever finds them running attaches to them. They outlive a SIGKILL of any of
us; the last process to leave in order stops them. There is no other storage code path.
"""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC
from typing import Any, TypeVar

from pymongo import AsyncMongoClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from config.settings import Settings
from domain.errors import ConfigError
from storage.facts import ServerAway
from storage.redis.scripts import StoreAway
from storage.servers.daemon import Daemon
from storage.servers.mongod import Mongod
from storage.servers.redis_server import RedisServer

log = logging.getLogger(__name__)

Document = dict[str, Any]
Server = TypeVar("Server", bound=Daemon)
EMBEDDED = "embedded"
CONNECT_SECONDS = 5
REDIS_SECONDS = 5.0  # no command, a blocking read included, may take longer
WATCH_SECONDS = 0.2
_OUT_OF_SPACE = 14031  # MongoDB's own code; its storage engine says it in words

# what a URI need not say; what it does say wins
MONGO_OPTIONS: dict[str, Any] = {
    "serverSelectionTimeoutMS": CONNECT_SECONDS * 1000,
    "connectTimeoutMS": CONNECT_SECONDS * 1000,
    "socketTimeoutMS": 60_000,
    "w": "majority",
    "journal": True,
}


@asynccontextmanager
async def open_mongo(settings: Settings) -> AsyncIterator[AsyncMongoClient[Document]]:
    """Open MongoDB, with instants in UTC and writes acknowledged by the journal."""
    async with AsyncExitStack() as stack:
        uri = settings.mongo.uri
        if uri == EMBEDDED:
            uri = (await stack.enter_async_context(_attached(_mongod(settings)))).address
        client = _mongo_client(uri)
        stack.push_async_callback(client.close)
        await _greet_mongo(client, uri)
        try:
            yield client
        except ConnectionFailure as error:
            raise ServerAway(_went_away("MongoDB", uri, type(error).__name__)) from error
        except OperationFailure as error:
            if not _is_about_space(error):
                raise
            where = _without_password(uri)
            raise ServerAway(
                f"the disk of MongoDB at {where} is full: free space, then start again"
            ) from error


@asynccontextmanager
async def open_redis(settings: Settings) -> AsyncIterator[Redis]:
    """Open Redis. A lost connection is retried for about a second, a timed-out command is not."""
    async with AsyncExitStack() as stack:
        url = settings.redis.url
        if url == EMBEDDED:
            server = await stack.enter_async_context(_attached(_redis_server(settings)))
            url = f"unix://{server.address}"
        try:
            client: Redis = Redis.from_url(
                url,
                socket_timeout=REDIS_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
                health_check_interval=15,
                retry=Retry(
                    ExponentialBackoff(cap=0.5, base=0.02),
                    6,
                    supported_errors=(RedisConnectionError,),
                ),
            )
        except ValueError as error:
            raise ConfigError(f"setting redis.url: {error}; correct it") from error
        stack.push_async_callback(client.aclose)
        try:
            await client.ping()
        except (RedisError, OSError) as error:
            raise ConfigError(
                f"setting redis.url: no Redis answers at {_without_password(url)} ({error}); start "
                'it, correct the address, or write "embedded" to try things out'
            ) from error
        try:
            yield client
        except (RedisError, StoreAway) as error:
            raise ServerAway(_went_away("Redis", url, type(error).__name__)) from error


@asynccontextmanager
async def keep_running(
    settings: Settings, on_restart: Callable[[str], None]
) -> AsyncIterator[None]:
    """Keep the embedded servers running while the block lasts: one that dies is started again.

    `on_restart` gets the program's name. A start that fails is logged and tried again. Servers of
    one's own are left alone.
    """
    async with AsyncExitStack() as stack:
        servers: list[Daemon] = []
        if settings.mongo.uri == EMBEDDED:
            servers.append(await stack.enter_async_context(_attached(_mongod(settings))))
        if settings.redis.url == EMBEDDED:
            servers.append(await stack.enter_async_context(_attached(_redis_server(settings))))
        watching = asyncio.create_task(_watch(servers, on_restart))
        try:
            yield
        finally:
            watching.cancel()  # before they are stopped in order
            await asyncio.wait({watching})


async def _watch(servers: Sequence[Daemon], on_restart: Callable[[str], None]) -> None:
    while True:
        for server in servers:
            try:
                if await server.revive():
                    on_restart(server.program)
            except ConfigError as error:
                log.error(  # noqa: TRY400 - the sentence says it all, five times a second
                    "embedded.not_restarted",
                    extra={"server": server.program, "reason": str(error)},
                )
        await asyncio.sleep(WATCH_SECONDS)


def _mongod(settings: Settings) -> Mongod:
    return _at_home(Mongod, settings, "mongo")


def _redis_server(settings: Settings) -> RedisServer:
    return _at_home(RedisServer, settings, "redis")


def _at_home(kind: type[Server], settings: Settings, folder: str) -> Server:
    try:
        return kind(settings.storage.data_dir / folder)
    except OSError as error:
        raise ConfigError(
            f"setting storage.data_dir: {error.strerror} at {error.filename}; name a folder that "
            "this user may write"
        ) from error


@asynccontextmanager
async def _attached(server: Server) -> AsyncIterator[Server]:
    presence = await server.attach()
    try:
        yield server
    finally:
        await server.detach(presence)


def _mongo_client(uri: str) -> AsyncMongoClient[Document]:
    said = uri.lower()
    options = {
        name: value for name, value in MONGO_OPTIONS.items() if f"{name.lower()}=" not in said
    }
    try:
        return AsyncMongoClient(uri, tz_aware=True, tzinfo=UTC, appname="weizheng", **options)
    except (ConfigurationError, InvalidURI, ValueError) as error:
        raise ConfigError(f"setting mongo.uri: {error}; correct it") from error


async def _greet_mongo(client: AsyncMongoClient[Document], uri: str) -> None:
    try:
        hello = await client.admin.command("hello")
        await client.admin.command("ping")
    except OperationFailure as error:
        raise ConfigError(
            f"setting mongo.uri: MongoDB refuses us ({error}); correct its user and password"
        ) from error
    except PyMongoError as error:
        raise ConfigError(
            f"setting mongo.uri: no MongoDB answers at {_without_password(uri)}; start it, correct "
            'the address, or write "embedded" to try things out'
        ) from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise ConfigError(
            f"setting mongo.uri: the MongoDB at {_without_password(uri)} is not a replica set, "
            "which transactions need; start it with --replSet and run rs.initiate()"
        )


def _is_about_space(error: OperationFailure) -> bool:
    return error.code == _OUT_OF_SPACE or os.strerror(errno.ENOSPC) in str(error)


def _went_away(server: str, address: str, how: str) -> str:
    where = _without_password(address)
    return f"{server} at {where} stopped answering ({how}): see that it runs, then start again"


def _without_password(address: str) -> str:
    """Return scheme and hosts of a URI: what an error message may show."""
    scheme, _, rest = address.partition("://")
    hosts = rest if scheme == "unix" else rest.partition("/")[0]
    return f"{scheme}://{hosts.rpartition('@')[2]}"
