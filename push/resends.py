"""Sending again to those it failed for (失败重发), and to nobody else.

A resend is a broadcast of its own whose people are the failed deliveries of a finished one, read
page by page from the ledger's outcomes: never the unknown (they may have it), never the skipped
(they do not want it). Just before each send the original's audience is asked again, so whoever
has left or cannot be reached any more is skipped.

A broadcast has one resend, whose id is made of its own: asking twice, or two people at once, is
answered with the same one. What fails again is sent again by a resend of the resend; a second one
of the original would reach people twice.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

from domain.broadcast import STATE_WORDS, Audience, Broadcast
from domain.clock import Clock
from domain.delivery import Outcome
from domain.errors import StateError
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Delivery
from domain.sentence import Sentence
from push.broadcasts import Accepted
from push.finding import find_for
from storage.mongo.broadcasts import AlreadyThere, MongoBroadcasts

log = logging.getLogger(__name__)


class FailureLists(Protocol):
    """Outcomes in a fixed order (`storage.mongo.delivery_lists`)."""

    async def page(
        self,
        broadcast: BroadcastId,
        state: Outcome | None,
        *,
        after: OpenId | None = None,
        up_to: OpenId | None = None,
        limit: int,
    ) -> Sequence[Delivery]: ...

    async def last(self, broadcast: BroadcastId, state: Outcome) -> OpenId | None: ...


class Failed:
    """The failed people of a broadcast, in the form the fan-out reads an audience."""

    def __init__(self, lists: FailureLists, broadcast: BroadcastId) -> None:
        self._lists = lists
        self._broadcast = broadcast

    async def upper_bound(self, account: AccountId, audience: Audience) -> str | None:
        """Return the last one; outcomes of a finished broadcast do not change any more."""
        return await self._lists.last(self._broadcast, "failed")

    async def page(
        self, account: AccountId, audience: Audience, *, after: str | None, up_to: str, size: int
    ) -> list[tuple[str, OpenId]]:
        """Return the next people; the cursor is the openid."""
        found = await self._lists.page(
            self._broadcast,
            "failed",
            after=OpenId(after) if after else None,
            up_to=OpenId(up_to),
            limit=size,
        )
        return [(delivery.openid, delivery.openid) for delivery in found]


class Resends:
    """Makes resends (runtime: `ctx.resends`)."""

    def __init__(self, store: MongoBroadcasts, lists: FailureLists, clock: Clock) -> None:
        self._store = store
        self._lists = lists
        self._clock = clock

    async def resend(
        self, broadcast_id: BroadcastId, account: AccountId | None = None, *, author: str
    ) -> Accepted:
        """Schedule a resend at once, or answer the one there is."""
        original = await find_for(self._store, broadcast_id, account)
        wanted = resend_id(broadcast_id)
        there = await self._store.find(wanted)
        if there is not None:
            return Accepted(id=there.id, state=there.state)
        await self._check(original)
        now = self._clock.now()
        again = replace(
            original,
            id=wanted,
            at=None,
            parent=None,
            planned_at=None,
            state="scheduled",
            due_at=now,
            created_at=now,
            started_at=None,
            finished_at=None,
            revision=1,
            edited_by=(),
            resend_of=original.id,
            author=author,
            reason="",
        )
        totals = await self._store.find_totals(original.id)
        try:
            await self._store.add(
                again,
                content=await self._store.find_content(original.id),
                reserved=totals.failed if totals else None,
            )
        except AlreadyThere:  # somebody else asked at the same moment
            return Accepted(id=wanted, state="scheduled")
        log.info("broadcast.resent", extra={"broadcast": original.id, "author": author})
        return Accepted(id=again.id, state=again.state)

    async def _check(self, original: Broadcast) -> None:
        if original.kind != "broadcast" or original.cron:
            raise StateError(
                Sentence("周期任务和个人通知不能整体重发；请对周期任务的某一次发送重发。")
            )
        if original.state != "finished":
            raise StateError(
                Sentence(
                    "群发任务{state}，完成后才能重发。",
                    state=STATE_WORDS[original.state],
                )
            )
        if original.expires_at is not None and original.expires_at <= self._clock.now():
            raise StateError(Sentence("群发任务的有效期 expires_at 已过，不能再重发。"))
        if await self._lists.last(original.id, "failed") is None:
            raise StateError(Sentence("没有发送失败的人，不需要重发。"))


def resend_id(broadcast: BroadcastId) -> BroadcastId:
    """Return the id of a broadcast's only resend."""
    return BroadcastId(f"bc_{sha256(f'resend:{broadcast}'.encode()).hexdigest()[:24]}")
