"""How triggers speak (`ports.Emit`): through broadcasts and notices, with keys of their own.

Before anything is said the lease is renewed: a process that was stopped for a minute finds
another one at its place and says nothing old. The same key with other content means that a
department edited a revision in place: what was said first stands, and the log tells.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from domain.broadcast import Broadcast
from domain.clock import Clock
from domain.errors import StateError
from domain.ids import AccountId, TopicId
from push.broadcasts import Broadcasts, KeyReused
from push.notices import NoticeOrder, Notices
from push.orders import BroadcastOrder, OrderRefused
from storage.mongo.broadcasts import MongoBroadcasts

log = logging.getLogger(__name__)

# faults of the account's settings: every piece of news would fail, so the run does
OURS = frozenset({"unknown_account", "unknown_topic", "unknown_template", "missing_field"})
OVER = frozenset({"finished", "cancelled", "failed", "rejected"})


class Emitter:
    """One run's voice; the numbers tell what it did."""

    def __init__(
        self,
        trigger: str,
        account: AccountId,
        broadcasts: Broadcasts,
        store: MongoBroadcasts,
        notices: Notices,
        clock: Clock,
        keep_lease: Callable[[], Awaitable[None]],
        *,
        publish: bool = True,
    ) -> None:
        self._trigger = trigger
        self._account = account
        self._broadcasts = broadcasts
        self._store = store
        self._notices = notices
        self._clock = clock
        self._keep_lease = keep_lease
        self._publish = publish
        self.emitted = 0
        self.repeated = 0
        self.stale = 0
        self.refused = 0
        self.withdrawn = 0

    def key(self, event: str, revision: int, phase: str) -> str:
        """Return the idempotency key of a broadcast."""
        return f"trigger:{self._trigger}:{event}:{revision}:{phase}"

    async def broadcast(
        self, order: BroadcastOrder, *, event: str, revision: int, phase: str
    ) -> str | None:
        """Publish a broadcast once, or leave it for a person to approve."""
        key = self.key(event, revision, phase)
        order = replace(order, account=self._account, idempotency_key=key)
        first = await self._store.find_first_answer(self._account, key)
        if first is not None:
            self.repeated += 1
            if first.digest != order.digest():
                self._edited(key)
            return key
        if order.expires_at is not None and order.expires_at <= self._clock.now():
            self.stale += 1
            return None
        await self._keep_lease()
        try:
            await self._broadcasts.create(order, author=self._author, publish=self._publish)
        except KeyReused:  # another process said it in between
            self.repeated += 1
            self._edited(key)
        except OrderRefused as refusal:
            self._refused(refusal, key)
            return None
        else:
            self.emitted += 1
        return key

    async def notice(self, order: NoticeOrder) -> int:
        """Announce an event about one thing once, and return how many people it concerns."""
        order = replace(order, account=self._account)
        before = await self._store.find_matched(self._account, order.topic, order.event_id)
        if before is not None:
            self.repeated += 1
            return before
        await self._keep_lease()
        try:
            matched = await self._notices.announce(order, author=self._author)
        except OrderRefused as refusal:
            self._refused(refusal, order.event_id)
            return 0
        self.emitted += 1
        return matched

    async def was_announced(self, topic: TopicId, event_id: str) -> bool:
        """Whether a notice of this event was made."""
        return await self._store.find_matched(self._account, topic, event_id) is not None

    async def withdraw(self, key: str, *, reason: str) -> bool:
        """Cancel a broadcast that is not through; whoever was not reached yet is left in peace."""
        found = await self._find(key)
        if found is None:
            return False
        if found.state not in OVER:
            await self._keep_lease()
            found = await self._cancel(found, reason)
        return found.started_at is not None

    async def was_heard(self, key: str) -> bool:
        """Whether a broadcast has begun."""
        found = await self._find(key)
        return found is not None and found.started_at is not None

    async def _find(self, key: str) -> Broadcast | None:
        first = await self._store.find_first_answer(self._account, key)
        return await self._store.find(first.id) if first is not None else None

    async def _cancel(self, broadcast: Broadcast, reason: str) -> Broadcast:
        try:
            cancelled = await self._broadcasts.cancel(broadcast.id, self._account, reason=reason)
        except StateError:  # it ended in this moment
            return await self._store.find(broadcast.id) or broadcast
        self.withdrawn += 1
        return cancelled

    @property
    def _author(self) -> str:
        return f"trigger:{self._trigger}"

    def _edited(self, key: str) -> None:
        log.warning(
            "trigger.edited_in_place",
            extra={
                "trigger": self._trigger,
                "account": self._account,
                "key": key,
                "reason": "the same revision with other content; what was said first stands",
            },
        )

    def _refused(self, refusal: OrderRefused, key: str) -> None:
        if any(fault.code in OURS for fault in refusal.faults):
            raise refusal
        self.refused += 1
        log.error(
            "trigger.refused",
            extra={
                "trigger": self._trigger,
                "account": self._account,
                "key": key,
                "fields": [f"{fault.field}: {fault.code}" for fault in refusal.faults],
            },
        )
