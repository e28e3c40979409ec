"""The menu of an account (自定义菜单, wechat-platform.md 4.2): what it is, and how two differ.

At most three buttons at the foot of the chat, each an action or a list of at most five. A menu
may have conditional ones beside it (个性化菜单): the first whose rule fits a person replaces the
default menu for them. Its JSON is what `menu/create` takes; what an older client wrote into it and
we do not know is left out. The rules are in `domain.menu_rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Literal

from domain.errors import StateError
from domain.ids import AccountId
from domain.sentence import Sentence, joined

Json = Mapping[str, Any]
Sign = Literal[" ", "-", "+"]
# member of a button's JSON → which action types carry it
MEMBERS = ("key", "url", "appid", "pagepath", "media_id", "article_id")
ACTIONS: Mapping[str, str] = {  # action type → what operators call it
    "click": Sentence("点击回复"),
    "view": Sentence("打开网页"),
    "miniprogram": Sentence("打开小程序"),
    "scancode_push": Sentence("扫码打开"),
    "scancode_waitmsg": Sentence("扫码后回复"),
    "pic_sysphoto": Sentence("拍照上传"),
    "pic_photo_or_album": Sentence("拍照或相册"),
    "pic_weixin": Sentence("微信相册"),
    "location_select": Sentence("选择位置"),
    "media_id": Sentence("发送素材"),
    "view_limited": Sentence("打开图文素材"),
    "article_id": Sentence("发送已发布文章"),
    "article_view_limited": Sentence("打开已发布文章"),
}
TYPES: Mapping[str, str] = {
    kind: Sentence("{action}（{kind}）", action=action, kind=kind)
    for kind, action in ACTIONS.items()
}
PLATFORMS: Mapping[str, str] = {
    "1": Sentence("苹果手机"),
    "2": Sentence("安卓手机"),
    "3": Sentence("其他设备"),
}
VALUE_OF: Mapping[str, str] = {  # action type → the member that says what it leads to
    **dict.fromkeys(TYPES, "key"),
    "view": "url",
    "miniprogram": "url",
    "media_id": "media_id",
    "view_limited": "media_id",
    "article_id": "article_id",
    "article_view_limited": "article_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One button: an action (`type` and what it needs), or a list of buttons below it."""

    name: str
    type: str = ""
    key: str = ""
    url: str = ""
    appid: str = ""
    pagepath: str = ""
    media_id: str = ""
    article_id: str = ""
    below: tuple["Button", ...] = ()

    @property
    def value(self) -> str:
        """What the action leads to: a key, an address, a material."""
        return str(getattr(self, VALUE_OF.get(self.type, "key")))

    def json_form(self) -> dict[str, Any]:
        """Return it as `menu/create` takes it: only what its kind needs."""
        if self.below:
            return {"name": self.name, "sub_button": [each.json_form() for each in self.below]}
        needs = {VALUE_OF.get(self.type, "key")}
        if self.type == "miniprogram":
            needs |= {"appid", "pagepath"}
        parts = {name: getattr(self, name) for name in MEMBERS if name in needs}
        return {"type": self.type, "name": self.name, **parts}

    @classmethod
    def read(cls, found: Json) -> "Button":
        """Read a button of ours or of the platform's `menu/get`."""
        return cls(
            name=str(found.get("name", "")),
            type="" if found.get("sub_button") else str(found.get("type", "")),
            **{name: str(found.get(name) or "") for name in MEMBERS},
            below=tuple(cls.read(each) for each in found.get("sub_button") or ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRule:
    """For whom a conditional menu is: a tag of the platform, a kind of phone, or both."""

    tag_id: str = ""
    platform: str = ""  # client_platform_type: 1 iOS, 2 Android, 3 other

    def json_form(self) -> dict[str, str]:
        """Return it as `addconditional` takes it."""
        parts = {"tag_id": self.tag_id, "client_platform_type": self.platform}
        return {name: value for name, value in parts.items() if value}

    @classmethod
    def read(cls, found: Json) -> "MatchRule":
        """Read a rule; the platform answers numbers where texts were sent."""
        return cls(
            tag_id=str(found.get("tag_id") or ""),
            platform=str(found.get("client_platform_type") or ""),
        )

    @property
    def told(self) -> str:
        """Say for whom, to people."""
        parts: list[str] = [Sentence("标签 {tag_id}", tag_id=self.tag_id)] if self.tag_id else []
        parts += [PLATFORMS.get(self.platform, self.platform)] if self.platform else []
        return joined(parts) or Sentence("（未设条件）")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """A menu for some people; the platform's number for it stays with the platform."""

    rule: MatchRule
    buttons: tuple[Button, ...]

    def json_form(self) -> dict[str, Any]:
        """Return it as `addconditional` takes it."""
        return {
            "button": [each.json_form() for each in self.buttons],
            "matchrule": self.rule.json_form(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """The default menu and the conditional ones, the first that fits before the others."""

    buttons: tuple[Button, ...] = ()
    conditional: tuple[Conditional, ...] = ()

    def json_form(self) -> dict[str, Any]:
        """Return the default menu as `menu/create` takes it."""
        return {"button": [each.json_form() for each in self.buttons]}

    def whole(self) -> dict[str, Any]:
        """Return everything, for keeping."""
        return self.json_form() | {"conditional": [each.json_form() for each in self.conditional]}

    @classmethod
    def read(cls, found: Json) -> "Menu":
        """Read what `whole` or `json_form` gave."""
        return cls(
            buttons=buttons_from(found),
            conditional=tuple(
                Conditional(
                    rule=MatchRule.read(each.get("matchrule") or {}), buttons=buttons_from(each)
                )
                for each in found.get("conditional") or ()
            ),
        )

    def lines(self) -> dict[str, list[str]]:
        """Return one line per button, for comparing and for people, under each menu's title."""
        lines: dict[str, list[str]] = {}
        if self.buttons:
            lines[Sentence("默认菜单")] = _lines(self.buttons)
        for number, each in enumerate(self.conditional, 1):
            title = Sentence("个性化菜单：{told}", told=each.rule.told)
            title = (
                Sentence("{title}（第 {number} 个）", title=title, number=number)
                if title in lines
                else title
            )
            lines[title] = _lines(each.buttons)
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuDraft:
    """What is being edited. `revision` counts saves; 0 is a menu nobody has saved yet."""

    menu: Menu
    revision: int = 0
    edited_by: str = ""
    edited_at: datetime | None = None


VersionState = Literal["publishing", "published", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuVersion:
    """A menu that was given to the platform; `publishing` for ever means that we died in it."""

    account: AccountId
    number: int
    menu: Menu
    by: str
    at: datetime
    state: VersionState
    note: str = ""
    reason: str = ""  # why it failed


class MenuChanged(StateError):
    """Somebody else saved in between; nothing was overwritten, or published."""

    code = "menu_changed"

    def __init__(self, draft: MenuDraft, *, on_publishing: bool = False) -> None:
        who = draft.edited_by or Sentence("另一位同事")
        saving = Sentence(
            "{who} 刚刚保存了新的草稿（第 {revision} 次保存），您的修改没有保存。请对照后再决定。",
            who=who,
            revision=draft.revision,
        )
        publishing = Sentence(
            "{who} 刚刚保存了新的草稿（第 {revision} 次保存），"
            "菜单没有发布。请看过新的草稿再发布。",
            who=who,
            revision=draft.revision,
        )
        super().__init__(publishing if on_publishing else saving)
        self.draft = draft


def buttons_from(found: Json) -> tuple[Button, ...]:
    """Read the buttons of a menu's JSON."""
    return tuple(Button.read(each) for each in found.get("button") or ())


def differences(old: Menu, new: Menu) -> list[tuple[Sign, str]]:
    """Return both menus' lines, each with its sign; a menu is compared with the one of its title.

    No `-` and no `+` means that people see the same, the order of conditional menus aside.
    """
    before, after = old.lines(), new.lines()
    found: list[tuple[Sign, str]] = []
    for title in dict.fromkeys((*after, *before)):
        sign: Sign = " " if title in before and title in after else "+" if title in after else "-"
        found.append((sign, title))
        found += _compared(before.get(title, []), after.get(title, []))
    return found


def _compared(before: list[str], after: list[str]) -> list[tuple[Sign, str]]:
    found: list[tuple[Sign, str]] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for kind, begin, end, then_begin, then_end in matcher.get_opcodes():
        if kind == "equal":
            found += [(" ", line) for line in before[begin:end]]
            continue
        found += [("-", line) for line in before[begin:end]]
        found += [("+", line) for line in after[then_begin:then_end]]
    return found


def _lines(buttons: tuple[Button, ...], margin: str = "　") -> list[str]:
    lines = []
    for button in buttons:
        what = "" if button.below else Sentence("：{action}", action=_action(button))
        line = Sentence("{margin}{name}{what}", margin=margin, name=button.name, what=what)
        lines += [line, *_lines(button.below, margin + "　")]
    return lines


def _action(button: Button) -> str:
    kind = ACTIONS.get(button.type, button.type or Sentence("无动作"))
    more = f"{button.appid} {button.pagepath}" if button.type == "miniprogram" else ""
    return joined((part for part in (kind, button.value, more) if part), " ")
