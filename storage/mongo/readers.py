"""Readers (预览对象): a few followers found by the beginning of their openid."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId, OpenId
from domain.people import Subscriber
from storage.mongo.papers import subscriber_from
from storage.mongo.people import SUBSCRIBERS, person_id

Document = dict[str, Any]
MILLISECONDS = 1_000
BEYOND = "\U0010ffff"  # sorts behind everything that an openid may go on with


class MongoReaders:
    """Looks up followers for previews; answered from the `_id` index alone, whatever the size."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._subscribers = database[SUBSCRIBERS]

    async def beginning(self, account: AccountId, prefix: str, limit: int) -> list[Subscriber]:
        """Return the first people whose openid begins so, in the order of their openids."""
        first = person_id(account, OpenId(prefix))
        cursor = self._subscribers.find(
            {"_id": {"$gte": first, "$lt": first + BEYOND}},
            hint="_id_",
            limit=limit,
            sort=[("_id", 1)],
            max_time_ms=MILLISECONDS,
        )
        return [subscriber_from(document) for document in await cursor.to_list()]
