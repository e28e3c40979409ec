"""Late and long answers (查看结果): the page behind the link in a short reply."""

import re

from tornado.web import url

from domain.errors import NotFound
from domain.ids import AccountId
from web.base import Page
from web.callback import ACCOUNT

_LINK = re.compile(r'<a\s[^<>]*?href="([^"<>]*)"[^<>]*>([^<]{0,300})</a\s*>', re.IGNORECASE)
_ALLOWED = ("https://", "http://")
GONE = "结果已经过期或链接不完整。请回到对话里再发一次，或拨打 12345。"


class LateResultPage(Page):
    """Shows the whole text; while it is still being found, looks again by itself."""

    async def get(self, account: str, token: str) -> None:
        found = await self.ctx.late_results.get(AccountId(account), token)
        if found is None:
            raise NotFound(GONE)
        self.set_header("X-Robots-Tag", "noindex, nofollow, noarchive")
        self.render_page("citizen/late.html", state=found.state, pieces=split_links(found.text))


def split_links(text: str) -> list[tuple[str, str]]:
    """Return (text, address) pairs; an address that a browser should not open is left out."""
    pieces = []
    end = 0
    for link in _LINK.finditer(text):
        address, label = link.groups()
        pieces += [
            (text[end : link.start()], ""),
            (label, address if address.startswith(_ALLOWED) else ""),
        ]
        end = link.end()
    pieces.append((text[end:], ""))
    return [piece for piece in pieces if piece[0]]


routes = [url(rf"/h5/{ACCOUNT}/late/([A-Za-z0-9_-]{{16,64}})", LateResultPage, name="late")]
