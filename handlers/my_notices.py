"""我的通知: what was sent to the citizen lately, and a link to all of it."""

from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from domain.conversation import Option, Reply

router = Router("my_notices", title="通知记录", example="我的通知")
LATEST = 3


@router.text("我的通知", "通知记录", "我的消息")
async def my_notices(ask: Inquiry, use: Services) -> Reply:
    """Show the latest messages with what became of them; the link opens the rest for a day."""
    page = await use.history.page(ask.account, ask.openid, limit=LATEST)
    return Reply.of(
        "my_notices.txt",
        rows=page.rows[:LATEST],
        waiting=await use.history.waiting(ask.account, ask.openid),
        link=use.links.to_history(ask.account, ask.openid),
        options=[Option("我的订阅", "我的订阅"), Option("退订", "退订")],
    )
