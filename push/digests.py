"""Digests (汇总发送): at a person's time everything that waits for them becomes one message.

`tick` is called every few seconds by each scheduler process. A digest is a broadcast with one
recipient, so quiet hours, limits, receipts and crash safety are those of every broadcast. It is
unique on (person, day): making it is the claim, and its expansion takes the items. Whatever
arrives after that waits for the next day's, so nobody gets two in a day.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Mapping
from datetime import datetime

from config.settings import AccountSettings
from domain.broadcast import Audience, Broadcast
from domain.clock import Clock
from domain.digest import DigestMark, digest_day, digest_key, next_digest
from domain.ids import AccountId, BroadcastId, OpenId, TopicId, new_id
from push.digest_cards import TEMPLATE, DigestCards
from push.fanout import LEASE, Fanout
from storage.mongo.broadcasts import AlreadyThere, MongoBroadcasts
from storage.mongo.digests import MongoDigests
from storage.mongo.notices import MongoNotices

log = logging.getLogger(__name__)

SLICE = 200  # people in one tick
LOOK = 800  # people among whom a slice is drawn, so that schedulers meet seldom
AT_ONCE = 16
TOPIC = TopicId("digest")
TITLE = "通知汇总"


class Digests:
    """Makes digests. Several schedulers at once are harmless: a key is taken once."""

    def __init__(
        self,
        store: MongoBroadcasts,
        notices: MongoNotices,
        items: MongoDigests,
        cards: DigestCards,
        fanout: Fanout,
        accounts: Mapping[AccountId, AccountSettings],
        clock: Clock,
    ) -> None:
        self._store = store
        self._notices = notices
        self._items = items
        self._cards = cards
        self._fanout = fanout
        self._accounts = accounts
        self._clock = clock
        self._owner = f"digests-{secrets.token_hex(6)}"

    async def tick(self) -> None:
        """Make the digests of a slice of the people who are due."""
        now = self._clock.now()
        people = await self._items.due_people(self._accounts.keys(), now, limit=LOOK)
        # drawn, not ranked: chance needs no secrecy here
        mine = random.sample(people, min(SLICE, len(people)))
        reasons = {account: self._cards.reason_not_to_merge(account) for account, _ in mine}
        for account, reason in reasons.items():
            if reason is not None:
                log.error(
                    "digest.cannot_merge",
                    extra={"account": account, "reason": f"{reason}; items go one by one"},
                )
        turns = asyncio.Semaphore(AT_ONCE)

        async def begin(account: AccountId, openid: OpenId) -> None:
            async with turns:
                await self._begin(account, openid, now, merged=reasons[account] is None)

        done = await asyncio.gather(*(begin(*person) for person in mine), return_exceptions=True)
        for error in done:
            if isinstance(error, Exception):  # what it did not finish is found by the next tick
                log.error("digest.failed", exc_info=error)

    async def _begin(
        self, account: AccountId, openid: OpenId, now: datetime, *, merged: bool
    ) -> None:
        day = digest_day(now)
        if merged:
            await self._make(
                account, DigestMark(key=digest_key(account, openid, day), openid=openid)
            )
            return
        for item in await self._items.list_due(account, openid, now):
            key = digest_key(account, openid, day, item.notice)
            await self._make(account, DigestMark(key=key, openid=openid, notice=item.notice))

    async def _make(self, account: AccountId, mark: DigestMark) -> None:
        now = self._clock.now()
        digest = Broadcast(
            id=BroadcastId(new_id("dg")),
            account=account,
            kind="digest",
            title=TITLE,
            topic=TOPIC,
            audience=Audience(openids=(mark.openid,)),
            template=TEMPLATE,
            data={},
            state="sending",
            created_at=now,
            started_at=now,
            author="digest",
        )
        try:
            await self._store.add(digest, mark=mark, fanout=(self._owner, now + LEASE))
        except AlreadyThere:
            await self._too_late(account, mark, now)
            return
        await self._fanout.expand(digest, owner=self._owner)

    async def _too_late(self, account: AccountId, mark: DigestMark, now: datetime) -> None:
        """Leave it to the digest that is there, or to the next one if that is complete."""
        if mark.notice is not None or not await self._notices.is_gathered(mark.key):
            return
        until = next_digest(now, "daily")
        moved = await self._items.put_off(account, mark.openid, now=now, until=until)
        if moved:
            log.info("digest.put_off", extra={"items": moved, "until": until})
