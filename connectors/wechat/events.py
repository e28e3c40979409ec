"""Events of the platform (wechat-platform.md 2.2–2.10) as typed values."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from connectors.wechat.values import (
    LATEST,
    Common,
    decimal,
    degrees,
    job_of,
    name_of,
    status_of,
    whole,
)
from connectors.wechat.xml import Fields, Malformed
from domain.conversation import (
    AuthorizationChange,
    Certification,
    ConsentEvent,
    ConsentItem,
    DeskSession,
    Follow,
    Inbound,
    LocationReport,
    MassReceipt,
    MenuClick,
    MenuView,
    PhotosPicked,
    PlacePicked,
    PublishReceipt,
    Scan,
    ScanCode,
    TemplateReceipt,
    Unfollow,
    UnknownEvent,
)
from domain.ids import OpenId

_QR_PREFIX = "qrscene_"


def read_event(fields: Fields, common: Common, created: int) -> Inbound:
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
        latitude=degrees(fields, "latitude"),
        longitude=degrees(fields, "longitude"),
        precision=decimal(fields.word("precision")) or 0.0,
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
        count=whole(found.word("count")),
        md5s=tuple(md5 for md5 in md5s if md5),
        **common,
    )


def _place(_: str, fields: Fields, common: Common) -> Inbound:
    found = fields.inside("sendlocationinfo")
    return PlacePicked(
        key=fields.word("eventkey"),
        latitude=degrees(found, "location_x"),
        longitude=degrees(found, "location_y"),
        label=found.word("label"),
        name=found.word("poiname"),
        **common,
    )


def _template_receipt(name: str, fields: Fields, common: Common) -> Inbound:
    number = job_of(name, fields, common)
    return TemplateReceipt(message_id=number, status=status_of(fields), **common)


def _mass_receipt(name: str, fields: Fields, common: Common) -> Inbound:
    number = job_of(name, fields, common)
    return MassReceipt(
        message_id=number,
        status=status_of(fields),
        total=whole(fields.word("totalcount")),
        filtered=whole(fields.word("filtercount")),
        sent=whole(fields.word("sentcount")),
        failed=whole(fields.word("errorcount")),
        **common,
    )


def _publish_receipt(name: str, fields: Fields, common: Common) -> Inbound:
    found = fields.inside("publisheventinfo")
    number = found.word("publish_id")
    common["dedupe_key"] = f"j:{name}:{number}:{found.word('publish_status')}"
    return PublishReceipt(
        publish_id=number,
        status=whole(found.word("publish_status"), missing=-1),
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
            code=item.word("errorcode"),
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
    moment = whole(fields.word("expiredtime") or fields.word("failtime"), missing=-1)
    return Certification(
        kind=name,
        moment=datetime.fromtimestamp(moment, UTC) if 0 <= moment <= LATEST else None,
        reason=fields.word("failreason"),
        **common,
    )


_AUTHORIZATIONS: dict[str, Literal["modified", "revoked", "cancelled"]] = {
    "user_info_modified": "modified",
    "user_authorization_revoke": "revoked",
    "user_authorization_cancellation": "cancelled",
}


def _authorization(name: str, fields: Fields, common: Common) -> Inbound:
    person, revoked = name_of(fields, "openid"), fields.word("revokeinfo")
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
