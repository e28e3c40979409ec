"""What a worker needs to know of a broadcast, kept in memory: it does not change any more."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from domain.broadcast import Broadcast
from domain.ids import BroadcastId, OpenId
from domain.ledger import Content
from domain.people import Subject
from push.digest_cards import Card, DigestCards
from push.personal import Personal
from push.ports import Cipher, People
from push.sealed import unseal
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.notices import MongoNotices

KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A broadcast as a worker needs it; `subject` is what a notice is about."""

    broadcast: Broadcast
    content: Content
    subject: Subject | None = None
    card: Card | None = None  # of a digest


class Jobs:
    """Broadcasts being sent by this process, with their frozen content."""

    def __init__(
        self,
        store: MongoBroadcasts,
        notices: MongoNotices,
        people: People,
        cipher: Cipher,
        cards: DigestCards,
        personal: Personal,
    ) -> None:
        self._personal = personal
        self._store = store
        self._notices = notices
        self._people = people
        self._cipher = cipher
        self._cards = cards
        self._known: OrderedDict[BroadcastId, Job] = OrderedDict()

    async def load(self, broadcast_id: BroadcastId) -> Job:
        """Return the broadcast with its content; a notice's is decrypted.

        A digest is put together anew each time: it changes until it is sent.
        """
        job = self._known.get(broadcast_id)
        if job is None:
            job = await self._load(broadcast_id)
            if job.card is not None:
                return job
            self._known[broadcast_id] = job
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return job

    def readers(self, job: Job, people: Sequence[OpenId]) -> AbstractAsyncContextManager[None]:
        """Know these people's own values while the block lasts, where the content asks for them.

        Raises `StoreAway` when they cannot be looked up.
        """
        return self._personal.ahead(job.broadcast.account, people, job.content)

    async def still_meant(self, job: Job, people: Sequence[OpenId]) -> set[OpenId]:
        """Return those of the people who are still meant at this moment."""
        broadcast = job.broadcast
        if job.card is not None:
            await self._cards.settle(broadcast.id, job.card)
            return set(people) if job.card.entries else set()
        if job.subject is None:
            return await self._people.still_meant(broadcast.account, broadcast.audience, people)
        holders = await self._people.holders(broadcast.account, broadcast.topic, job.subject)
        return {openid for openid, _ in holders} & set(people)

    async def _load(self, broadcast_id: BroadcastId) -> Job:
        broadcast = await self._store.find(broadcast_id)
        if broadcast is None:
            raise LookupError(f"there is no broadcast {broadcast_id}")
        if broadcast.kind == "notice":
            notice = await self._notices.find(broadcast_id)
            if notice is None:
                raise LookupError(f"notice {broadcast_id} has lost its content")
            content, subject = unseal(await self._cipher.decrypt(notice.sealed))
            return Job(broadcast=broadcast, content=content, subject=subject)
        if broadcast.kind == "digest":
            card = await self._cards.prepare(broadcast)
            return Job(broadcast=broadcast, content=card.content, card=card)
        frozen = await self._store.find_content(broadcast_id)
        if frozen is None:
            raise LookupError(f"broadcast {broadcast_id} was never scheduled")
        return Job(broadcast=broadcast, content=frozen)
