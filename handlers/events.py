"""What happens around the talk: follow and unfollow, receipts, pictures, withdrawn consent."""

import logging

from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from domain.conversation import (
    AuthorizationChange,
    ConsentEvent,
    Follow,
    ImageMessage,
    LinkMessage,
    LocationMessage,
    LocationReport,
    MassReceipt,
    MiniProgramMessage,
    Option,
    Reply,
    Scan,
    TemplateReceipt,
    Unfollow,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
)
from domain.masking import mask_openid

router = Router("events")
log = logging.getLogger(__name__)
SERVICES = Option("查看全部服务", "菜单")


@router.event(Follow)
async def welcome(ask: Inquiry, use: Services) -> Reply:
    """Greet a new follower, or tell one who came back that everything is as it was.

    After a scanned code the purpose of the code follows below, with numbers of its own.
    """
    came_back = await use.subscriptions.follow(ask.account, ask.openid, ask.at)
    subscriber = await use.subscriptions.find(ask.account, ask.openid)
    count = len(subscriber.subscriptions) if subscriber else 0
    if came_back:
        ways = [Option("我的订阅", "我的订阅"), Option("我的绑定", "我的绑定"), SERVICES]
        template = "welcome_back.txt"
    else:
        ways = [
            Option("查停水停电停气", "停水停电"),
            Option("查社保", "社保"),
            Option("查违章", "违章"),
            Option("订阅通知", "订阅"),
            SERVICES,
        ]
        template = "welcome.txt"
    return Reply.of(template, count=count, options=() if ask.scene else ways)


@router.event(Unfollow)
async def farewell(ask: Inquiry, use: Services) -> None:
    """Stop sending. Nothing is lost: whoever comes back finds everything again."""
    await use.subscriptions.unfollow(ask.account, ask.openid, ask.at)


@router.event(AuthorizationChange)
async def authorization_changed(ask: Inquiry, use: Services) -> None:
    """Erase a person who closed the WeChat account, as the platform's rules ask.

    A changed nickname or a withdrawn profile permission concerns nothing that we keep.
    """
    message = ask.message
    if not isinstance(message, AuthorizationChange):
        return
    log.info(
        "authorization.changed",
        extra={"kind": message.kind, "openid": mask_openid(ask.openid), "what": message.revoked},
    )
    if message.kind == "cancelled":
        await use.subscriptions.forget(ask.account, ask.openid, ask.at)


@router.event(TemplateReceipt)
async def receipt(ask: Inquiry, use: Services) -> None:
    """Record what became of a template message (回执)."""
    message = ask.message
    if isinstance(message, TemplateReceipt):
        await use.receipts.record(ask.account, message.message_id, message.status)


@router.event(MassReceipt)
async def mass_receipt(ask: Inquiry, use: Services) -> None:
    """Record what became of a mass send (群发): how many it reached, or why it was refused."""
    message = ask.message
    if isinstance(message, MassReceipt):
        await use.results.mass(message)


@router.event(ConsentEvent)
async def consent(ask: Inquiry, use: Services) -> None:
    """Record a consent to subscription notices (订阅通知), or the result of one notice."""
    message = ask.message
    if not isinstance(message, ConsentEvent):
        return
    if message.kind == "sent":
        await use.results.notices(message)
    else:
        await use.consents.record(message)


@router.event(LocationReport)
async def location_report(ask: Inquiry, use: Services) -> None:
    """Leave whereabouts alone: no service here needs them, so they are not kept."""


@router.event(Scan)
async def unknown_code(ask: Inquiry, use: Services) -> Reply:
    """Answer a code whose purpose is not, or no longer, known."""
    return Reply.of("scene_unknown.txt", options=[SERVICES])


@router.event(VoiceMessage)
@router.event(ImageMessage)
@router.event(VideoMessage)
@router.event(LinkMessage)
@router.event(MiniProgramMessage)
@router.event(UnknownMessage)
async def words_please(ask: Inquiry, use: Services) -> Reply:
    """Ask for words: a picture, an unrecognised voice or a file cannot be understood here."""
    return Reply.of(
        "words_please.txt",
        is_voice=isinstance(ask.message, VoiceMessage),
        options=[SERVICES, Option("转人工", "人工")],
    )


@router.event(LocationMessage)
async def place_please(ask: Inquiry, use: Services) -> Reply:
    """Offer what a place is good for here; the coordinates are not kept."""
    return Reply.of(
        "place_please.txt",
        options=[
            Option("查停水停电停气", "停水停电"),
            Option("绑定我的地点", "绑定地点"),
            SERVICES,
        ],
    )
