"""Approvals (审核与发布): two people for every broadcast, and a record of what each of them said.

In the console an approval does not schedule anything. It is kept while the broadcast stays in
review, and `publish` needs one that counts (`domain.review.standing`): of the revision there is
now, by somebody who neither made nor edited it. Departments' keys with `broadcasts:publish`
schedule at once, as before; their review happened at home.
"""

import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Literal

from domain.authors import is_same_person, person_of
from domain.broadcast import EDITABLE, Broadcast
from domain.clock import Clock
from domain.errors import InvalidInput, NotAllowed, StateError
from domain.ids import AccountId, BroadcastId, new_id
from domain.review import Review, ReviewKind, Revision, Standing, standing
from domain.sentence import Sentence
from push.broadcasts import Broadcasts, order_of
from push.finding import find_for
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.reviews import MongoReviews
from storage.mongo.revisions import MongoRevisions

log = logging.getLogger(__name__)

LONGEST = 1000  # characters of a comment or a reason


class Approvals:
    """Reviews and publishes broadcasts (runtime: `ctx.approvals`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        reviews: MongoReviews,
        revisions: MongoRevisions,
        broadcasts: Broadcasts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._reviews = reviews
        self._revisions = revisions
        self._broadcasts = broadcasts
        self._clock = clock

    async def approve(
        self, broadcast_id: BroadcastId, account: AccountId, *, by: str, revision: int, text: str
    ) -> Review:
        """Record that somebody else approves this revision; doing so twice is one approval."""
        broadcast = await self._read(broadcast_id, account, by=by, revision=revision)
        return await self._record(broadcast, "approval", by, _said(text, "text"))

    async def reject(
        self, broadcast_id: BroadcastId, account: AccountId, *, by: str, revision: int, reason: str
    ) -> Broadcast:
        """Send it back to its author with the reason; approvals of this revision are void."""
        broadcast = await self._read(broadcast_id, account, by=by, revision=revision)
        reason = _said(reason, "reason")
        if not reason:
            raise InvalidInput(Sentence("请写明退回的原因。"), field="reason")
        moved = await self._broadcasts.reject(broadcast_id, by=by, reason=reason, revision=revision)
        await self._record(broadcast, "rejection", by, reason)
        return moved

    async def comment(
        self, broadcast_id: BroadcastId, account: AccountId, *, by: str, text: str
    ) -> Review:
        """Keep a comment on the revision there is now, in whatever state it is."""
        broadcast = await find_for(self._store, broadcast_id, account)
        text = _said(text, "text")
        if not text:
            raise InvalidInput(Sentence("请写下意见再提交。"), field="text")
        return await self._record(broadcast, "comment", by, text)

    async def publish(
        self, broadcast_id: BroadcastId, account: AccountId, *, by: str, revision: int
    ) -> Broadcast:
        """Schedule what is approved, if it still is the revision that was read.

        Whoever asks again after they did it, with the same page, gets what it has become.
        """
        broadcast = await find_for(self._store, broadcast_id, account)
        if await self._has_published(broadcast, by=by, revision=revision):
            return broadcast
        _check_state(broadcast)
        _check_revision(broadcast, revision)
        approval = (await self.standing(broadcast)).approval
        if approval is None:
            raise StateError(Sentence("这一版还没有通过审核，不能发布；请先由另一人审核。"))
        moved = await self._broadcasts.approve(broadcast_id, by=approval.by, revision=revision)
        await self._record(broadcast, "publication", by, "")
        return moved

    async def standing(self, broadcast: Broadcast) -> Standing:
        """Return which approval counts for the broadcast as it is now, and which are void."""
        return standing_of(broadcast, await self._reviews.list_(broadcast.id))

    async def standings(self, broadcasts: Sequence[Broadcast]) -> Mapping[BroadcastId, Standing]:
        """Return where those that are in review stand, for a list."""
        waiting = [each for each in broadcasts if each.state == "in_review"]
        records = await self._reviews.list_all([each.id for each in waiting])
        return {each.id: standing_of(each, records.get(each.id, [])) for each in waiting}

    async def records(self, broadcast_id: BroadcastId) -> Sequence[Review]:
        """Return everything that was said and decided, in the order of time."""
        return await self._reviews.list_(broadcast_id)

    async def revisions(self, broadcast_id: BroadcastId) -> Sequence[Revision]:
        """Return the contents it had, the newest first."""
        return await self._revisions.list_(broadcast_id)

    async def revision(self, broadcast_id: BroadcastId, number: int) -> Revision | None:
        """Return one of them."""
        return await self._revisions.find(broadcast_id, number)

    # --- inside ---------------------------------------------------------------------------

    async def _has_published(self, broadcast: Broadcast, *, by: str, revision: int) -> bool:
        if broadcast.state in EDITABLE or broadcast.revision != revision:
            return False
        said = await self._reviews.list_(broadcast.id)
        return any(each.kind == "publication" and is_same_person(each.by, by) for each in said)

    async def _read(
        self, broadcast_id: BroadcastId, account: AccountId, *, by: str, revision: int
    ) -> Broadcast:
        """Return what is in review, if this person may decide on it and has read it as it is."""
        broadcast = await find_for(self._store, broadcast_id, account)
        _check_state(broadcast)
        if why_not(broadcast, by):
            raise NotAllowed(Sentence("拟稿人和修改人不能审核自己的群发任务，请由另一人审核。"))
        _check_revision(broadcast, revision)
        return broadcast

    async def _record(self, broadcast: Broadcast, kind: ReviewKind, by: str, text: str) -> Review:
        digest = order_of(broadcast).digest()
        review = Review(
            id=_approval_id(broadcast, digest, by) if kind == "approval" else new_id("rv"),
            broadcast=broadcast.id,
            account=broadcast.account,
            revision=broadcast.revision,
            kind=kind,
            by=by,
            at=self._clock.now(),
            text=text,
            digest=digest,
        )
        await self._reviews.add(review)
        log.info(
            "broadcast.reviewed",
            extra={
                "broadcast": broadcast.id,
                "revision": broadcast.revision,
                "kind": kind,
                "author": by,
            },
        )
        return review


def standing_of(broadcast: Broadcast, records: Sequence[Review]) -> Standing:
    """Return where a broadcast stands, by its records."""
    return standing(records, revision=broadcast.revision, digest=order_of(broadcast).digest())


def why_not(broadcast: Broadcast, by: str) -> Literal["author", "editor"] | None:
    """Return why somebody may not decide on a broadcast (双人审核), None if they may."""
    if is_same_person(broadcast.author, by):
        return "author"
    return "editor" if any(is_same_person(each, by) for each in broadcast.edited_by) else None


def _approval_id(broadcast: Broadcast, digest: str, by: str) -> str:
    """Return the id of somebody's only approval of an order, however often they press."""
    place = f"{broadcast.id}:{broadcast.revision}:{digest}:{person_of(by)}"
    return f"rv_{sha256(place.encode()).hexdigest()[:24]}"


def _check_state(broadcast: Broadcast) -> None:
    if broadcast.state != "in_review":
        raise StateError(Sentence("群发任务不在审核中，不能审核或发布；它可能刚被别人处理过。"))


def _check_revision(broadcast: Broadcast, revision: int) -> None:
    if broadcast.revision != revision:
        raise StateError(
            Sentence(
                "群发任务已被修改为第 {revision} 版，您看到的是第 {seen} 版，请重新阅读后再决定。",
                revision=broadcast.revision,
                seen=revision,
            )
        )


def _said(text: str, field: str) -> str:
    """Return a text as it is kept, or refuse one that is too long."""
    text = text.strip()
    if len(text) > LONGEST:
        raise InvalidInput(
            Sentence("最多 {longest} 个字，现有 {size} 个字。", longest=LONGEST, size=len(text)),
            field=field,
        )
    return text
