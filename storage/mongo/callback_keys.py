"""Pairs of callback keys made in the console (回调密钥), encrypted like personal fields.

One document for each account with three pairs at most, and the prints of the tokens before them, by
which a newer settings file is recognised. Every change names the pairs it was decided on, so of two
people who change at once one is told to look again.
"""

from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.callback_keys import CallbackPair, KeptPair, Rotation
from domain.ids import AccountId
from storage.mongo.fields import FieldCipher

Document = dict[str, Any]


class MongoCallbackKeys:
    """The pairs of all accounts."""

    collection = "callback_keys"

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self._rotations = database[self.collection]
        self._fields = fields

    def print_of(self, secret: str) -> str:
        """Return the keyed hash by which a secret is recognised."""
        return self._fields.blind("callback token", secret)

    async def all_(self) -> list[Rotation]:
        """Return what was made: one entry for each account at most."""
        return [await self._read(found) async for found in self._rotations.find()]

    async def find(self, account: AccountId) -> Rotation | None:
        """Return what was made for an account."""
        found = await self._rotations.find_one({"_id": account})
        return await self._read(found) if found else None

    async def put(self, rotation: Rotation, *, instead_of: Rotation | None) -> bool:
        """Keep the pairs; False when somebody else changed them meanwhile."""
        document = {
            "_id": rotation.account,
            "known": list(rotation.known),
            "pairs": [await self._write(kept) for kept in rotation.pairs],
        }
        numbers = [kept.pair.number for kept in instead_of.pairs] if instead_of else []
        same = {"pairs": {"$size": len(numbers)}} | (
            {"pairs.number": {"$all": numbers}} if numbers else {}
        )
        try:
            result = await self._rotations.replace_one(
                {"_id": rotation.account, **same}, document, upsert=instead_of is None
            )
        except DuplicateKeyError:
            return False
        return result.matched_count == 1 or result.upserted_id is not None

    async def used(self, account: AccountId, number: int, *, now: datetime) -> bool:
        """Note that WeChat uses a pair; the first note counts."""
        result = await self._rotations.update_one(
            {"_id": account, "pairs": {"$elemMatch": {"number": number, "used_at": None}}},
            {"$set": {"pairs.$.used_at": now}},
        )
        return result.modified_count == 1

    async def end_overlap(self, account: AccountId, number: int) -> bool:
        """Let the pair before this one, which is in use, count no longer."""
        result = await self._rotations.update_one(
            {"_id": account, "pairs": {"$elemMatch": {"number": number, "used_at": {"$ne": None}}}},
            {"$set": {"pairs.$.overlap_seconds": 0.0}},
        )
        return result.matched_count == 1

    async def discard(self, account: AccountId, number: int) -> bool:
        """Forget a prepared pair; False when it is in use already, or gone."""
        result = await self._rotations.update_one(
            {"_id": account, "pairs": {"$elemMatch": {"number": number, "used_at": None}}},
            {"$pull": {"pairs": {"number": number, "used_at": None}}},
        )
        return result.modified_count == 1

    async def _write(self, kept: KeptPair) -> Document:
        return {
            "number": kept.pair.number,
            "token": await self._fields.encrypt(kept.pair.token),
            "aes_keys": [await self._fields.encrypt(key) for key in kept.pair.aes_keys],
            "made_at": kept.made_at,
            "by": kept.by,
            "overlap_seconds": kept.overlap.total_seconds(),
            "used_at": kept.used_at,
        }

    async def _read(self, found: Document) -> Rotation:
        pairs = []
        for each in found["pairs"]:
            keys = [await self._fields.decrypt(key) for key in each["aes_keys"]]
            pair = CallbackPair(
                token=await self._fields.decrypt(each["token"]),
                aes_keys=tuple(keys),
                number=each["number"],
            )
            pairs.append(
                KeptPair(
                    pair=pair,
                    made_at=each["made_at"],
                    by=each["by"],
                    overlap=timedelta(seconds=each["overlap_seconds"]),
                    used_at=each["used_at"],
                )
            )
        return Rotation(
            account=AccountId(found["_id"]), known=tuple(found["known"]), pairs=tuple(pairs)
        )
