"""API keys (接口密钥) of departments. The key itself is shown once and kept only as a digest.

A key is `wz_<id>_<secret>` with 256 random bits of secret, so a plain SHA-256 is enough: there
is nothing to guess. It is found by its id and compared in constant time. A key that is replaced
lives on until its overlap ends, so that a department can change it without an interruption.
"""

import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
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
NOTED_EVERY = timedelta(minutes=10)  # that a key is used


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
        return (await self.make(account, name, scopes, now=now))[0]

    async def make(
        self, account: AccountId, name: str, scopes: Iterable[Scope], *, now: datetime
    ) -> tuple[str, str]:
        """Make a key; return it, this once, and its id."""
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
        return f"{PREFIX}_{key_id}_{secret}", key_id

    async def find(self, key: str, *, now: datetime) -> ApiKey | None:
        """Return whose key it is; None for anything that is not a living key."""
        prefix, _, rest = key.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not key_id or not secret or not key.isascii():
            return None
        found = await self._keys.find_one({"_id": key_id, **_living(now)})
        known = found["digest"] if found else bytes(sha256().digest_size)
        if not hmac.compare_digest(_digest(secret), known) or found is None:
            return None
        living = _key(found)
        if living.last_used_at is None or now - living.last_used_at >= NOTED_EVERY:
            await self._keys.update_one({"_id": key_id}, {"$set": {"last_used_at": now}})
        return living

    async def list_(self, account: AccountId, *, now: datetime) -> list[ApiKey]:
        """Return the living keys of an account, without their secrets."""
        cursor = self._keys.find({"account": account, **_living(now)})
        return [_key(found) async for found in cursor.sort("name", ASCENDING)]

    async def replace(
        self, account: AccountId, key_id: str, *, overlap: timedelta, now: datetime
    ) -> tuple[str, ApiKey] | None:
        """Make a key like another, which lives on for the overlap; None if there is none such.

        Repeated, it makes one more key; the old one keeps the end it was first given.
        """
        found = await self._keys.find_one_and_update(
            {"_id": key_id, "account": account, "revoked_at": None, "expires_at": None},
            {"$set": {"expires_at": now + overlap}},
        )
        if found is None:
            return None
        old = _key(found)
        try:
            key, _ = await self.make(account, old.name, old.scopes, now=now)
        except BaseException:  # better two living keys than none in somebody's hand
            await self._keys.update_one({"_id": key_id}, {"$set": {"expires_at": None}})
            raise
        return key, old

    async def revoke(self, key_id: str, *, now: datetime, account: AccountId | None = None) -> bool:
        """End a key at once; with an account, only one of that account's."""
        of_account = {} if account is None else {"account": account}
        result = await self._keys.update_one(
            {"_id": key_id, "revoked_at": None, **of_account}, {"$set": {"revoked_at": now}}
        )
        return result.modified_count == 1


def _living(now: datetime) -> Document:
    """Return the condition of a key that opens something now."""
    return {"revoked_at": None, "$or": [{"expires_at": None}, {"expires_at": {"$gt": now}}]}


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _key(document: Document) -> ApiKey:
    return ApiKey(
        id=document["_id"],
        account=AccountId(document["account"]),
        name=document["name"],
        scopes=frozenset(document["scopes"]),
        created_at=document["created_at"],
        expires_at=document.get("expires_at"),
        last_used_at=document.get("last_used_at"),
    )
