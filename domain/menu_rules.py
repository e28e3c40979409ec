"""What the platform takes as a menu (菜单规则, wechat-platform.md 4.2), told beside each field.

Lengths are bytes of UTF-8: a Chinese character has three. A draft may be
saved with faults, and nothing with a fault is published; a caution stops nothing.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from domain.menu import PLATFORMS, TYPES, VALUE_OF, Button, Conditional, Menu
from domain.sentence import Sentence, joined

MOST_BUTTONS, MOST_BELOW, MOST_CONDITIONAL = 3, 5, 20
TOP_NAME_BYTES, ENTRY_NAME_BYTES, KEY_BYTES, URL_BYTES = 16, 60, 128, 1024
TOP_SHOWN, ENTRY_SHOWN = 4, 8  # Chinese characters that a phone shows
MOST_DOMAINS = 3  # of one conditional menu's links (65316)
CONTRACT_KEYS: Mapping[str, str] = {  # the keys of contract.md 6 and what they stand for
    "query.social": Sentence("社保查询"),
    "query.medical": Sentence("医保查询"),
    "query.fund": Sentence("公积金查询"),
    "query.traffic": Sentence("违章查询"),
    "query.outage": Sentence("停水停电停气"),
    "my.subscriptions": Sentence("我的订阅"),
    "my.bindings": Sentence("我的绑定"),
    "ask.robot": Sentence("智能问答"),
    "ask.human": Sentence("人工客服"),
    "do.appointment": Sentence("预约办事"),
    "do.case": Sentence("办件进度"),
}
_APP_ID = re.compile(r"wx[0-9a-f]{16}")
# invisible, or turning the direction of what follows
_HIDDEN = frozenset(
    "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)


@dataclass(frozen=True, slots=True)
class MenuFault:
    """One thing that is wrong (or, as a caution, unwise). `place` and `field` say where.

    A place is `""` (the whole menu), `"0"` (the first button) or `"0.2"` (its third entry); the
    fields are a button's, and `tag_id`, `platform` of a rule.
    """

    place: str
    field: str
    say: str
    is_caution: bool = False


def faults_of(menu: Menu, known_keys: Collection[str] = CONTRACT_KEYS) -> list[MenuFault]:
    """Return everything about the default menu."""
    if not menu.buttons:
        return [MenuFault("", "name", Sentence("默认菜单至少要有一个一级菜单"))]
    return _faults(menu.buttons, known_keys)


def faults_of_conditional(
    each: Conditional, known_keys: Collection[str] = CONTRACT_KEYS
) -> list[MenuFault]:
    """Return everything about one conditional menu."""
    found: list[MenuFault] = []
    rule = each.rule
    if not (rule.tag_id or rule.platform):
        found.append(MenuFault("", "tag_id", Sentence("至少要选一个条件：标签或手机系统")))
    if rule.tag_id and not re.fullmatch(r"[0-9]{1,10}", rule.tag_id):
        found.append(MenuFault("", "tag_id", Sentence("标签填微信后台的标签编号，是数字")))
    if rule.platform and rule.platform not in PLATFORMS:
        found.append(MenuFault("", "platform", Sentence("手机系统只能选列表中的")))
    if not each.buttons:
        found.append(MenuFault("", "name", Sentence("个性化菜单至少要有一个一级菜单")))
    domains = {urlsplit(url).hostname for url in _urls(each.buttons) if _is_url(url)}
    if len(domains) > MOST_DOMAINS:
        names = joined(sorted(name for name in domains if name))
        say = Sentence(
            "一个个性化菜单的链接最多指向 {most_domains} 个域名，现有 {names}",
            most_domains=MOST_DOMAINS,
            names=names,
        )
        found.append(MenuFault("", "name", say))
    return found + _faults(each.buttons, known_keys)


def all_faults(
    menu: Menu, known_keys: Collection[str] = CONTRACT_KEYS
) -> list[tuple[int, MenuFault]]:
    """Return the faults of every menu; the number is 0 for the default one, then counts on."""
    found = [(0, fault) for fault in faults_of(menu, known_keys)]
    if len(menu.conditional) > MOST_CONDITIONAL:
        found.append(
            (
                0,
                MenuFault(
                    "",
                    "name",
                    Sentence(
                        "个性化菜单最多 {most_conditional} 个", most_conditional=MOST_CONDITIONAL
                    ),
                ),
            )
        )
    rules = [each.rule for each in menu.conditional]
    for number, each in enumerate(menu.conditional, 1):
        found += [(number, fault) for fault in faults_of_conditional(each, known_keys)]
        if each.rule in rules[: number - 1]:
            say = Sentence("与前面的个性化菜单条件相同，永远轮不到这一个")
            found.append((number, MenuFault("", "tag_id", say, is_caution=True)))
    return found


def _faults(buttons: tuple[Button, ...], known_keys: Collection[str]) -> list[MenuFault]:
    found: list[MenuFault] = []
    if len(buttons) > MOST_BUTTONS:
        say = Sentence(
            "一级菜单最多 {most_buttons} 个，现有 {size} 个",
            most_buttons=MOST_BUTTONS,
            size=len(buttons),
        )
        found.append(MenuFault("", "name", say))
    for number, button in enumerate(buttons):
        place = str(number)
        found += _name_faults(button, place, TOP_NAME_BYTES, TOP_SHOWN)
        if not button.below:
            found += _action_faults(button, place, known_keys)
            continue
        if len(button.below) > MOST_BELOW:
            say = Sentence(
                "二级菜单最多 {most_below} 个，现有 {size} 个",
                most_below=MOST_BELOW,
                size=len(button.below),
            )
            found.append(MenuFault(place, "name", say))
        for row, each in enumerate(button.below):
            at = f"{place}.{row}"
            if each.below:
                found.append(MenuFault(at, "name", Sentence("菜单只能有两级")))
            found += _name_faults(each, at, ENTRY_NAME_BYTES, ENTRY_SHOWN)
            found += _action_faults(each, at, known_keys)
    return found


def _name_faults(button: Button, place: str, most: int, shown: int) -> list[MenuFault]:
    name = button.name
    size = len(name.encode("utf-8", "replace"))
    if not name.strip():
        return [MenuFault(place, "name", Sentence("名称不能为空"))]
    if _has_hidden(name):
        return [MenuFault(place, "name", Sentence("名称不能含换行、控制字符或改变文字方向的字符"))]
    if size > most:
        say = Sentence(
            "名称最多 {most} 字节（一个汉字 3 字节），现有 {size} 字节", most=most, size=size
        )
        return [MenuFault(place, "name", say)]
    if _width(name) > 2 * shown:
        say = Sentence("手机上约显示 {shown} 个汉字，多出的会被截去", shown=shown)
        return [MenuFault(place, "name", say, is_caution=True)]
    return []


def _action_faults(button: Button, place: str, known_keys: Collection[str]) -> list[MenuFault]:
    if button.type not in TYPES:
        return [MenuFault(place, "type", Sentence("请选择点击后做什么"))]
    member = VALUE_OF[button.type]
    found = list(_url_faults(button.url, place) if member == "url" else ())
    if member != "url":
        found += _key_faults(getattr(button, member), place, member)
    if button.type == "click" and button.key and button.key not in known_keys and not found:
        say = Sentence("智能应答不认识 {key}，点击后只会得到帮助；请核对", key=button.key)
        found.append(MenuFault(place, "value", say, is_caution=True))
    if button.type == "miniprogram":
        if not _APP_ID.fullmatch(button.appid):
            say = Sentence("小程序 AppID 是 wx 加 16 位小写字母或数字")
            found.append(MenuFault(place, "appid", say))
        if not button.pagepath or _has_hidden(button.pagepath) or " " in button.pagepath:
            found.append(
                MenuFault(place, "pagepath", Sentence("小程序页面路径不能为空，也不能含空格"))
            )
        elif len(button.pagepath.encode()) > URL_BYTES:
            found.append(
                MenuFault(
                    place,
                    "pagepath",
                    Sentence("页面路径最多 {url_bytes} 字节", url_bytes=URL_BYTES),
                )
            )
    return found


def _key_faults(value: str, place: str, member: str) -> list[MenuFault]:
    what = {
        "key": Sentence("菜单键值"),
        "media_id": Sentence("素材 media_id"),
        "article_id": Sentence("文章 article_id"),
    }[member]
    size = len(value.encode("utf-8", "replace"))
    if not value.strip():
        return [MenuFault(place, "value", Sentence("{what}不能为空", what=what))]
    if size > KEY_BYTES:
        return [
            MenuFault(
                place,
                "value",
                Sentence(
                    "{what}最多 {key_bytes} 字节，现有 {size} 字节",
                    what=what,
                    key_bytes=KEY_BYTES,
                    size=size,
                ),
            )
        ]
    if _has_hidden(value):
        return [MenuFault(place, "value", Sentence("{what}不能含换行或控制字符", what=what))]
    return []


def _url_faults(url: str, place: str) -> Iterable[MenuFault]:
    size = len(url.encode("utf-8", "replace"))
    if not _is_url(url):
        yield MenuFault(place, "value", Sentence("网址以 https:// 或 http:// 开头，不能含空格"))
    elif size > URL_BYTES:
        yield MenuFault(
            place,
            "value",
            Sentence("网址最多 {url_bytes} 字节，现有 {size} 字节", url_bytes=URL_BYTES, size=size),
        )
    elif url.startswith("http://"):
        yield MenuFault(place, "value", Sentence("建议使用 https:// 的网址"), is_caution=True)


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
    return good and not _has_hidden(url) and not any(letter.isspace() for letter in url)


def _urls(buttons: tuple[Button, ...]) -> Iterable[str]:
    for button in buttons:
        if button.url:
            yield button.url
        yield from _urls(button.below)


def _has_hidden(text: str) -> bool:
    return any(letter in _HIDDEN or unicodedata.category(letter) in _UNSEEN for letter in text)


_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
