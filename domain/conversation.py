"""What a citizen sends us and what we answer, free of WeChat's spelling.

Every message kind and event of `wechat-platform.md` 2 is one frozen class; what WeChat adds
later arrives as `UnknownMessage` or `UnknownEvent`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

from domain.ids import AccountId, OpenId


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What every push carries. `dedupe_key` is the same for WeChat's retries of one push."""

    account: AccountId
    openid: OpenId
    at: datetime
    dedupe_key: str


# --- messages -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMessage(Inbound):
    """Typed text; `menu_item` is set when it came from tapping a msgmenu item."""

    text: str
    menu_item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceMessage(Inbound):
    """A voice message; `recognition` is the platform's text of it, if it gave one."""

    media_id: str
    format: str = ""
    recognition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMessage(Inbound):
    media_id: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMessage(Inbound):
    media_id: str
    thumb_media_id: str = ""
    is_short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationMessage(Inbound):
    latitude: float
    longitude: float
    scale: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMessage(Inbound):
    title: str
    description: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniProgramMessage(Inbound):
    title: str
    app_id: str
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMessage(Inbound):
    """A kind we do not know, such as `file`."""

    kind: str


# --- events -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow(Inbound):
    """关注; `scene` is what the scanned code was for, without `qrscene_`."""

    scene: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfollow(Inbound):
    """取消关注; may come several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan(Inbound):
    """A follower scanned a parametric code."""

    scene: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationReport(Inbound):
    latitude: float
    longitude: float
    precision: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuClick(Inbound):
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuView(Inbound):
    """A `view` or `view_miniprogram` button: the citizen is already on the page."""

    target: str
    menu_id: str = ""
    is_mini_program: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCode(Inbound):
    """A scan button; `waits` when the client shows "receiving" until we answer."""

    key: str
    scan_type: str
    result: str
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotosPicked(Inbound):
    key: str
    source: str
    count: int
    md5s: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacePicked(Inbound):
    key: str
    latitude: float
    longitude: float
    label: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateReceipt(Inbound):
    """TEMPLATESENDJOBFINISH; `status` is lower-cased and free of spaces."""

    message_id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MassReceipt(Inbound):
    """MASSSENDJOBFINISH."""

    message_id: str
    status: str
    total: int
    filtered: int
    sent: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReceipt(Inbound):
    """FREEPUBLISHJOBFINISH."""

    publish_id: str
    status: int
    article_id: str = ""


@dataclass(frozen=True, slots=True)
class ConsentItem:
    """One template's line in a subscription-notice event."""

    template_id: str
    status: str
    message_id: str = ""
    scene: str = ""
    code: str = ""  # of a result: "0" is a success


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentEvent(Inbound):
    """subscribe_msg_popup, _change or _sent event (订阅通知)."""

    kind: Literal["popup", "change", "sent"]
    items: tuple[ConsentItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSession(Inbound):
    """kf_create, kf_close and kf_switch session."""

    kind: Literal["create", "close", "switch"]
    desk: str
    from_desk: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification(Inbound):
    """The account's own certification events (2.8)."""

    kind: str
    moment: datetime | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationChange(Inbound):
    """user_info_modified, user_authorization_revoke or _cancellation (2.9).

    `openid` here is the person concerned, not the platform's sender.
    """

    kind: Literal["modified", "revoked", "cancelled"]
    revoked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(Inbound):
    """An event we have no use for; answered with `success`."""

    name: str


# --- answers ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """A numbered way on: replying with its number is the same as saying `says`."""

    label: str
    says: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A template of `templates/reply/` with its data and, if any, numbered ways on."""

    template: str
    data: Mapping[str, Any] = field(default_factory=dict)
    options: Sequence[Option] = ()

    @classmethod
    def of(cls, template: str, *, options: Sequence[Option] = (), **data: Any) -> Self:
        """Name the template and its data; `options` are printed below it as 1–9."""
        if len(options) > 9:
            raise ValueError("a reply has at most nine numbered options")
        return cls(template, data, options)


@dataclass(frozen=True, slots=True)
class HandOver:
    """Hand the talk to a person at the customer-service desk (转人工)."""

    desk: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to WeChat: a text, a hand-over, or nothing (`success`)."""

    kind: Literal["text", "transfer", "none"]
    text: str = ""

    @classmethod
    def nothing(cls) -> Self:
        return cls("none")
