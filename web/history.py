"""A citizen's own history (通知记录): what was sent to them, when, and what became of it."""

from datetime import UTC, datetime

from tornado.web import url

from domain.errors import NotFound
from domain.ids import AccountId
from web.base import Page
from web.callback import ACCOUNT
from web.digest import SEALED, is_large

GONE = "记录页已经过期或链接不完整。请在对话里回复 我的通知 再试，或拨打 12345。"


class HistoryPage(Page):
    """Topics and times of one person's messages, never what they said; a link from the chat."""

    async def get(self, account: str, token: str) -> None:
        account_id = AccountId(account)
        openid = self.ctx.links.person_of(account_id, token)
        if openid is None:
            raise NotFound(GONE)
        history = self.ctx.history
        page = await history.page(account_id, openid, before=self._before())
        large = await is_large(self, account_id, openid)
        self.set_header("X-Robots-Tag", "noindex, nofollow, noarchive")
        self.render_page(
            "citizen/history.html",
            is_large=large,
            rows=page.rows,
            older=int(page.before.timestamp() * 1000) if page.before else None,
            waiting=await history.waiting(account_id, openid),
            days=self.ctx.settings.push.history_days,
        )

    def _before(self) -> datetime | None:
        text = self.get_query_argument("before", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 14):
            return None
        return datetime.fromtimestamp(int(text) / 1000, UTC)


routes = [url(rf"/h5/{ACCOUNT}/history/{SEALED}", HistoryPage, name="history")]
