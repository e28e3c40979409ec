"""Readers (预览对象): a few followers found by the beginning of their openid, and what a message
says of each of its readers.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ExecutionTimeout

from domain.errors import TooSlow
from domain.ids import AccountId, OpenId
from domain.masking import PersonName, Plate
from domain.people import Subscriber
from domain.personal import NAME, PLATE, REGION, Known, first_region
from storage.mongo.fields import FieldCipher
from storage.mongo.papers import subscriber_from
from storage.mongo.people import BINDINGS, SUBSCRIBERS, ids_beginning, person_id

Document = dict[str, Any]
MILLISECONDS = 1_000


class MongoReaders:
    """Looks up followers by the `_id` index alone, whatever the size; `TooSlow` after a second."""

    def __init__(self, database: AsyncDatabase[Document], fields: FieldCipher) -> None:
        self._subscribers = database[SUBSCRIBERS]
        self._bindings = database[BINDINGS]
        self._fields = fields

    async def known(
        self, account: AccountId, openids: Sequence[OpenId], asked: Collection[str]
    ) -> dict[OpenId, Known]:
        """Return what is known of each, in one question for regions and one for bound things.

        Of names and plates only those that a message shows are fetched and decrypted.
        """
        ids = {person_id(account, openid): openid for openid in openids}
        regions, bound = {}, {}
        if REGION.name in asked:
            fields = {"region": 1, "subscriptions.region": 1}
            regions = await self._find(self._subscribers, ids, fields)
        if NAME.name in asked or PLATE.name in asked:
            fields = {"real_name.name": 1} if NAME.name in asked else {}
            fields |= {"vehicles.plate": 1} if PLATE.name in asked else {}
            bound = await self._find(self._bindings, ids, fields)
        return {
            openid: await self._read(regions.get(_id, {}), bound.get(_id, {}))
            for _id, openid in ids.items()
        }

    async def _find(
        self,
        collection: AsyncCollection[Document],
        ids: Collection[str],
        fields: Document,
    ) -> dict[str, Document]:
        cursor = collection.find(
            {"_id": {"$in": list(ids)}}, fields, hint="_id_", max_time_ms=MILLISECONDS
        )
        with _in_time():
            return {document["_id"]: document for document in await cursor.to_list()}

    async def _read(self, subscriber: Document, bound: Document) -> Known:
        own = [subscriber.get("region")]
        own += [each.get("region") for each in subscriber.get("subscriptions", ())]
        name = (bound.get("real_name") or {}).get("name")
        vehicles = bound.get("vehicles") or ()
        return Known(
            region=first_region(own),
            name=PersonName(await self._fields.decrypt(name)) if name else None,
            plate=Plate(await self._fields.decrypt(vehicles[0]["plate"])) if vehicles else None,
        )

    async def beginning(self, account: AccountId, prefix: str, limit: int) -> list[Subscriber]:
        """Return the first people whose openid is this or begins so, in the order of openids."""
        cursor = self._subscribers.find(
            {"_id": ids_beginning(account, prefix)},
            hint="_id_",
            limit=limit,
            sort=[("_id", 1)],
            max_time_ms=MILLISECONDS,
        )
        with _in_time():
            return [subscriber_from(document) for document in await cursor.to_list()]


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except ExecutionTimeout as error:
        raise TooSlow(f"looking for readers: {error}") from error
