"""Drafts (草稿): broadcasts that somebody still writes; nothing of them is ever sent.

A draft may be unfinished, so only what could not be kept is refused: a rule that is no rule, and
a thing named in one that is no such thing (which would otherwise be kept as it was typed).
Everything else is checked when it is submitted, by the same checks as every order.

Saving what is in review or rejected takes it back to a draft: its review is void, as after any
edit. With the `revision` that was read, whoever is late learns that somebody else was there
first, instead of writing over it; so does whoever read none, from the page that made it, when
somebody else has edited it since. The idempotency key of a new order makes one draft of it
however often it is saved, and one broadcast of a draft that is submitted from the same page.
"""

import logging
from dataclasses import replace
from typing import Any

from config.catalogue import Catalogue
from domain.authors import name_of
from domain.broadcast import EDITABLE, ORDERED, STATE_WORDS, Broadcast, BroadcastState
from domain.clock import Clock
from domain.errors import StateError
from domain.ids import AccountId, BroadcastId, new_id
from domain.sentence import Sentence
from push.broadcasts import Broadcasts, order_of
from push.editing import TRIES, Editing, check_revision, check_unseen
from push.finding import find_for
from push.orders import BroadcastOrder, Fault, OrderRefused
from push.ports import People
from push.rule_checks import check_rule
from storage.mongo.broadcasts import AlreadyThere, MongoBroadcasts
from storage.mongo.revisions import MongoRevisions

log = logging.getLogger(__name__)

NAMELESS = Sentence("未命名草稿")
DISCARDABLE: tuple[BroadcastState, ...] = ("draft", "rejected")
_NOT_YOURS = Sentence(
    "只能放弃草稿和退回的任务；这个任务刚被提交或处理过，请由有发布权限的人取消。"
)


class Drafts:
    """Keeps drafts and submits them (runtime: `ctx.drafts`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        revisions: MongoRevisions,
        broadcasts: Broadcasts,
        editing: Editing,
        people: People,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._store = store
        self._revisions = revisions
        self._broadcasts = broadcasts
        self._editing = editing
        self._people = people
        self._catalogue = catalogue
        self._clock = clock

    async def find(self, broadcast_id: BroadcastId, account: AccountId) -> Broadcast:
        """Return what may still be edited, or say why this may not."""
        found = await find_for(self._store, broadcast_id, account)
        _check_editable(found)
        return found

    async def save(
        self,
        order: BroadcastOrder,
        *,
        author: str,
        broadcast_id: BroadcastId | None = None,
        revision: int | None = None,
    ) -> Broadcast:
        """Keep an order as a draft: a new one, or in the place of what it was before."""
        order = self._fit_to_keep(order)
        known = broadcast_id or await self._kept(order)
        if known is None:
            try:
                return await self._add(order, author)
            except AlreadyThere:  # the same page, saved twice at the same moment
                known = await self._kept(order)
                if known is None:
                    raise
        return await self._replace(known, order, author, revision)

    async def submit(
        self,
        order: BroadcastOrder,
        *,
        author: str,
        broadcast_id: BroadcastId | None = None,
        revision: int | None = None,
    ) -> Broadcast:
        """Put an order into review, new or in the place of its draft, after all the checks."""
        known = broadcast_id or await self._kept(order)
        if known is None:
            accepted = await self._broadcasts.create(order, author=author, publish=False)
            return await find_for(self._store, accepted.id, order.account)
        order = await self._broadcasts.prepared(order)
        if revision is None:
            found = await find_for(self._store, known, order.account)
            check_unseen(found, author)
            revision = found.revision  # whoever comes in between is noticed too
        return await self._editing.edit(known, order, author=author, revision=revision)

    async def submit_kept(
        self, broadcast_id: BroadcastId, account: AccountId, *, author: str, revision: int
    ) -> Broadcast:
        """Put a draft into review as it was kept."""
        kept = await self.find(broadcast_id, account)
        return await self.submit(
            order_of(kept), author=author, broadcast_id=broadcast_id, revision=revision
        )

    async def discard(
        self, broadcast_id: BroadcastId, account: AccountId, *, author: str, revision: int
    ) -> Broadcast:
        """Give up a draft, or what was returned, as it was read; doing so twice is once.

        What is in review or later belongs to others too: those who may publish cancel it.
        """
        found = await find_for(self._store, broadcast_id, account)
        if found.state == "cancelled" and found.started_at is None:
            return found
        if found.kind != "broadcast" or found.state not in DISCARDABLE:
            raise StateError(_NOT_YOURS)
        check_revision(found, revision)
        moved = await self._store.move(
            broadcast_id,
            DISCARDABLE,
            "cancelled",
            revision=revision,
            reason=Sentence("{who}：放弃", who=name_of(author)),
            finished_at=self._clock.now(),
        )
        if moved is None:
            raise StateError(_NOT_YOURS)
        return moved

    def _fit_to_keep(self, order: BroadcastOrder) -> BroadcastOrder:
        order = replace(order, audience=self._people.sealed(order.audience))
        if order.audience.rule is None:
            return order
        problems = check_rule(order.audience.rule, self._catalogue)
        if problems:
            raise OrderRefused(tuple(Fault(field=f, code=c, message=m) for f, c, m in problems))
        return order

    async def _kept(self, order: BroadcastOrder) -> BroadcastId | None:
        if not order.idempotency_key:
            return None
        first = await self._store.find_first_answer(order.account, order.idempotency_key)
        return first.id if first else None

    async def _add(self, order: BroadcastOrder, author: str) -> Broadcast:
        draft = Broadcast(
            id=BroadcastId(new_id("bc")),
            account=order.account,
            state="draft",
            created_at=self._clock.now(),
            author=author,
            **_said(order),
        )
        key = order.idempotency_key
        await self._store.add(draft, idempotency=(key, order.digest()) if key else None)
        return draft

    async def _replace(
        self, broadcast_id: BroadcastId, order: BroadcastOrder, author: str, revision: int | None
    ) -> Broadcast:
        for _ in range(TRIES):
            found = await self.find(broadcast_id, order.account)
            said = _said(order)
            if found.state == "draft" and all(getattr(found, k) == v for k, v in said.items()):
                return found  # saved again
            check_revision(found, revision)
            if revision is None:
                check_unseen(found, author)
            editors = dict.fromkeys([*found.edited_by, *([author] * (author != found.author))])
            edited = replace(
                found,
                **said,
                state="draft",
                reason="",
                revision=found.revision + 1,
                edited_by=tuple(editors),
            )
            if await self._revisions.replace(
                edited, revision=found.revision, by=author, at=self._clock.now()
            ):
                log.info(
                    "broadcast.edited",
                    extra={
                        "broadcast": edited.id,
                        "revision": edited.revision,
                        "author": author,
                    },
                )
                return edited
        raise StateError(Sentence("草稿正被别人修改，请重新读取后再改。"))


def _said(order: BroadcastOrder) -> dict[str, Any]:
    said: dict[str, Any] = {name: getattr(order, name) for name in ORDERED}
    return said | {"title": order.title.strip() or NAMELESS, "data": dict(order.data)}


def _check_editable(broadcast: Broadcast) -> None:
    if broadcast.kind != "broadcast" or broadcast.state not in EDITABLE:
        raise StateError(
            Sentence(
                "群发任务{state}，内容不能再修改；需要改动时请取消它，再提交新的任务。",
                state=STATE_WORDS[broadcast.state],
            )
        )
