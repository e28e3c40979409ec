"""`/api/v1/broadcasts`: one message for many, and how it is getting on."""

import logging
from collections.abc import Collection
from typing import ClassVar

from tornado.web import url

from domain.access import Scope
from domain.broadcast import Broadcast
from domain.clock import in_beijing
from domain.ids import BroadcastId
from web.api.base import KeyPage
from web.api.models import BroadcastAccepted, BroadcastReport, BroadcastRequest, CountsModel
from web.api.operation_models import (
    BroadcastEdited,
    BroadcastItem,
    BroadcastList,
    BroadcastsQuery,
)

log = logging.getLogger(__name__)

WRITE: Scope = "broadcasts:write"
PUBLISH: Scope = "broadcasts:publish"


class BroadcastsApi(KeyPage):
    """Take an order for a broadcast 群发任务, or list those there are."""

    scopes: ClassVar[Collection[Scope]] = (WRITE, PUBLISH)

    async def post(self) -> None:
        request = self.read(BroadcastRequest)
        self.require_account(request.account)
        accepted = await self.ctx.broadcasts.create(
            request.order(), author=self.key.author, publish=PUBLISH in self.key.scopes
        )
        answer = BroadcastAccepted(id=accepted.id, state=accepted.state)
        self.set_header("Location", f"/api/v1/broadcasts/{accepted.id}")
        self.answer(answer.model_dump(mode="json"), 201)

    async def get(self) -> None:
        """List the account's broadcasts."""
        query = self.read_query(BroadcastsQuery)
        if query.account is not None:
            self.require_account(query.account)
        page = await self.ctx.lists.broadcasts(
            self.key.account, state=query.state, cursor=query.cursor, limit=query.limit
        )
        found = [BroadcastItem.of(broadcast) for broadcast in page.items]
        self.answer(BroadcastList(broadcasts=found, next=page.cursor).model_dump(mode="json"))


class BroadcastApi(KeyPage):
    """Say how a broadcast is getting on, or edit one that is not approved."""

    scopes: ClassVar[Collection[Scope]] = (WRITE, PUBLISH)

    async def get(self, broadcast_id: str) -> None:
        report = await self.ctx.broadcasts.report(BroadcastId(broadcast_id), self.key.account)
        broadcast, counts = report.broadcast, report.counts
        next_at = broadcast.next_at
        answer = BroadcastReport(
            id=broadcast.id,
            state=broadcast.state,
            counts=CountsModel(
                audience=counts.audience,
                sent=counts.sent,
                delivered=counts.delivered,
                failed=counts.failed,
                skipped=counts.skipped,
                unknown=counts.unknown,
            ),
            started_at=in_beijing(broadcast.started_at) if broadcast.started_at else None,
            finished_at=in_beijing(broadcast.finished_at) if broadcast.finished_at else None,
            reason=broadcast.reason,
            revision=broadcast.revision,
            next_at=in_beijing(next_at) if next_at else None,
        )
        self.answer(answer.model_dump(mode="json"))

    async def put(self, broadcast_id: str) -> None:
        self.require((WRITE,))
        request = self.read(BroadcastRequest)
        self.require_account(request.account)
        order = await self.ctx.broadcasts.prepared(request.order())
        edited = await self.ctx.editing.edit(
            BroadcastId(broadcast_id), order, author=self.key.author
        )
        answer = BroadcastEdited(id=edited.id, state=edited.state, revision=edited.revision)
        self.answer(answer.model_dump(mode="json"))


class BroadcastPauseApi(KeyPage):
    """Pause a broadcast: no send starts later than a second after the answer."""

    scopes: ClassVar[Collection[Scope]] = (PUBLISH,)

    async def post(self, broadcast_id: str) -> None:
        paused = await self.ctx.broadcasts.pause(
            BroadcastId(broadcast_id), self.key.account, reason=f"paused by {self.key.name}"
        )
        _answer(self, paused)


class BroadcastResumeApi(KeyPage):
    """Let a paused broadcast go on."""

    scopes: ClassVar[Collection[Scope]] = (PUBLISH,)

    async def post(self, broadcast_id: str) -> None:
        resumed = await self.ctx.broadcasts.resume(BroadcastId(broadcast_id), self.key.account)
        _answer(self, resumed)


class BroadcastCancelApi(KeyPage):
    """Cancel a broadcast; who was not reached yet is counted as skipped."""

    scopes: ClassVar[Collection[Scope]] = (PUBLISH,)

    async def post(self, broadcast_id: str) -> None:
        cancelled = await self.ctx.broadcasts.cancel(
            BroadcastId(broadcast_id), self.key.account, reason=f"cancelled by {self.key.name}"
        )
        _answer(self, cancelled)


def _answer(page: KeyPage, broadcast: Broadcast) -> None:
    """Answer a switch, and note whose it was: a reason is not kept by all of them."""
    log.info(
        "broadcast.switched",
        extra={
            "broadcast": broadcast.id,
            "state": broadcast.state,
            "author": page.key.author,
        },
    )
    page.answer(BroadcastAccepted(id=broadcast.id, state=broadcast.state).model_dump(mode="json"))


ONE = r"/api/v1/broadcasts/([A-Za-z0-9_]{1,64})"
routes = [
    url(r"/api/v1/broadcasts", BroadcastsApi),
    url(ONE, BroadcastApi),
    url(f"{ONE}/pause", BroadcastPauseApi),
    url(f"{ONE}/resume", BroadcastResumeApi),
    url(f"{ONE}/cancel", BroadcastCancelApi),
]
