"""Half-finished sign-ins (登录中): what is known between two steps, sealed, for minutes.

Neither a token nor what it stands for can be read in Redis: the key is the token's digest, the
content is sealed. Taking an entry removes it, so each step happens once.
"""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson
from redis.asyncio import Redis

from storage.redis.scripts import asked
from storage.redis.sealing import Sealer

TOKEN_BYTES = 32
LONGEST_TOKEN = 128


class Entries:
    """Keeps small values under unguessable tokens."""

    prefix = "wz:console:entry:"

    def __init__(self, redis: Redis, sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer

    async def put(self, content: dict[str, Any], life: timedelta) -> str:
        """Keep something for a while and return its token, which is new each time."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        key = self._key(token)
        async with asked():
            await self._redis.set(
                key, self._sealer.seal(orjson.dumps(content), key.encode()), px=life
            )
        return token

    async def read(self, token: str) -> dict[str, Any] | None:
        """Return what is kept; None when it is over or was taken."""
        key = self._key(token)
        async with asked():
            return self._opened(key, await self._redis.get(key))

    async def write(self, token: str, content: dict[str, Any]) -> None:
        """Replace what is kept, which lives no longer for it; nothing when it is over."""
        key = self._key(token)
        sealed = self._sealer.seal(orjson.dumps(content), key.encode())
        async with asked():
            await self._redis.set(key, sealed, xx=True, keepttl=True)

    async def take(self, token: str) -> dict[str, Any] | None:
        """Return what is kept and forget it; of two at once one gets it."""
        key = self._key(token)
        async with asked():
            return self._opened(key, await self._redis.getdel(key))

    def _key(self, token: str) -> str:
        text = token[:LONGEST_TOKEN].encode("utf-8", "replace")
        return f"{self.prefix}{sha256(text).hexdigest()}"

    def _opened(self, key: str, sealed: Any) -> dict[str, Any] | None:
        content = self._sealer.unseal(sealed, key.encode()) if sealed else None
        return None if content is None else dict(orjson.loads(content))
