"""How many people follow each topic (主题人数), counted in the background.

A scheduler process looks every few seconds whether an account's turn is due (every ten minutes, or
because a page asked) and counts one topic after the other from the index of keys. Pages read the
last snapshot, so no page ever counts a million people. A process that dies while counting leaves
the old snapshot; the turn ends by itself after `PATIENCE`.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta

from domain.broadcast import Audience
from domain.clock import Clock
from domain.errors import TooSlow
from domain.ids import AccountId, TopicId
from storage.mongo.topic_numbers import MongoTopicNumbers, Numbers
from storage.mongo.work_turns import MongoTurns
from subscriptions.audience import Audiences

EVERY = timedelta(minutes=10)
PATIENCE = timedelta(minutes=10)  # 14 counts, each of at most 30 s
AGAIN = timedelta(minutes=1)  # after a count that took too long

log = logging.getLogger(__name__)


class TopicNumbers:
    """Snapshots of subscriber numbers (runtime: `ctx.topic_numbers`)."""

    def __init__(
        self,
        store: MongoTopicNumbers,
        turns: MongoTurns,
        audiences: Audiences,
        accounts: Iterable[AccountId],
        topics: Iterable[TopicId],
        clock: Clock,
    ) -> None:
        self._store = store
        self._turns = turns
        self._audiences = audiences
        self._accounts = tuple(accounts)
        self._topics = tuple(topics)
        self._clock = clock

    async def find(self, account: AccountId) -> Numbers | None:
        """Return the last snapshot."""
        return await self._store.find(account)

    async def ask(self, account: AccountId) -> None:
        """Have it counted soon; asking twice counts once."""
        await self._turns.ask(account, now=self._clock.now())

    async def tick(self) -> None:
        """Count what is due. Several processes may tick; each account is counted by one."""
        for account in self._accounts:
            now = self._clock.now()
            if not await self._turns.take(account, now=now, patience=PATIENCE):
                continue
            try:
                await self._count(account)
            except TooSlow as error:
                log.warning("topics.too_slow", extra={"account": account, "reason": str(error)})
                await self._turns.finish(account, next_at=self._clock.now() + AGAIN)
                continue
            await self._turns.finish(account, next_at=now + EVERY)

    async def _count(self, account: AccountId) -> None:
        at = self._clock.now()
        topics = {
            topic: await self._audiences.count(account, Audience(topics=(topic,)))
            for topic in self._topics
        }
        everybody = await self._audiences.count(account, Audience(all=True))
        await self._store.keep(account, Numbers(at=at, topics=topics, everybody=everybody))
        log.info("topics.counted", extra={"account": account, "followers": everybody})
