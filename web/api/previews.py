"""`/api/v1/broadcasts/preview` and `…/{id}/test`: look before sending, and try on a few."""

from collections.abc import Collection
from typing import ClassVar

from tornado.web import url

from domain.access import Scope
from domain.ids import BroadcastId
from web.api.base import KeyPage
from web.api.broadcasts import ONE, WRITE
from web.api.costly import PREVIEWS
from web.api.models import BroadcastRequest
from web.api.preview_models import BroadcastPreview, TestAccepted, TestRequest


class BroadcastPreviewApi(KeyPage):
    """Say what an order would do 预览."""

    scopes: ClassVar[Collection[Scope]] = (WRITE,)

    async def post(self) -> None:
        request = self.read(BroadcastRequest)
        self.require_account(request.account)
        order = await self.ctx.broadcasts.prepared(request.order())
        with PREVIEWS.one_of(self.key.account):
            preview = await self.ctx.previews.preview(order)
        self.answer(BroadcastPreview.of(preview).model_dump(mode="json"))


class BroadcastTestApi(KeyPage):
    """Send a broadcast to a few test people 测试发送."""

    scopes: ClassVar[Collection[Scope]] = (WRITE,)

    async def post(self, broadcast_id: str) -> None:
        request = self.read(TestRequest)
        tried = BroadcastId(broadcast_id)
        accepted = await self.ctx.trials.send(
            tried, self.key.account, request.people(), author=self.key.author
        )
        answer = TestAccepted(id=accepted.id, state=accepted.state, test_of=tried)
        self.set_header("Location", f"/api/v1/broadcasts/{accepted.id}")
        self.answer(answer.model_dump(mode="json"), 202)


routes = [
    url(r"/api/v1/broadcasts/preview", BroadcastPreviewApi),
    url(f"{ONE}/test", BroadcastTestApi),
]
