"""`/api/v1/broadcasts/{id}/…`: who it reached, sending again, and the dead list."""

from collections.abc import Collection
from typing import ClassVar

from tornado.web import url

from domain.access import Scope
from domain.ids import BroadcastId
from push.audit import note_access
from web.api.base import KeyPage
from web.api.broadcasts import ONE, PUBLISH, WRITE
from web.api.models import BroadcastAccepted
from web.api.operation_models import (
    DeadItem,
    DeadList,
    Recipient,
    RecipientList,
    RecipientsQuery,
    Replayed,
    ReplayRequest,
)


class BroadcastRecipientsApi(KeyPage):
    """List what became of a broadcast's people."""

    scopes: ClassVar[Collection[Scope]] = (WRITE, PUBLISH)

    async def get(self, broadcast_id: str) -> None:
        query = self.read_query(RecipientsQuery)
        page = await self.ctx.lists.recipients(
            BroadcastId(broadcast_id),
            self.key.account,
            state=query.state,
            cursor=query.cursor,
            limit=query.limit,
        )
        whole = PUBLISH in self.key.scopes
        note_access(
            actor=self.key.author,
            account=self.key.account,
            what=f"recipients of {broadcast_id}",
            purpose="api",
            unmasked=whole,
        )
        people = [Recipient.of(delivery, whole=whole) for delivery in page.items]
        answer = RecipientList(recipients=people, next=page.cursor)
        self.answer(answer.model_dump(mode="json"))


class BroadcastResendApi(KeyPage):
    """Send again to those it failed for, once."""

    scopes: ClassVar[Collection[Scope]] = (PUBLISH,)

    async def post(self, broadcast_id: str) -> None:
        accepted = await self.ctx.resends.resend(
            BroadcastId(broadcast_id), self.key.account, author=self.key.author
        )
        self.set_header("Location", f"/api/v1/broadcasts/{accepted.id}")
        answer = BroadcastAccepted(id=accepted.id, state=accepted.state)
        self.answer(answer.model_dump(mode="json"), 201)


class BroadcastDeadApi(KeyPage):
    """List a broadcast's dead batches."""

    scopes: ClassVar[Collection[Scope]] = (WRITE, PUBLISH)

    async def get(self, broadcast_id: str) -> None:
        found = await self.ctx.dead.list_of(BroadcastId(broadcast_id), self.key.account)
        answer = DeadList(batches=[DeadItem.of(batch) for batch in found])
        self.answer(answer.model_dump(mode="json"))


class BroadcastReplayApi(KeyPage):
    """Give dead batches another chance."""

    scopes: ClassVar[Collection[Scope]] = (PUBLISH,)

    async def post(self, broadcast_id: str) -> None:
        request = self.read(ReplayRequest) if self.request.body else ReplayRequest(batch=None)
        done = await self.ctx.dead.replay(
            BroadcastId(broadcast_id),
            self.key.account,
            batch=request.batch,
            author=self.key.author,
        )
        self.answer(Replayed(batches=done.batches, state=done.state).model_dump(mode="json"))


routes = [
    url(f"{ONE}/recipients", BroadcastRecipientsApi),
    url(f"{ONE}/resend", BroadcastResendApi),
    url(f"{ONE}/dead", BroadcastDeadApi),
    url(f"{ONE}/replay", BroadcastReplayApi),
]
