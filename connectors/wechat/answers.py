"""What the platform's answers say, as values of ours."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.allowance import PlatformQuota
from domain.channel import ConsentKind
from domain.ids import OpenId

TEXT_BYTES = 2048  # of one customer-service text: bytes, not characters

_BLANK = re.compile(r"\{\{\s*(?P<key>\w+)\.DATA\s*\}\}")
_CONSENTS: Mapping[object, ConsentKind] = {2: "one_time", 3: "long_term"}
_KIND = re.compile(r"^[a-z_]+?(?=\d*$)")


@dataclass(frozen=True, slots=True)
class TemplateField:
    """One blank of a template: `thing1` is a blank of kind `thing`, labelled 停水区域."""

    key: str
    label: str

    @property
    def kind(self) -> str:
        """Return the type (`wechat-platform.md` 4.19): it decides what may stand there."""
        found = _KIND.match(self.key)
        return found.group() if found else self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateInfo:
    """A message template 模板 of the account; `consent` is what a subscription notice needs."""

    template_id: str
    consent: ConsentKind | None = None
    title: str
    content: str = ""
    example: str = ""
    fields: tuple[TemplateField, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys a message must fill, no more and no fewer."""
        return tuple(field.key for field in self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """What the platform tells about a person; of one who left only the openid."""

    openid: OpenId
    follows: bool
    followed_at: datetime | None = None
    union_id: str = ""
    came_by: str = ""  # ADD_SCENE_QR_CODE …
    scene: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerPage:
    """A page of the follower list; `next_openid` is empty after the last one."""

    total: int
    openids: tuple[OpenId, ...]
    next_openid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QrCode:
    """A parametric QR code; `url` is what it encodes, `picture` an image of it."""

    ticket: str
    url: str
    picture: str
    expires: timedelta | None


def read_quota(answer: dict[str, Any]) -> PlatformQuota:
    """Return openapi/quota/get; a rate of nothing is no rate."""
    quota, rate = answer["quota"], answer.get("rate_limit") or {}
    calls, seconds = rate.get("call_count") or 0, rate.get("refresh_second") or 0
    return PlatformQuota(
        daily_limit=int(quota.get("daily_limit") or 0),
        used=int(quota.get("used") or 0),
        per_second=calls / seconds if calls and seconds else None,
    )


def read_templates(answer: dict[str, Any]) -> list[TemplateInfo]:
    """Read get_all_private_template; `content` alone tells the keys."""
    return [
        TemplateInfo(
            template_id=str(item.get("template_id", "")),
            title=str(item.get("title", "")),
            content=str(item.get("content", "")),
            example=str(item.get("example", "")),
            fields=fields_of(str(item.get("content", ""))),
        )
        for item in answer["template_list"]
    ]


def read_notice_templates(answer: dict[str, Any]) -> list[TemplateInfo]:
    """Read newtmpl/gettemplate: the account's templates for subscription notices."""
    return [
        TemplateInfo(
            template_id=str(item.get("priTmplId", "")),
            consent=_CONSENTS.get(item.get("type")),
            title=str(item.get("title", "")),
            content=str(item.get("content", "")),
            example=str(item.get("example", "")),
            fields=fields_of(str(item.get("content", ""))),
        )
        for item in answer["data"]
    ]


def fields_of(content: str) -> tuple[TemplateField, ...]:
    """Read the blanks of `停水区域:{{thing1.DATA}}` and the words before each on its line."""
    fields: dict[str, TemplateField] = {}
    end = 0
    for blank in _BLANK.finditer(content):
        label = content[end : blank.start()].rpartition("\n")[2].strip().rstrip(":：").strip()
        fields.setdefault(blank["key"], TemplateField(blank["key"], label))
        end = blank.end()
    return tuple(fields.values())


def read_user(answer: dict[str, Any]) -> UserInfo:
    """Read user/info."""
    since = answer.get("subscribe_time")
    return UserInfo(
        openid=OpenId(str(answer.get("openid", ""))),
        follows=bool(answer["subscribe"]),
        followed_at=datetime.fromtimestamp(int(since), UTC) if since else None,
        union_id=str(answer.get("unionid") or ""),
        came_by=str(answer.get("subscribe_scene") or ""),
        scene=str(answer.get("qr_scene_str") or answer.get("qr_scene") or ""),
    )


def read_followers(answer: dict[str, Any]) -> FollowerPage:
    """Read user/get; the last page counts 0 and has no `data`."""
    data = answer.get("data") or {}
    openids = tuple(OpenId(str(openid)) for openid in data.get("openid", ()))
    return FollowerPage(
        total=int(answer.get("total", 0)),
        openids=openids,
        next_openid=str(answer.get("next_openid") or "") if openids else "",
    )


def pieces_of(text: str, limit: int = TEXT_BYTES) -> Iterator[str]:
    """Cut a text into pieces of at most `limit` bytes, at the end of a line where there is one."""
    rest = text.encode("utf-8", "replace")
    while len(rest) > limit:
        cut = rest.rfind(b"\n", 1, limit + 1)
        if cut < 0:
            cut = limit
            while rest[cut] & 0xC0 == 0x80:  # inside a character
                cut -= 1
        yield rest[:cut].decode()
        rest = rest[cut:].removeprefix(b"\n")
    yield rest.decode()
