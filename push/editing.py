"""Edits (修改) before approval: each makes a new revision that must be reviewed again.

An approval names the revision it is of, so one that was given to an older text is void. Whoever
edited a broadcast may not approve it, as whoever made it may not. Once it is scheduled nothing can
be edited: content and template version are frozen, and sending may have begun. Earlier revisions
stay, so that a reviewer sees what an edit changed.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from config.catalogue import Catalogue
from config.settings import AccountSettings
from domain.authors import is_same_person, name_of
from domain.broadcast import EDITABLE, ORDERED, STATE_WORDS, Broadcast
from domain.clock import Clock
from domain.errors import StateError
from domain.ids import AccountId, BroadcastId
from domain.sentence import Sentence
from push.broadcasts import order_of
from push.finding import find_for
from push.orders import BroadcastOrder, check_broadcast
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.revisions import MongoRevisions

log = logging.getLogger(__name__)

TRIES = 3  # somebody else may edit or approve between our reading and our writing


class Overtaken(StateError):
    """Somebody else edited it since it was read; nothing was overwritten."""

    code = "edited_meanwhile"

    def __init__(self, say: str, broadcast: BroadcastId) -> None:
        super().__init__(say)
        self.broadcast = broadcast


class Editing:
    """Edits broadcasts (runtime: `ctx.editing`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        revisions: MongoRevisions,
        accounts: Mapping[AccountId, AccountSettings],
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._store = store
        self._revisions = revisions
        self._accounts = accounts
        self._catalogue = catalogue
        self._clock = clock

    async def edit(
        self,
        broadcast_id: BroadcastId,
        order: BroadcastOrder,
        *,
        author: str,
        revision: int | None = None,
    ) -> Broadcast:
        """Replace what is ordered; it goes (back) into review under the next revision.

        The same order again changes nothing, so a repeated request is harmless. The order's
        idempotency key is not looked at: the id in the path says what is meant. With the
        `revision` that was read, an edit made meanwhile by somebody else is not written over.
        """
        for _ in range(TRIES):
            broadcast = await find_for(self._store, broadcast_id, order.account)
            if broadcast.kind != "broadcast" or broadcast.state not in EDITABLE:
                raise StateError(
                    Sentence(
                        "群发任务{state}，内容不能再修改；需要改动时请取消它，再提交新的任务。",
                        state=STATE_WORDS[broadcast.state],
                    )
                )
            check_broadcast(
                order, self._accounts[order.account], self._catalogue, self._clock.now()
            )
            if broadcast.state == "in_review" and order_of(broadcast).digest() == order.digest():
                return broadcast
            check_revision(broadcast, revision)
            edited = _edited(broadcast, order, author)
            if await self._revisions.replace(
                edited, revision=broadcast.revision, by=author, at=self._clock.now()
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
        raise StateError(Sentence("群发任务正被别人修改，请重新读取后再改。"))


def check_revision(broadcast: Broadcast, revision: int | None) -> None:
    """Refuse to write over what was edited since it was read."""
    if revision is not None and broadcast.revision != revision:
        raise Overtaken(
            Sentence(
                "群发任务已被修改为第 {revision} 版，您看到的是第 {seen} 版；请打开最新"
                "版，再做修改。",
                revision=broadcast.revision,
                seen=revision,
            ),
            broadcast.id,
        )


def check_unseen(broadcast: Broadcast, author: str) -> None:
    """Refuse somebody who read no revision to write over what others have edited."""
    others = [each for each in broadcast.edited_by if not is_same_person(each, author)]
    if others:
        raise Overtaken(
            Sentence(
                "{who} 已经把这个任务改到第 {revision} 版，您的内容没有保存，还留在下面；"
                "请打开最新版，把要改的地方写进去。",
                who=name_of(others[-1]),
                revision=broadcast.revision,
            ),
            broadcast.id,
        )


def _edited(broadcast: Broadcast, order: BroadcastOrder, author: str) -> Broadcast:
    editors = dict.fromkeys([*broadcast.edited_by, author])
    ordered: dict[str, Any] = {name: getattr(order, name) for name in ORDERED}
    ordered |= {"title": order.title.strip(), "data": dict(order.data)}
    return replace(
        broadcast,
        **ordered,
        state="in_review",
        reason="",
        revision=broadcast.revision + 1,
        edited_by=tuple(editors),
    )
