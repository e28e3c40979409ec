"""API keys (接口密钥) of departments. The key itself is shown once and kept only as a digest.

A key is `wz_<id>_<secret>` with 256 random bits of secret, so a plain SHA-256 is enough: there
is nothing to guess. It is found by its id and compared in constant time.
"""

import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from domain.access import ApiKey, Scope
from domain.ids import AccountId

Document = dict[str, Any]
PREFIX = "wz"
ID_BYTES = 6
SECRET_BYTES = 32


class MongoApiKeys:
    """The keys of all accounts."""

    collection = "api_keys"
    indexes = (IndexModel([("account", ASCENDING), ("name", ASCENDING)]),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._keys = database[self.collection]

    async def create(
        self, account: AccountId, name: str, scopes: Iterable[Scope], *, now: datetime
    ) -> str:
        """Make a key and return it: nobody can read it again."""
        key_id = secrets.token_hex(ID_BYTES)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        await self._keys.insert_one(
            {
                "_id": key_id,
                "account": account,
                "name": name,
                "scopes": sorted(set(scopes)),
                "digest": _digest(secret),
                "created_at": now,
                "revoked_at": None,
            }
        )
        return f"{PREFIX}_{key_id}_{secret}"

    async def find(self, key: str) -> ApiKey | None:
        """Return whose key it is; None for anything that is not a living key."""
        prefix, _, rest = key.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not key_id or not secret or not key.isascii():
            return None
        found = await self._keys.find_one({"_id": key_id, "revoked_at": None})
        known = found["digest"] if found else bytes(sha256().digest_size)
        if not hmac.compare_digest(_digest(secret), known) or found is None:
            return None
        return _key(found)

    async def list_(self, account: AccountId) -> list[ApiKey]:
        """Return the living keys of an account, without their secrets."""
        cursor = self._keys.find({"account": account, "revoked_at": None}).sort("name", ASCENDING)
        return [_key(found) async for found in cursor]

    async def revoke(self, key_id: str, *, now: datetime) -> bool:
        """End a key at once."""
        result = await self._keys.update_one(
            {"_id": key_id, "revoked_at": None}, {"$set": {"revoked_at": now}}
        )
        return result.modified_count == 1


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _key(document: Document) -> ApiKey:
    return ApiKey(
        id=document["_id"],
        account=AccountId(document["account"]),
        name=document["name"],
        scopes=frozenset(document["scopes"]),
        created_at=document["created_at"],
    )
