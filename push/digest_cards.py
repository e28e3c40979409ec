"""Digest cards (汇总消息): one message for everything that was collected for a person.

Put together each time just before it is sent: what has expired, or is about a topic or a thing
that the person left meanwhile, is not in it. Several items become a `reminder_notice` that leads
to a page; a single one is sent as the notice it is.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from config.catalogue import Catalogue
from config.settings import AccountSettings
from domain.broadcast import Broadcast
from domain.clock import Clock, in_beijing
from domain.digest import Item, LeftOut
from domain.errors import ConfigError
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from domain.ledger import Content
from domain.people import Subject
from push.links import Links
from push.orders import compose
from push.ports import Cipher, People
from push.sealed import unseal
from storage.mongo.digests import MongoDigests
from storage.mongo.notices import MongoNotices, Outline

log = logging.getLogger(__name__)

TEMPLATE = "reminder_notice"
NOTE_LENGTH = 20  # what a `thing` takes (push.field_types)
NOTHING = Content(template_id="", fields={})  # never sent: nobody is meant by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item, opened."""

    item: Item
    content: Content
    subject: Subject = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A digest as it would be sent at this moment."""

    content: Content
    entries: tuple[Entry, ...]
    left_out: Mapping[BroadcastId, LeftOut]
    outline: Outline


class DigestCards:
    """Puts digests together."""

    def __init__(
        self,
        items: MongoDigests,
        notices: MongoNotices,
        people: People,
        cipher: Cipher,
        accounts: Mapping[AccountId, AccountSettings],
        catalogue: Catalogue,
        links: Links,
        clock: Clock,
    ) -> None:
        self._items = items
        self._notices = notices
        self._people = people
        self._cipher = cipher
        self._accounts = accounts
        self._catalogue = catalogue
        self._links = links
        self._clock = clock

    def reason_not_to_merge(self, account: AccountId) -> str | None:
        """Return why an account's items cannot become one message; None when they can."""
        sample = self._data(("一二三四五六七八九十" * 2,), 99, self._clock.now())
        settings = self._accounts[account]
        content, faults = compose(TEMPLATE, sample, self._links_to(account), settings)
        return None if content and not faults else "；".join(fault.message for fault in faults)

    async def prepare(self, digest: Broadcast) -> Card:
        """Open what a digest has taken and leave out what is not wanted any more."""
        now = self._clock.now()
        entries: list[Entry] = []
        left_out: dict[BroadcastId, LeftOut] = {}
        gone: Counter[TopicId] = Counter()
        for entry, wanted in await self._opened(digest.id):
            item = entry.item
            if wanted and (item.expires_at is None or now < item.expires_at):
                entries.append(entry)
                continue
            left_out[item.notice] = "expired" if wanted else "no longer wanted"
            gone[item.topic] += 1
        topics = Counter(entry.item.topic for entry in entries)
        return Card(
            content=self._content(digest, entries, topics),
            entries=tuple(entries),
            left_out=left_out,
            outline=Outline(topics=topics, left_out=gone),
        )

    async def entries(self, digest: BroadcastId) -> tuple[Entry, ...]:
        """Return what the message was about, for its page, without what was left since."""
        opened = await self._opened(digest, in_message=True)
        return tuple(entry for entry, wanted in opened if wanted)

    async def _opened(
        self, digest: BroadcastId, *, in_message: bool = False
    ) -> list[tuple[Entry, bool]]:
        """Return each item with whether its person follows, has the thing and the topic still."""
        asked: dict[tuple[TopicId, Subject], set[OpenId]] = {}
        opened: list[tuple[Entry, bool]] = []
        for item in await self._items.list_of(digest, in_message=in_message):
            content, subject = unseal(await self._cipher.decrypt(item.sealed))
            about = (item.topic, subject)
            if about not in asked:
                holders = await self._people.holders(item.account, item.topic, subject)
                asked[about] = {openid for openid, _ in holders}
            entry = Entry(item=item, content=content, subject=subject)
            opened.append((entry, item.openid in asked[about]))
        return opened

    async def settle(self, digest: BroadcastId, card: Card) -> None:
        """Keep what is in the message and what is not, just before it is sent."""
        await self._items.leave_out(digest, dict(card.left_out))
        await self._notices.outline(digest, card.outline)

    def _content(
        self, digest: Broadcast, entries: Sequence[Entry], topics: Counter[TopicId]
    ) -> Content:
        if not entries:
            return NOTHING
        if len(entries) == 1:
            return entries[0].content
        parts = [f"{self._word(topic)} {number} 条" for topic, number in topics.most_common()]
        data = self._data(parts, len(entries), self._clock.now())
        url = self._links.to_digest(digest.account, digest.id)
        content, faults = compose(TEMPLATE, data, url, self._accounts[digest.account])
        if content is None or faults:  # it was possible when the digest was made
            reasons = "；".join(fault.message for fault in faults)
            raise ConfigError(f"digest {digest.id} cannot be put together: {reasons}")
        return content

    def _links_to(self, account: AccountId) -> str:
        return self._links.to_digest(account, BroadcastId("dg_0123456789abcdef01234567"))

    def _data(self, parts: Sequence[str], number: int, now: datetime) -> dict[str, str]:
        today = in_beijing(now)
        return {
            "matter": f"{number} 条新通知",
            "due": f"{today.year}年{today.month}月{today.day}日",
            "note": summary(parts),
        }

    def _word(self, topic: TopicId) -> str:
        known = self._catalogue.topics.get(topic)
        return known.words[0] if known else "其他"


def summary(parts: Sequence[str]) -> str:
    """Return `停水 2 条、违章 1 条`, with 等 instead of what does not fit."""
    for number in range(len(parts), 0, -1):
        text = "、".join(parts[:number]) + ("等" if number < len(parts) else "")
        if len(text) <= NOTE_LENGTH:
            return text
    return parts[0][:NOTE_LENGTH]
