"""The list of an account's broadcasts (群发任务列表), the newest first, by state and by words."""

from typing import get_args
from urllib.parse import urlencode

from domain.broadcast import BroadcastState
from web.admin.base import AdminPage
from web.admin.broadcast_page import recurrences
from web.admin.broadcast_words import STATES
from web.admin.table import route
from web.admin.words import mark

SIZE = 30
LONGEST_WORDS = 100


class BroadcastsPage(AdminPage):
    """All broadcasts of the account; personal notices and digests are not among them."""

    async def get(self) -> None:
        asked = self.get_query_argument("state", "")
        state = next((each for each in get_args(BroadcastState) if each == asked), None)
        words = self.get_query_argument("q", "")[:LONGEST_WORDS]
        cursor = self.get_query_argument("cursor", "") or None
        found = await self.ctx.lists.broadcasts(
            self.account_id, state=state, text=words, cursor=cursor, limit=SIZE
        )
        standings = await self.ctx.approvals.standings(found.items)
        here = self.address("broadcasts")
        asked_for = {"state": state or "", "q": words}
        kept = {name: value for name, value in asked_for.items() if value}
        self.page(
            "admin/broadcasts.html",
            broadcasts=found.items,
            standings=standings,
            state=state or "",
            words=words,
            states=[("", self.say(_ALL)), *((key, self.say(text)) for key, text in STATES.items())],
            next=f"{here}?{urlencode({**kept, 'cursor': found.cursor})}" if found.cursor else "",
            first=f"{here}?{urlencode(kept)}" if cursor else "",
            **recurrences(self),
        )


_ALL = mark("全部状态")

routes = (
    route(
        r"/admin/a/{account}/broadcasts",
        BroadcastsPage,
        "broadcasts",
        get="broadcasts.read",
        nav=mark("群发任务"),
    ),
)
