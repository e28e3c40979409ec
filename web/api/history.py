"""`/api/v1/subscribers/{openid}/history`: what was sent to one person."""

from collections.abc import Collection
from typing import ClassVar

from tornado.web import url

from domain.access import Scope
from domain.ids import AccountId, OpenId
from push.history import note_reading
from web.api.base import KeyPage
from web.api.history_models import HistoryQuery, HistoryReport

HISTORY: Scope = "history:read"


class HistoryApi(KeyPage):
    """Say what was sent to a person and what became of it; masked, and each look is noted."""

    scopes: ClassVar[Collection[Scope]] = (HISTORY,)

    async def get(self, openid: str) -> None:
        query = self.read_query(HistoryQuery)
        self.require_account(query.account)
        account_id, person = AccountId(query.account), OpenId(openid)
        note_reading(
            actor=self.key.author,
            account=account_id,
            openid=person,
            purpose="api",
            unmasked=False,
        )
        history = self.ctx.history
        page = await history.page(account_id, person, before=query.before, limit=query.limit)
        report = HistoryReport.of(person, page, await history.waiting(account_id, person))
        self.answer(report.model_dump(mode="json"))


routes = [url(r"/api/v1/subscribers/([A-Za-z0-9_-]{1,64})/history", HistoryApi)]
