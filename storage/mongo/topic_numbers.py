"""How many follow each topic (主题人数): one snapshot per account, counted in the background."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from domain.ids import AccountId, TopicId

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """People who follow each topic, and all reachable followers, as counted at `at`."""

    at: datetime
    topics: Mapping[TopicId, int]
    everybody: int


class MongoTopicNumbers:
    """The snapshots of all accounts."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._numbers = database["topic_numbers"]

    async def find(self, account: AccountId) -> Numbers | None:
        """Return the last snapshot, None before the first."""
        found = await self._numbers.find_one({"_id": account})
        if found is None:
            return None
        topics = {TopicId(item["topic"]): item["people"] for item in found["topics"]}
        return Numbers(at=found["at"], topics=topics, everybody=found["everybody"])

    async def keep(self, account: AccountId, numbers: Numbers) -> None:
        """Replace the snapshot."""
        document = {
            "at": numbers.at,
            "everybody": numbers.everybody,
            "topics": [
                {"topic": topic, "people": people} for topic, people in numbers.topics.items()
            ],
        }
        await self._numbers.update_one({"_id": account}, {"$set": document}, upsert=True)
