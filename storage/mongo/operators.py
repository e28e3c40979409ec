"""Operators of the console (工作人员) with their password hashes (argon2id).

Documents from before there were grants have a `role`, which counted for every account.
"""

import asyncio
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.access import EVERYWHERE, Grants, OperatorAccount
from domain.errors import InvalidInput
from domain.ids import AccountId, new_id
from domain.rights import check_grants

Document = dict[str, Any]
MIN_PASSWORD = 10


class MongoOperators:
    """The operators of this installation."""

    collection = "operators"
    indexes = (IndexModel("name", unique=True),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._operators = database[self.collection]
        self._hasher = PasswordHasher()
        self._nobody = ""  # a hash to compare with when the name is unknown

    async def create(self, name: str, grants: Grants, password: str, *, now: datetime) -> str:
        """Add an operator and return the id; `InvalidInput` says what to change."""
        name = unicodedata.normalize("NFKC", name).strip()
        if not name or len(name) > 40:
            raise InvalidInput("姓名为 1 到 40 个字。", field="name")
        check_grants(grants)
        if len(password) < MIN_PASSWORD or len(set(password)) < 5:
            raise InvalidInput(
                f"密码至少 {MIN_PASSWORD} 位，且不能只是少数几个字符的重复。", field="password"
            )
        operator_id = new_id("op")
        try:
            await self._operators.insert_one(
                {
                    "_id": operator_id,
                    "name": name,
                    "grants": _granted(grants),
                    "password": await asyncio.to_thread(self._hasher.hash, password),
                    "created_at": now,
                    "disabled_at": None,
                }
            )
        except DuplicateKeyError as error:
            raise InvalidInput(
                f"已有名为 {name} 的工作人员，请换一个名字。", field="name"
            ) from error
        return operator_id

    async def find_by_password(self, name: str, password: str) -> OperatorAccount | None:
        """Return the operator if the password is right; an unknown name takes as long."""
        name = unicodedata.normalize("NFKC", name).strip()
        found = await self._operators.find_one({"name": name, "disabled_at": None})
        if not self._nobody:
            self._nobody = await asyncio.to_thread(self._hasher.hash, new_id("nobody"))
        known = found["password"] if found else self._nobody
        try:
            await asyncio.to_thread(self._hasher.verify, known, password)
        except (VerificationError, InvalidHashError):
            return None
        return _operator(found) if found else None

    async def find(self, operator_id: str) -> OperatorAccount | None:
        """Return an operator who may sign in."""
        found = await self._operators.find_one({"_id": operator_id, "disabled_at": None})
        return _operator(found) if found else None

    async def list_(self) -> list[OperatorAccount]:
        """Return the operators who may sign in, by name."""
        cursor = self._operators.find({"disabled_at": None}).sort("name", 1)
        return [_operator(found) async for found in cursor]


def _granted(grants: Grants) -> list[Document]:
    """Write grants as a list: an account's id is data, never the name of a field."""
    return [
        {"account": account, "roles": sorted(roles)} for account, roles in sorted(grants.items())
    ]


def _grants(document: Mapping[str, Any]) -> Grants:
    if "grants" not in document:
        return {EVERYWHERE: frozenset({document["role"]})}
    return {AccountId(grant["account"]): frozenset(grant["roles"]) for grant in document["grants"]}


def _operator(document: Document) -> OperatorAccount:
    return OperatorAccount(
        id=document["_id"],
        name=document["name"],
        grants=_grants(document),
        created_at=document["created_at"],
    )
