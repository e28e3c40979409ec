"""From the fields of a push to the typed values of `domain.conversation` (wechat-platform.md 2).

Lenient in what does not matter (unknown elements, missing extras, any case, numbers in CDATA),
strict in what identifies a push: who, when, what.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from connectors.wechat.xml import Fields, Malformed
from domain.conversation import (
    AuthorizationChange,
    Certification,
    ConsentEvent,
    ConsentItem,
    DeskSession,
    Follow,
    ImageMessage,
    Inbound,
    LinkMessage,
    LocationMessage,
    LocationReport,
    MassReceipt,
    MenuClick,
    MenuView,
    MiniProgramMessage,
    PhotosPicked,
    PlacePicked,
    PublishReceipt,
    Scan,
    ScanCode,
    TemplateReceipt,
    TextMessage,
    Unfollow,
    UnknownEvent,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
)
from domain.ids import AccountId, OpenId

_LATEST = 4_102_444_800  # the year 2100: beyond it a CreateTime is nonsense
_QR_PREFIX = "qrscene_"
Common = dict[str, Any]  # what every `Inbound` carries, ready to be passed on


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A message with the two names that a reply must swap."""

    message: Inbound
    sender: str
    receiver: str


def read_push(account: AccountId, fields: Fields, body: bytes) -> Push:
    """Make the typed value; `body` is the clear XML, the last resort of deduplication."""
    sender, receiver = _name(fields, "fromusername"), _name(fields, "tousername")
    created = _whole(fields.word("createtime"), missing=-1)
    if not 0 <= created <= _LATEST:
        raise Malformed("CreateTime is missing or no time")
    kind = fields.word("msgtype").lower()
    if not kind:
        raise Malformed("MsgType is missing")
    common: Common = {
        "account": account,
        "openid": OpenId(sender),
        "at": datetime.fromtimestamp(created, UTC),
    }
    if kind == "event":
        message = _event(fields, common, created)
    else:
        number = fields.word("msgid")
        common["dedupe_key"] = (
            f"m:{sender}:{number}" if number else f"h:{hashlib.sha256(body).hexdigest()}"
        )
        build = _MESSAGES.get(kind)
        message = build(fields, common) if build else UnknownMessage(kind=kind, **common)
    return Push(message=message, sender=sender, receiver=receiver)


# --- messages -----------------------------------------------------------------------------


def _text(fields: Fields, common: Common) -> Inbound:
    if not fields.has("content"):
        raise Malformed("a text without Content")
    return TextMessage(
        text=fields.text("content"), menu_item=fields.word("bizmsgmenuid") or None, **common
    )


def _voice(fields: Fields, common: Common) -> Inbound:
    return VoiceMessage(
        media_id=fields.word("mediaid"),
        format=fields.word("format"),
        recognition=fields.word("recognition") or None,
        **common,
    )


def _image(fields: Fields, common: Common) -> Inbound:
    return ImageMessage(media_id=fields.word("mediaid"), url=fields.word("picurl"), **common)


def _video(fields: Fields, common: Common) -> Inbound:
    return VideoMessage(
        media_id=fields.word("mediaid"),
        thumb_media_id=fields.word("thumbmediaid"),
        is_short=fields.word("msgtype").lower() == "shortvideo",
        **common,
    )


def _location(fields: Fields, common: Common) -> Inbound:
    return LocationMessage(
        latitude=_degrees(fields, "location_x"),
        longitude=_degrees(fields, "location_y"),
        scale=_whole(fields.word("scale")),
        label=fields.word("label"),
        **common,
    )


def _link(fields: Fields, common: Common) -> Inbound:
    return LinkMessage(
        title=fields.word("title"),
        description=fields.word("description"),
        url=fields.word("url"),
        **common,
    )


def _mini_program(fields: Fields, common: Common) -> Inbound:
    return MiniProgramMessage(
        title=fields.word("title"),
        app_id=fields.word("appid"),
        page=fields.word("pagepath"),
        **common,
    )


_MESSAGES: dict[str, Callable[[Fields, Common], Inbound]] = {
    "text": _text,
    "voice": _voice,
    "image": _image,
    "video": _video,
    "shortvideo": _video,
    "location": _location,
    "link": _link,
    "miniprogrampage": _mini_program,
}


# --- events -------------------------------------------------------------------------------


def _event(fields: Fields, common: Common, created: int) -> Inbound:
    name = fields.word("event").lower()
    if not name:
        raise Malformed("an event without Event")
    common["dedupe_key"] = f"e:{common['openid']}:{created}:{name}:{fields.word('eventkey')}"
    build = _EVENTS.get(name)
    if build is None:
        return UnknownEvent(name=name, **common)
    return build(name, fields, common)


def _follow(_: str, fields: Fields, common: Common) -> Inbound:
    return Follow(scene=fields.word("eventkey").removeprefix(_QR_PREFIX) or None, **common)


def _unfollow(_: str, __: Fields, common: Common) -> Inbound:
    return Unfollow(**common)


def _scan(_: str, fields: Fields, common: Common) -> Inbound:
    return Scan(scene=fields.word("eventkey"), **common)


def _location_report(_: str, fields: Fields, common: Common) -> Inbound:
    return LocationReport(
        latitude=_degrees(fields, "latitude"),
        longitude=_degrees(fields, "longitude"),
        precision=_decimal(fields.word("precision")) or 0.0,
        **common,
    )


def _click(_: str, fields: Fields, common: Common) -> Inbound:
    if not fields.has("eventkey"):
        raise Malformed("a menu tap without EventKey")
    return MenuClick(key=fields.word("eventkey"), **common)


def _view(name: str, fields: Fields, common: Common) -> Inbound:
    return MenuView(
        target=fields.word("eventkey"),
        menu_id=fields.word("menuid"),
        is_mini_program=name == "view_miniprogram",
        **common,
    )


def _scan_code(name: str, fields: Fields, common: Common) -> Inbound:
    found = fields.inside("scancodeinfo")
    return ScanCode(
        key=fields.word("eventkey"),
        scan_type=found.word("scantype"),
        result=found.word("scanresult"),
        waits=name == "scancode_waitmsg",
        **common,
    )


def _photos(name: str, fields: Fields, common: Common) -> Inbound:
    found = fields.inside("sendpicsinfo")
    md5s = [item.word("picmd5sum") for item in found.inside("piclist").all("item")]
    return PhotosPicked(
        key=fields.word("eventkey"),
        source=name.removeprefix("pic_"),
        count=_whole(found.word("count")),
        md5s=tuple(md5 for md5 in md5s if md5),
        **common,
    )


def _place(_: str, fields: Fields, common: Common) -> Inbound:
    found = fields.inside("sendlocationinfo")
    return PlacePicked(
        key=fields.word("eventkey"),
        latitude=_degrees(found, "location_x"),
        longitude=_degrees(found, "location_y"),
        label=found.word("label"),
        name=found.word("poiname"),
        **common,
    )


def _template_receipt(name: str, fields: Fields, common: Common) -> Inbound:
    number = _job(name, fields, common)
    return TemplateReceipt(message_id=number, status=_status(fields), **common)


def _mass_receipt(name: str, fields: Fields, common: Common) -> Inbound:
    number = _job(name, fields, common)
    return MassReceipt(
        message_id=number,
        status=_status(fields),
        total=_whole(fields.word("totalcount")),
        filtered=_whole(fields.word("filtercount")),
        sent=_whole(fields.word("sentcount")),
        failed=_whole(fields.word("errorcount")),
        **common,
    )


def _publish_receipt(name: str, fields: Fields, common: Common) -> Inbound:
    found = fields.inside("publisheventinfo")
    number = found.word("publish_id")
    common["dedupe_key"] = f"j:{name}:{number}:{found.word('publish_status')}"
    return PublishReceipt(
        publish_id=number,
        status=_whole(found.word("publish_status"), missing=-1),
        article_id=found.word("article_id"),
        **common,
    )


_CONSENTS: dict[str, Literal["popup", "change", "sent"]] = {
    "subscribe_msg_popup_event": "popup",
    "subscribe_msg_change_event": "change",
    "subscribe_msg_sent_event": "sent",
}
_CONSENT_WRAPPERS = ("subscribemsgpopupevent", "subscribemsgchangeevent", "subscribemsgsentevent")


def _consent(name: str, fields: Fields, common: Common) -> Inbound:
    kind = _CONSENTS[name]
    items = [
        ConsentItem(
            template_id=item.word("templateid"),
            status=(item.word("errorstatus") if kind == "sent" else "")
            or item.word("subscribestatusstring"),
            message_id=item.word("msgid"),
            scene=item.word("popupscene"),
        )
        for place in (fields, *(fields.inside(wrapper) for wrapper in _CONSENT_WRAPPERS))
        for item in place.all("list")
    ]
    if not items:
        raise Malformed("a consent event without List")
    told = "|".join(f"{item.template_id},{item.message_id},{item.status}" for item in items)
    common["dedupe_key"] += f":{told}"
    return ConsentEvent(kind=kind, items=tuple(items), **common)


_DESKS: dict[str, Literal["create", "close", "switch"]] = {
    "kf_create_session": "create",
    "kf_close_session": "close",
    "kf_switch_session": "switch",
}


def _desk(name: str, fields: Fields, common: Common) -> Inbound:
    return DeskSession(
        kind=_DESKS[name],
        desk=fields.word("tokfaccount") or fields.word("kfaccount"),
        from_desk=fields.word("fromkfaccount"),
        **common,
    )


def _certification(name: str, fields: Fields, common: Common) -> Inbound:
    moment = _whole(fields.word("expiredtime") or fields.word("failtime"), missing=-1)
    return Certification(
        kind=name,
        moment=datetime.fromtimestamp(moment, UTC) if 0 <= moment <= _LATEST else None,
        reason=fields.word("failreason"),
        **common,
    )


_AUTHORIZATIONS: dict[str, Literal["modified", "revoked", "cancelled"]] = {
    "user_info_modified": "modified",
    "user_authorization_revoke": "revoked",
    "user_authorization_cancellation": "cancelled",
}


def _authorization(name: str, fields: Fields, common: Common) -> Inbound:
    person, revoked = _name(fields, "openid"), fields.word("revokeinfo")
    common["openid"] = OpenId(person)  # FromUserName is the platform's own sender here
    common["dedupe_key"] += f":{person}:{revoked}"
    return AuthorizationChange(kind=_AUTHORIZATIONS[name], revoked=revoked, **common)


_EVENTS: dict[str, Callable[[str, Fields, Common], Inbound]] = {
    "subscribe": _follow,
    "unsubscribe": _unfollow,
    "scan": _scan,
    "location": _location_report,
    "click": _click,
    "view": _view,
    "view_miniprogram": _view,
    "scancode_push": _scan_code,
    "scancode_waitmsg": _scan_code,
    "pic_sysphoto": _photos,
    "pic_photo_or_album": _photos,
    "pic_weixin": _photos,
    "location_select": _place,
    "templatesendjobfinish": _template_receipt,
    "masssendjobfinish": _mass_receipt,
    "freepublishjobfinish": _publish_receipt,
    **dict.fromkeys(_CONSENTS, _consent),
    **dict.fromkeys(_DESKS, _desk),
    "qualification_verify_success": _certification,
    "qualification_verify_fail": _certification,
    "naming_verify_success": _certification,
    "naming_verify_fail": _certification,
    "annual_renew": _certification,
    "verify_expired": _certification,
    **dict.fromkeys(_AUTHORIZATIONS, _authorization),
}


# --- single values ------------------------------------------------------------------------


def _name(fields: Fields, name: str) -> str:
    """Return an openid or account name: short, visible ASCII; anything else is not one."""
    value = fields.word(name)
    if not value or len(value) > 64 or not value.isascii() or not value.isprintable():
        raise Malformed(f"{name} is missing or no name")
    if " " in value:
        raise Malformed(f"{name} has a space in it")
    return value


def _job(name: str, fields: Fields, common: Common) -> str:
    """Return a finished job's MsgID, which is what tells its receipts apart."""
    number = fields.word("msgid")
    if not number:
        raise Malformed("a receipt without MsgID")
    common["dedupe_key"] = f"j:{name}:{number}"
    return number


def _status(fields: Fields) -> str:
    """Lower-cased and without spaces: `failed: system failed` → `failed:systemfailed`."""
    return "".join(fields.text("status").lower().split())


def _whole(text: str, *, missing: int = 0) -> int:
    """Read a number; never through a float, and never thousands of digits."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19:
        return missing
    return int(text)


def _decimal(text: str) -> float | None:
    if len(text) > 32:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e6 else None  # also turns away nan and inf


def _degrees(fields: Fields, name: str) -> float:
    value = _decimal(fields.word(name))
    if value is None or abs(value) > 180:
        raise Malformed(f"{name} is missing or no coordinate")
    return value
