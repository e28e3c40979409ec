"""`/api/v1/alerts`: an alert (预警) as a CAP 1.2 document, and what came of the latest ones."""

from collections.abc import Collection
from email.message import Message
from typing import ClassVar

from tornado.web import url

from domain.access import Scope
from domain.alert import CapRefused
from web.api.alert_models import AlertList, accepted, item, refusal_item
from web.api.base import KeyPage
from web.api.described_alerts import MEDIA_TYPES
from web.base import Problem

ALERTS: Scope = "alerts:write"
MAX_DOCUMENT = 1024 * 1024


class AlertsApi(KeyPage):
    """Take a CAP 1.2 document 预警, or list the latest."""

    scopes: ClassVar[Collection[Scope]] = (ALERTS,)
    max_body = MAX_DOCUMENT

    async def post(self) -> None:
        charset = self._charset()
        try:
            heard = await self.ctx.alerts.receive(
                self.key.account, self.request.body or b"", via=self.key.author, charset=charset
            )
        except CapRefused as refused:
            fault = {
                "field": refused.where,
                "code": refused.reason,
                "message": refused.sentence,
            }
            raise Problem(422, refused.code, refused.say, errors=[fault]) from refused
        self.answer(accepted(heard).model_dump(mode="json"), 202)

    async def get(self) -> None:
        alerts, refusals = await self.ctx.alerts.latest(self.key.account)
        answer = AlertList(
            alerts=[item(record) for record in alerts],
            refusals=[refusal_item(refusal) for refusal in refusals],
        )
        self.answer(answer.model_dump(mode="json"))

    def _charset(self) -> str:
        """Return what the header says of the encoding; other media types are refused."""
        header = Message()
        header["Content-Type"] = self.request.headers.get("Content-Type", "")
        if header.get_content_type() not in MEDIA_TYPES:
            raise Problem(
                415,
                "unsupported_media_type",
                f"请以 {'、'.join(MEDIA_TYPES)} 之一提交 CAP 1.2 文件。",
                headers={"Accept": ", ".join(MEDIA_TYPES)},
            )
        return str(header.get_param("charset", ""))


routes = [url(r"/api/v1/alerts", AlertsApi)]
