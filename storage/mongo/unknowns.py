"""Unknown deliveries (结果未知的投递) that a result settles after all.

Three places count a person: the delivery, its batch, and the sums of a closed broadcast. They
change together, in one transaction, and only once the broadcast is closed: until then its numbers
are still being written by others.
"""

from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

Document = dict[str, Any]


class MongoUnknowns:
    """Turns unknown into sent."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._database = database

    async def settle(self, delivery: str) -> bool:
        """Record that the platform had taken the message; False while it is too early to."""

        async def attempt(session: AsyncClientSession) -> bool:
            found = await self._database["deliveries"].find_one({"_id": delivery}, session=session)
            begun = await self._database["attempts"].find_one({"_id": delivery}, session=session)
            if found is None or begun is None:
                return False
            if found["state"] != "unknown":
                return True
            closed = await self._database["broadcasts"].update_one(
                {"_id": found["broadcast"], "totals": {"$exists": True}},
                {"$inc": {"totals.unknown": -1, "totals.sent": 1}},
                session=session,
            )
            if closed.matched_count == 0:
                return False
            await self._database["batches"].update_one(
                {"_id": begun["batch"]},
                {"$inc": {"counts.unknown": -1, "counts.sent": 1}},
                session=session,
            )
            await self._database["deliveries"].update_one(
                {"_id": delivery}, {"$set": {"state": "sent"}}, session=session
            )
            return True

        async with self._database.client.start_session() as session:
            return await session.with_transaction(attempt)
