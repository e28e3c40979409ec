"""Second factors of operators (第二因素): the secret encrypted, recovery codes as keyed hashes.

A time step is accepted once: the step of each code that was used is written in the same update
that looks for a later one, so of two requests with one code a single one wins. A recovery code
is taken out by the update that finds it. Whoever has the database without `security.field_key`
can neither make codes nor test a guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from storage.mongo.fields import FieldCipher

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorState:
    """What a person may know about their second factor."""

    since: datetime
    recovery_left: int


class MongoSecondFactors:
    """One document per operator who enrolled or is about to."""

    collection = "second_factors"

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self._factors = database[self.collection]
        self._fields = fields

    async def state(self, operator_id: str) -> FactorState | None:
        """Return since when somebody has a second factor; None without one."""
        found = await self._factors.find_one(
            {"_id": operator_id, "secret": {"$exists": True}}, {"since": 1, "recovery": 1}
        )
        if found is None:
            return None
        return FactorState(since=found["since"], recovery_left=len(found["recovery"]))

    async def holders(self) -> frozenset[str]:
        """Return the ids of all operators who have one."""
        cursor = self._factors.find({"secret": {"$exists": True}}, {"_id": 1})
        return frozenset([str(found["_id"]) async for found in cursor])

    async def secret(self, operator_id: str) -> str | None:
        """Return the secret that codes are made of."""
        return await self._decrypted(operator_id, "secret")

    async def offer(self, operator_id: str, to: str, secret: str) -> str:
        """Remember a secret that is not confirmed yet; asked again for `to`, return the same.

        It is offered to one sign-in or session only, and forgotten when another one asks:
        who read it there cannot know what somebody else will be enrolled with.
        """
        sealed = await self._fields.encrypt(secret)
        is_theirs = {"$eq": ["$offered_to", {"$literal": to}]}
        await self._factors.update_one(
            {"_id": operator_id},
            [
                {
                    "$set": {
                        "offered": {"$cond": [is_theirs, "$offered", {"$literal": sealed}]},
                        "offered_to": {"$literal": to},
                    }
                }
            ],
            upsert=True,
        )
        return await self.offered(operator_id, to) or secret

    async def offered(self, operator_id: str, to: str) -> str | None:
        """Return the secret that waits for its first code from there."""
        found = await self._factors.find_one({"_id": operator_id, "offered_to": to}, {"offered": 1})
        kept = found.get("offered") if found else None
        return await self._fields.decrypt(kept) if kept is not None else None

    async def confirm(
        self, operator_id: str, to: str, step: int, recovery: Sequence[str], *, now: datetime
    ) -> bool:
        """Make what was offered there the one that counts; False when there is one already."""
        result = await self._factors.update_one(
            {
                "_id": operator_id,
                "offered_to": to,
                "offered": {"$exists": True},
                "secret": {"$exists": False},
            },
            [
                {
                    "$set": {
                        "secret": "$offered",
                        "since": now,
                        "step": step,
                        "recovery": {"$literal": self._hashed(operator_id, recovery)},
                    }
                },
                {"$unset": ["offered", "offered_to"]},
            ],
        )
        return result.modified_count == 1

    async def use_step(self, operator_id: str, step: int) -> bool:
        """Take a time step; False when it, or a later one, was used before."""
        result = await self._factors.update_one(
            {"_id": operator_id, "secret": {"$exists": True}, "step": {"$lt": step}},
            {"$set": {"step": step}},
        )
        return result.modified_count == 1

    async def use_recovery(self, operator_id: str, code: str) -> bool:
        """Take a recovery code; False when it is none or was used before."""
        (digest,) = self._hashed(operator_id, [code])
        result = await self._factors.update_one(
            {"_id": operator_id, "recovery": digest}, {"$pull": {"recovery": digest}}
        )
        return result.modified_count == 1

    async def set_recovery(self, operator_id: str, recovery: Sequence[str]) -> bool:
        """Replace all recovery codes; False without a second factor."""
        result = await self._factors.update_one(
            {"_id": operator_id, "secret": {"$exists": True}},
            {"$set": {"recovery": self._hashed(operator_id, recovery)}},
        )
        return result.matched_count == 1

    async def remove(self, operator_id: str) -> bool:
        """Forget a second factor and what was offered; False when there was nothing."""
        result = await self._factors.delete_one({"_id": operator_id})
        return result.deleted_count == 1

    async def _decrypted(self, operator_id: str, field: str) -> str | None:
        found = await self._factors.find_one({"_id": operator_id}, {field: 1})
        kept = found.get(field) if found else None
        return await self._fields.decrypt(kept) if kept is not None else None

    def _hashed(self, operator_id: str, codes: Sequence[str]) -> list[str]:
        return [self._fields.blind("recovery code", f"{operator_id}:{code}") for code in codes]
