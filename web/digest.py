"""A digest's page (通知汇总): everything that was collected for one person, for a week."""

from tornado.web import url

from domain.errors import NotFound
from domain.ids import AccountId, OpenId
from web.base import Page
from web.callback import ACCOUNT

GONE = "汇总页已经过期或链接不完整。请在对话里回复 我的通知 查看记录，或拨打 12345。"
SEALED = r"([A-Za-z0-9_-]{16,400})"


class DigestPage(Page):
    """Lists the notices of a digest, masked; the link is the only key to it."""

    async def get(self, account: str, token: str) -> None:
        account_id = AccountId(account)
        digest = self.ctx.links.digest_of(account_id, token)
        if digest is None:
            raise NotFound(GONE)
        shown = await self.ctx.digest_pages.show(account_id, digest)
        self.set_header("X-Robots-Tag", "noindex, nofollow, noarchive")
        self.render_page(
            "citizen/digest.html",
            is_large=await is_large(self, account_id, shown.openid),
            notices=shown.notices,
        )


async def is_large(page: Page, account: AccountId, openid: OpenId | None) -> bool:
    """Whether to print large: as the address says, else as the person chose in the chat."""
    wanted = page.get_query_argument("large", "")
    if wanted or openid is None:
        return wanted == "1"
    person = await page.ctx.subscriptions.find(account, openid)
    return person is not None and person.large_print


routes = [url(rf"/h5/{ACCOUNT}/digest/{SEALED}", DigestPage, name="digest")]
