"""Template and customer-service messages (4.4, 4.5)."""

from collections.abc import Mapping
from typing import Any

from sandbox.calls import OK, Answer, Call, Endpoint, text_member
from sandbox.errors import ApiError
from sandbox.followers import Follower
from sandbox.quotas import TEMPLATE_SEND
from sandbox.template_messages import SendRecord, Template

TEXT_LIMIT = 2048
MENU_ITEM_LIMIT = 50


async def _receipt_first(call: Call, record: SendRecord, status: str) -> Answer:
    """The race of 2.3: the result arrives before the sender knows the msgid."""
    await call.world.push_receipt(call.account.id, record, status)
    return _accepted(record)


def send_template(call: Call) -> Any:
    """Answer `message/template/send`; the card is on the phone before the answer is out."""
    account, world = call.account, call.world
    content = call.json()
    try:
        person, template = _checked(call, content)
    except ApiError as error:
        account.book.refused[error.code] += 1
        raise
    client_msg_id = content.get("client_msg_id") or ""
    if client_msg_id:
        known = account.book.already_sent(person.openid, client_msg_id, call.now)
        if known is not None:
            return _accepted(known)
    record = SendRecord(
        seq=world.next_seq(),
        at=call.now,
        openid=person.openid,
        client_msg_id=client_msg_id,
        msgid=world.next_msgid(),
        template=template,
        body=call.request.body,
    )
    account.book.enter(record)
    habits = account.habits
    status = habits.status(world.chance, blocked=person.state == "muted")
    if status == "success":
        world.show(account, person, record)
    if habits.enabled:
        if habits.early and world.chance.random() < habits.early:
            return _receipt_first(call, record, status)
        world.receipts.schedule(account.id, record, habits, status)
    return _accepted(record)


def _checked(call: Call, content: Mapping[str, Any]) -> tuple[Follower, Template]:
    """Return who gets which template, or raise what is wrong with the request."""
    person = _recipient(call, content.get("touser"))
    template = call.account.templates.get(content.get("template_id") or "")
    if template is None:
        raise ApiError(40037)
    if template.banned:
        raise ApiError(43116)
    template.check(content.get("data"))
    _check_url(content.get("url"))
    return person, template


def _accepted(record: SendRecord) -> Answer:
    return {"errcode": 0, "errmsg": "ok", "msgid": record.msgid}


def _recipient(call: Call, openid: object) -> Follower:
    person = call.account.followers.get(openid) if isinstance(openid, str) else None
    if person is None:
        raise ApiError(40003)
    match person.state:
        case "stranger" | "left":
            raise ApiError(43004)
        case "blacklisted":
            raise ApiError(43019)
        case "frozen":
            raise ApiError(50002)
    return person


def _check_url(url: object) -> None:
    if url and not (isinstance(url, str) and url.startswith(("https://", "http://"))):
        raise ApiError(40066)


def send_custom(call: Call) -> Answer:
    """Answer `message/custom/send` 客服消息, within the citizen's allowance."""
    content = call.raw_json()
    account, world = call.account, call.world
    person = account.followers.get(text_member(content, "touser", 40003))
    if person is None:
        raise ApiError(40003)
    kind = content.get("msgtype")
    shown = _shown(kind, content.get(kind) if isinstance(kind, str) else None)
    match person.state:
        case "muted":
            raise ApiError(48002)
        case "blacklisted":
            raise ApiError(43019)
        case "frozen":
            raise ApiError(50002)
    person.spend_custom_message(call.now)
    world.say(account, person, "account", str(kind), origin="custom", **shown)
    return OK


def _shown(kind: object, member: object) -> Mapping[str, Any]:
    """Return what the phone shows of a customer-service message, or raise its errcode."""
    if kind not in _SHOWN:
        raise ApiError(40008)
    if not isinstance(member, dict):
        raise ApiError(44004)
    names = _SHOWN[kind]
    shown = {name: member[name] for name in names if name in member}
    match kind:
        case "text":
            text = text_member(member, "content", 44004)
            if not text:
                raise ApiError(44004)
            if len(text.encode()) > TEXT_LIMIT:
                raise ApiError(45002)
            return {"text": text}
        case "news":
            articles = member.get("articles")
            if not isinstance(articles, list) or not articles:
                raise ApiError(44004)
            if len(articles) > 1:
                raise ApiError(45008)
        case "msgmenu":
            return _msgmenu(member)
    return shown


def _msgmenu(member: Mapping[str, Any]) -> Mapping[str, Any]:
    items = member.get("list")
    if not isinstance(items, list) or not items:
        raise ApiError(44004)
    return {
        "text": str(member.get("head_content", "")),
        "items": [{"id": str(i.get("id", "")), "text": str(i.get("content", ""))} for i in items],
        "tail": str(member.get("tail_content", "")),
    }


_SHOWN: Mapping[object, tuple[str, ...]] = {
    "text": ("content",),
    "image": ("media_id",),
    "voice": ("media_id",),
    "video": ("media_id", "title", "description"),
    "music": ("title", "description", "musicurl"),
    "news": ("articles",),
    "mpnews": ("media_id",),
    "mpnewsarticle": ("article_id",),
    "msgmenu": ("head_content", "list", "tail_content"),
    "miniprogrampage": ("title", "appid", "pagepath"),
    "wxcard": ("card_id",),
}


def typing(call: Call) -> Answer:
    """Answer `message/custom/typing`."""
    content = call.json()
    if content.get("command") not in ("Typing", "CancelTyping"):
        raise ApiError(45072)
    person = call.account.followers.get(text_member(content, "touser", 40003))
    if person is None:
        raise ApiError(40003)
    if call.now - person.last_action_at > 30:
        raise ApiError(45080)
    return OK


def list_templates(call: Call) -> Answer:
    """Answer `template/get_all_private_template`."""
    return {"template_list": [each.as_json() for each in call.account.templates.values()]}


def delete_template(call: Call) -> Answer:
    """Answer `template/del_private_template`."""
    if call.account.templates.pop(text_member(call.json(), "template_id", 40037), None) is None:
        raise ApiError(40037)
    return OK


ENDPOINTS: Mapping[str, Endpoint] = {
    TEMPLATE_SEND: Endpoint("POST", send_template),
    "/cgi-bin/message/custom/send": Endpoint("POST", send_custom),
    "/cgi-bin/message/custom/typing": Endpoint("POST", typing),
    "/cgi-bin/template/get_all_private_template": Endpoint("ANY", list_templates),
    "/cgi-bin/template/del_private_template": Endpoint("POST", delete_template),
}
