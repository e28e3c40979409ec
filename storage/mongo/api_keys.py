"""API keys (接口密钥) of departments. The key itself is shown once and kept only as a digest.

A key is `wz_<id>_<secret>` with 256 random bits of secret, so a plain SHA-256 is enough: there
is nothing to guess. It is found by its id and compared in constant time. A key made in the console
waits for a second person and opens nothing before (ADR 26). A key that is replaced lives on until
its overlap ends, which begins when the new one is confirmed, so that a department can change it
without an interruption.
"""

import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from domain.access import ApiKey, Scope
from domain.errors import NotAllowed
from domain.ids import AccountId
from domain.sentence import Sentence

Document = dict[str, Any]
PREFIX = "wz"
ID_BYTES = 6
SECRET_BYTES = 32
NOTED_EVERY = timedelta(minutes=10)  # that a key is used


class MongoApiKeys:
    """The keys of all accounts."""

    collection = "api_keys"
    indexes = (
        IndexModel([("account", ASCENDING), ("name", ASCENDING)]),
        IndexModel(
            [("waits", ASCENDING), ("created_at", ASCENDING)],
            name="to_be_confirmed",
            partialFilterExpression={"waits": True},
        ),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._database = database
        self._keys = database[self.collection]

    async def create(
        self, account: AccountId, name: str, scopes: Iterable[Scope], *, now: datetime
    ) -> str:
        """Make a key that opens its doors at once and return it: nobody can read it again."""
        return (await self.make(account, name, scopes, now=now))[0]

    async def make(
        self,
        account: AccountId,
        name: str,
        scopes: Iterable[Scope],
        *,
        now: datetime,
        waits_for_other_than: str = "",
    ) -> tuple[str, str]:
        """Make a key; return it, this once, and its id.

        With `waits_for_other_than`, its maker, it opens nothing until another person confirms it.
        """
        more = _waiting(waits_for_other_than) if waits_for_other_than else {}
        return await self._make(account, name, scopes, now, more)

    async def _make(
        self,
        account: AccountId,
        name: str,
        scopes: Iterable[Scope],
        now: datetime,
        more: Document,
    ) -> tuple[str, str]:
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
                **more,
            }
        )
        return f"{PREFIX}_{key_id}_{secret}", key_id

    async def find(self, key: str, *, now: datetime) -> ApiKey | None:
        """Return whose key it is; None for anything that is not a living, confirmed key."""
        prefix, _, rest = key.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not key_id or not secret or not key.isascii():
            return None
        found = await self._keys.find_one({"_id": key_id, "waits": {"$ne": True}, **_living(now)})
        known = found["digest"] if found else bytes(sha256().digest_size)
        if not hmac.compare_digest(_digest(secret), known) or found is None:
            return None
        living = _key(found)
        if living.last_used_at is None or now - living.last_used_at >= NOTED_EVERY:
            await self._keys.update_one({"_id": key_id}, {"$set": {"last_used_at": now}})
        return living

    async def list_(self, account: AccountId, *, now: datetime) -> list[ApiKey]:
        """Return the living keys of an account, those that wait too, without their secrets."""
        cursor = self._keys.find({"account": account, **_living(now)})
        return [_key(found) async for found in cursor.sort("name", ASCENDING)]

    async def waiting(self, *, limit: int = 200) -> list[ApiKey]:
        """Return the keys of all accounts that nobody has confirmed yet, the oldest first."""
        cursor = self._keys.find({"waits": True, "revoked_at": None})
        return [_key(found) async for found in cursor.sort("created_at", ASCENDING).limit(limit)]

    async def confirm(self, key_id: str, *, by: str, now: datetime) -> ApiKey | None:
        """Let a waiting key open its doors; the overlap of the one it replaces begins.

        None when nothing of that id waits; `NotAllowed` for whoever made it.
        """

        async def attempt(session: AsyncClientSession) -> ApiKey | None:
            waiting: Document = {"_id": key_id, "waits": True, "revoked_at": None}
            found = await self._keys.find_one(waiting, session=session)
            if found is None:
                return None
            if found["made_by"] == by:
                raise NotAllowed(Sentence("不能确认自己新建的密钥，请由另一位安全管理员办理。"))
            done = {"waits": False, "confirmed_by": by, "confirmed_at": now}
            await self._keys.update_one(waiting, {"$set": done}, session=session)
            if found.get("replaces"):
                until = now + timedelta(seconds=found["overlap_seconds"])
                await self._keys.update_one(
                    {"_id": found["replaces"], "revoked_at": None, "expires_at": None},
                    {"$set": {"expires_at": until}},
                    session=session,
                )
            return _key(found)

        async with self._database.client.start_session() as session:
            return await session.with_transaction(attempt)

    async def replace(
        self, account: AccountId, key_id: str, *, overlap: timedelta, now: datetime, by: str
    ) -> tuple[str, ApiKey] | None:
        """Make a key like another that waits to be confirmed; None if there is none such.

        The old one lives on as it is until then, and for the overlap afterwards. One that is
        being replaced already is none such.
        """
        living: Document = {"account": account, "revoked_at": None, "waits": {"$ne": True}}
        found = await self._keys.find_one({"_id": key_id, "expires_at": None, **living})
        begun = {"waits": True, "replaces": key_id, "revoked_at": None}
        if found is None or await self._keys.find_one(begun, {"_id": 1}):
            return None
        old = _key(found)
        more = {"replaces": key_id, "overlap_seconds": int(overlap.total_seconds())}
        key, _ = await self._make(account, old.name, old.scopes, now, _waiting(by) | more)
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


def _waiting(maker: str) -> Document:
    return {"waits": True, "made_by": maker}


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
        waits=document.get("waits", False),
        replaces=document.get("replaces", ""),
    )
