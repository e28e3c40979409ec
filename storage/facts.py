"""What the two servers say of themselves (数据库状况): version, time, what Redis keeps."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.errors import ServiceError

SECONDS = 3.0


class ServerAway(ServiceError):
    """A database does not answer."""

    code = "store_unavailable"
    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoFacts:
    """MongoDB's version and what time it has."""

    version: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """Redis's version, its time, and what happens to keys when it stops or is full."""

    version: str
    now: datetime
    is_master: bool
    keeps_over_restart: bool
    evicts: str  # the policy under which keys go when it is full; empty: none go


async def mongo_facts(database: AsyncDatabase[dict[str, Any]]) -> MongoFacts:
    """Ask MongoDB, or raise `ServerAway`."""
    try:
        async with asyncio.timeout(SECONDS):
            info = await database.client.server_info()
            hello = await database.client.admin.command("hello")
    except (PyMongoError, TimeoutError) as error:
        raise ServerAway(f"MongoDB does not answer ({type(error).__name__})") from error
    return MongoFacts(version=info["version"], now=hello["localTime"].replace(tzinfo=UTC))


async def redis_facts(redis: Redis) -> RedisFacts:
    """Ask Redis, or raise `ServerAway`."""
    try:
        async with asyncio.timeout(SECONDS):
            info: dict[str, Any] = await redis.info()
            seconds, _ = await redis.time()
    except (RedisError, OSError) as error:  # TimeoutError is an OSError
        raise ServerAway(f"Redis does not answer ({type(error).__name__})") from error
    policy = info.get("maxmemory_policy", "noeviction")
    return RedisFacts(
        version=info["redis_version"],
        now=datetime.fromtimestamp(int(seconds), UTC),
        is_master=info.get("role") == "master",
        keeps_over_restart=bool(info.get("aof_enabled")),
        evicts=policy if info.get("maxmemory") and policy != "noeviction" else "",
    )
