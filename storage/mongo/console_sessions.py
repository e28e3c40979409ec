"""Sessions of the console (登录会话). The token stays in the cookie; here is only its SHA-256.

A token has 256 random bits, so there is nothing to guess and a plain digest is enough. Whoever
reads the database cannot sign in with what they find.
"""

import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from domain.console_session import Session

Document = dict[str, Any]
TOKEN_BYTES = 32
CSRF_BYTES = 32
MOST = 100  # sessions listed
LONGEST_AGENT = 200  # characters of a browser's own name


class MongoConsoleSessions:
    """The sessions of all operators."""

    collection = "console_sessions"
    indexes = (
        IndexModel([("operator", ASCENDING), ("seen_at", DESCENDING)]),
        IndexModel("expires_at"),
    )

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._sessions = database[self.collection]

    async def open(
        self, operator_id: str, *, now: datetime, expires_at: datetime, remote: str, agent: str
    ) -> tuple[str, Session]:
        """Begin a session; the token is returned this once. Sessions long over are forgotten."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        document = {
            "_id": _digest(token),
            "operator": operator_id,
            "csrf": secrets.token_bytes(CSRF_BYTES),
            "created_at": now,
            "seen_at": now,
            "expires_at": expires_at,
            "remote": remote,
            "agent": agent[:LONGEST_AGENT],
        }
        await self._sessions.delete_many({"expires_at": {"$lt": now}})
        await self._sessions.insert_one(document)
        return token, _session(document)

    async def find(self, token: str) -> Session | None:
        """Return the session of a token, whether or not it is over."""
        found = await self._sessions.find_one({"_id": _digest(token)})
        return _session(found) if found else None

    async def seen(self, session_id: str, *, now: datetime) -> None:
        """Note that somebody is at work; never takes a later time back."""
        await self._sessions.update_one({"_id": session_id}, {"$max": {"seen_at": now}})

    async def close(self, session_id: str) -> bool:
        """End one session at once."""
        result = await self._sessions.delete_one({"_id": session_id})
        return result.deleted_count == 1

    async def list_(self, operator_id: str, *, now: datetime) -> list[Session]:
        """Return somebody's sessions that are not over by `expires_at`, the last used first."""
        cursor = self._sessions.find({"operator": operator_id, "expires_at": {"$gt": now}})
        return [_session(found) async for found in cursor.sort("seen_at", DESCENDING).limit(MOST)]

    async def close_all(
        self, operator_id: str, *, but: str | None = None, only: str | None = None
    ) -> int:
        """End all sessions of somebody, `but` one, or `only` one; return how many."""
        wanted: Document = {"operator": operator_id}
        if but is not None:
            wanted["_id"] = {"$ne": but}
        if only is not None:
            wanted["_id"] = only
        result = await self._sessions.delete_many(wanted)
        return result.deleted_count


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _session(document: Document) -> Session:
    return Session(
        id=document["_id"],
        operator_id=document["operator"],
        csrf_secret=bytes(document["csrf"]),
        created_at=document["created_at"],
        seen_at=document["seen_at"],
        expires_at=document["expires_at"],
        remote=document["remote"],
        agent=document["agent"],
    )
