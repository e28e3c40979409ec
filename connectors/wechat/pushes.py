"""From the fields of a push to the typed values of `domain.conversation` (wechat-platform.md 2).

Lenient in what does not matter (unknown elements, missing extras, any case, numbers in CDATA),
strict in what identifies a push: who, when, what.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.wechat.events import read_event
from connectors.wechat.values import LATEST, Common, degrees, name_of, whole
from connectors.wechat.xml import Fields, Malformed
from domain.conversation import (
    ImageMessage,
    Inbound,
    LinkMessage,
    LocationMessage,
    MiniProgramMessage,
    TextMessage,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
)
from domain.ids import AccountId, OpenId


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A message with the two names that a reply must swap."""

    message: Inbound
    sender: str
    receiver: str


def read_push(account: AccountId, fields: Fields, body: bytes) -> Push:
    """Make the typed value; `body` is the clear XML, the last resort of deduplication."""
    sender, receiver = name_of(fields, "fromusername"), name_of(fields, "tousername")
    created = whole(fields.word("createtime"), missing=-1)
    if not 0 <= created <= LATEST:
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
        message = read_event(fields, common, created)
    else:
        number = fields.word("msgid")
        common["dedupe_key"] = (
            f"m:{sender}:{number}" if number else f"h:{hashlib.sha256(body).hexdigest()}"
        )
        build = _MESSAGES.get(kind)
        message = build(fields, common) if build else UnknownMessage(kind=kind, **common)
    return Push(message=message, sender=sender, receiver=receiver)


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
        latitude=degrees(fields, "location_x"),
        longitude=degrees(fields, "location_y"),
        scale=whole(fields.word("scale")),
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
