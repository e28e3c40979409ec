"""The citizen's first page (长辈版入口): what can be asked, in which words, and whom to call."""

from tornado.web import url

from domain.errors import NotFound
from domain.ids import AccountId
from web.base import Page
from web.callback import ACCOUNT


class HomePage(Page):
    """One page without anything personal; `?large=1` prints it large (domain.md 11)."""

    async def get(self, account: str) -> None:
        found = self.ctx.accounts.get(AccountId(account))
        if found is None:
            raise NotFound("没有这个服务号，请从微信对话里的链接进入，或拨打 12345。")
        hotlines = {"政务服务便民热线": "12345"}
        for topic in self.ctx.catalogue.topics.values():
            if topic.hotline not in hotlines.values():
                hotlines[topic.title] = topic.hotline
        self.render_page(
            "citizen/home.html",
            account=found.name or "政务服务号",
            is_large=bool(self.get_query_argument("large", "")),
            services=self.ctx.services_help,
            hotlines=list(hotlines.items()),
        )


routes = [url(rf"/h5/{ACCOUNT}/", HomePage, name="home")]
