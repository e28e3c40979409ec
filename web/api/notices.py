"""`/api/v1/notices`: one event about one thing, for whoever bound it."""

from collections.abc import Collection
from typing import ClassVar

from tornado.web import url

from domain.access import Scope
from web.api.base import KeyPage
from web.api.models import NoticeAccepted, NoticeRequest

NOTICES: Scope = "notices:write"


class NoticesApi(KeyPage):
    """Announce an event 个人通知."""

    scopes: ClassVar[Collection[Scope]] = (NOTICES,)

    async def post(self) -> None:
        request = self.read(NoticeRequest)
        self.require_account(request.account)
        matched = await self.ctx.notices.announce(request.order(), author=self.key.author)
        self.answer(NoticeAccepted(matched=matched).model_dump(), 202)


routes = [url(r"/api/v1/notices", NoticesApi)]
