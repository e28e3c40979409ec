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
from collections.abc import Mapping, Sequence
from datetime import datetime

from config.settings import AccountSettings
from domain.broadcast import Audience, Broadcast
from domain.clock import Clock
from domain.digest import DigestMark, digest_day, digest_key, next_digest
from domain.ids import AccountId, BroadcastId, OpenId, TopicId, new_id
from push.digest_cards import TEMPLATE, DigestCards
from push.fanout import LEASE, Fanout
from storage.mongo.digests import MongoDigests
from storage.mongo.notices import MongoNotices

log = logging.getLogger(__name__)

SLICE = 200  # people whose digests are made together
LOOK = 800  # people among whom a slice is drawn, so that schedulers meet seldom
LONGEST = 20.0  # seconds of one tick, while there are people to be served
TOPIC = TopicId("digest")
TITLE = "通知汇总"

Digest = tuple[Broadcast, DigestMark]


class Digests:
    """Makes digests. Several schedulers at once are harmless: a key is taken once."""

    def __init__(
        self,
        notices: MongoNotices,
        items: MongoDigests,
        cards: DigestCards,
        fanout: Fanout,
        accounts: Mapping[AccountId, AccountSettings],
        clock: Clock,
    ) -> None:
        self._notices = notices
        self._items = items
        self._cards = cards
        self._fanout = fanout
        self._accounts = accounts
        self._clock = clock
        self._owner = f"digests-{secrets.token_hex(6)}"

    async def tick(self) -> None:
        """Make the digests of the people who are due, a slice after another."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST
        while await self._make_slice() and loop.time() < until:
            pass

    async def _make_slice(self) -> bool:
        """Make some digests; False when nobody was due, or somebody else was quicker."""
        now = self._clock.now()
        people = await self._items.due_people(self._accounts.keys(), now, limit=LOOK)
        # drawn, not ranked: chance needs no secrecy here
        mine = random.sample(people, min(SLICE, len(people)))
        by_account: dict[AccountId, list[OpenId]] = {}
        for account, openid in mine:
            by_account.setdefault(account, []).append(openid)
        wanted: list[Digest] = []
        for account, openids in by_account.items():
            wanted += await self._wanted(account, openids, now)
        made = await self._notices.add_digests(wanted, owner=self._owner, until=now + LEASE)
        if made:
            await self._fanout.expand_digests(made, owner=self._owner)
        theirs = {digest.id for digest in made}
        await self._put_off([digest for digest in wanted if digest[0].id not in theirs], now)
        return bool(made)

    async def _wanted(
        self, account: AccountId, openids: Sequence[OpenId], now: datetime
    ) -> list[Digest]:
        """Return one digest for each, or one for each item when they cannot be merged."""
        day = digest_day(now)
        reason = self._cards.reason_not_to_merge(account)
        if reason is None:
            marks = [
                DigestMark(key=digest_key(account, openid, day), openid=openid)
                for openid in openids
            ]
        else:
            log.error(
                "digest.cannot_merge",
                extra={"account": account, "reason": f"{reason}; items go one by one"},
            )
            marks = [
                DigestMark(
                    key=digest_key(account, item.openid, day, item.notice),
                    openid=item.openid,
                    notice=item.notice,
                )
                for item in await self._items.list_due(account, openids, now)
            ]
        return [(_digest(account, mark, now), mark) for mark in marks]

    async def _put_off(self, taken: Sequence[Digest], now: datetime) -> None:
        """Leave people to the digest that is there, or to the next one if that is complete."""
        done = await self._notices.gathered([mark.key for _, mark in taken]) if taken else set()
        until = next_digest(now, "daily")
        for digest, mark in taken:
            if mark.notice is None and mark.key in done:
                moved = await self._items.put_off(digest.account, mark.openid, now=now, until=until)
                if moved:
                    log.info("digest.put_off", extra={"items": moved, "until": until})


def _digest(account: AccountId, mark: DigestMark, now: datetime) -> Broadcast:
    return Broadcast(
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
