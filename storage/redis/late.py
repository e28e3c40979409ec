"""Late and long answers (稍后可看的结果): what a link in a short reply leads to, for 24 hours.

A token is unguessable and is the only key to its text; Redis holds its digest and the sealed
text. A result announced but never stored (its process was killed) turns from `pending` to
`lost` by itself, so that nobody waits for ever.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

import orjson
from redis.asyncio import Redis

from domain.clock import Clock
from domain.ids import AccountId
from storage.redis.keys import digest
from storage.redis.scripts import asked
from storage.redis.sealing import Sealer

LIFE = timedelta(hours=24)
PENDING = timedelta(seconds=65)  # longer than the longest turn and handler, 30 s each


@dataclass(frozen=True, slots=True)
class LateResult:
    """What the page behind a link shows."""

    state: Literal["pending", "done", "lost"]
    text: str = ""


class LateResults:
    """Keeps late and long answers."""

    def __init__(self, redis: Redis, sealer: Sealer, clock: Clock) -> None:
        self._redis = redis
        self._sealer = sealer
        self._clock = clock

    @staticmethod
    def new_token() -> str:
        """Return 128 unguessable bits for a link."""
        return secrets.token_urlsafe(16)

    async def announce(self, account: AccountId, token: str) -> None:
        """Promise a result under this token."""
        until = self._clock.now() + PENDING
        await self._put(account, token, {"until": until.isoformat()})

    async def put(self, account: AccountId, token: str, text: str) -> None:
        """Store the result."""
        await self._put(account, token, {"text": text})

    async def get(self, account: AccountId, token: str) -> LateResult | None:
        """Return the result, or None when there never was one or its day is over."""
        key = _key(account, token)
        async with asked():
            sealed = cast("bytes | None", await self._redis.get(key))
        opened = self._sealer.unseal(sealed, key.encode()) if sealed else None
        if opened is None:
            return None
        content = orjson.loads(opened)
        if "text" in content:
            return LateResult("done", content["text"])
        waits = self._clock.now() < datetime.fromisoformat(content["until"])
        return LateResult("pending" if waits else "lost")

    async def _put(self, account: AccountId, token: str, content: dict[str, str]) -> None:
        key = _key(account, token)
        sealed = self._sealer.seal(orjson.dumps(content), key.encode())
        async with asked():
            await self._redis.set(key, sealed, ex=LIFE)


def _key(account: AccountId, token: str) -> str:
    return f"wz:late:{account}:{digest(token)}"
