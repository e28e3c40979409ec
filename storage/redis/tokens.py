"""The access_token of each account, shared by all processes and sealed."""

import secrets
from datetime import timedelta

from redis.asyncio import Redis

from storage.redis.scripts import Script, asked
from storage.redis.sealing import Sealer


class RedisTokens:
    """The `TokenCache` of `connectors.wechat.tokens`: one value and one claim per account."""

    prefix = "wz:token:"
    claim_prefix = "wz:token-claim:"

    def __init__(self, redis: Redis, sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer
        self._save = Script(redis, "token_save")
        self._release = Script(redis, "token_release")

    async def load(self, app_id: str) -> bytes | None:
        """Return what was saved last; what another master key sealed counts as nothing."""
        key = self.prefix + app_id
        async with asked():
            sealed = await self._redis.get(key)
        return None if not isinstance(sealed, bytes) else self._sealer.unseal(sealed, key.encode())

    async def claim(self, app_id: str, lease: timedelta) -> str | None:
        """Become the one who renews; the lease frees the place when we are killed."""
        claim = secrets.token_hex(16)
        async with asked():
            taken = await self._redis.set(self.claim_prefix + app_id, claim, nx=True, px=lease)
        return claim if taken else None

    async def save(self, app_id: str, claim: str, content: bytes, ttl: timedelta) -> bool:
        """Store for everybody; False when the lease ran out meanwhile."""
        key = self.prefix + app_id
        sealed = self._sealer.seal(content, key.encode())
        life = int(ttl.total_seconds() * 1000)
        keys = [key, self.claim_prefix + app_id]
        return bool(await self._save(keys, claim, sealed, life))

    async def release(self, app_id: str, claim: str) -> None:
        """Let the next one renew."""
        await self._release([self.claim_prefix + app_id], claim)

    async def forget(self, app_id: str) -> None:
        """Drop the stored token: for a platform that was born anew, as a sandbox's is."""
        async with asked():
            await self._redis.delete(self.prefix + app_id, self.claim_prefix + app_id)
