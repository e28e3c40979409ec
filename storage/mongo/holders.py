"""Which of many people or things are bound at all (绑定): asked before anything is said of them.

A feed of bookings names a whole city; all but a few of its numbers concern nobody here, and of
those nothing may be kept. One indexed query answers for a page of them.
"""

from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId, TopicId
from domain.people import Subject
from storage.mongo.fields import FieldCipher
from storage.mongo.keys import subject_hash, subject_key, topic_key
from storage.mongo.people import SUBSCRIBERS

Document = dict[str, Any]


class MongoHolders:
    """Questions about many subjects at once."""

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self._subscribers = database[SUBSCRIBERS]
        self._fields = fields

    async def bound(
        self, account: AccountId, topic: TopicId, subjects: Sequence[Subject]
    ) -> set[Subject]:
        """Return those subjects that a reachable follower of the topic has bound."""
        keys = {subject_key(subject_hash(self._fields, subject)): subject for subject in subjects}
        if not keys:
            return set()
        cursor = self._subscribers.find(
            {
                "account": account,
                "following": True,
                "reachable": True,
                # the topic is compared below: as a second condition on the same index it
                # may be taken for the first, and every follower of the topic be looked at
                "keys": {"$in": list(keys)},
            },
            {"keys": 1},
            hint="audience",
        )
        found: set[Subject] = set()
        async for document in cursor:
            if topic_key(topic) in document["keys"]:
                found.update(keys[key] for key in document["keys"] if key in keys)
        return found

    def blind(self, kind: str, value: str) -> str:
        """Return the keyed hash under which something personal may be named."""
        return self._fields.blind(kind, value)
