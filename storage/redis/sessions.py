"""Sessions (会话): what a conversation remembers between two messages, sealed, for a day.

The guards read and write a session in the same call that claims and settles a message, so this
class mostly seals and opens; it does not know what a session means.
"""

from datetime import timedelta
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from domain.ids import AccountId, OpenId
from storage.redis.keys import citizen_key
from storage.redis.scripts import asked
from storage.redis.sealing import Sealer

LIFE = timedelta(days=1)


class Sessions:
    """Seals, opens and forgets sessions."""

    def __init__(self, redis: Redis, sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer

    def open(self, account: AccountId, openid: OpenId, sealed: bytes | None) -> dict[str, Any]:
        """Return what was kept; nothing when there is none or it cannot be opened any more."""
        if not sealed:
            return {}
        content = self._sealer.unseal(sealed, session_key(account, openid).encode())
        return {} if content is None else dict(orjson.loads(content))

    def seal(self, account: AccountId, openid: OpenId, content: dict[str, Any]) -> bytes:
        """Return the content as it lies in Redis."""
        return self._sealer.seal(orjson.dumps(content), session_key(account, openid).encode())

    async def load(self, account: AccountId, openid: OpenId) -> dict[str, Any]:
        """Read one session outside a conversation."""
        async with asked():
            sealed = cast("bytes | None", await self._redis.get(session_key(account, openid)))
        return self.open(account, openid, sealed)

    async def forget(self, account: AccountId, openid: OpenId) -> None:
        """Erase one session: the citizen left."""
        async with asked():
            await self._redis.delete(session_key(account, openid))


def session_key(account: AccountId, openid: OpenId) -> str:
    """Return where a citizen's session lies."""
    return f"{citizen_key(account, openid)}:session"
