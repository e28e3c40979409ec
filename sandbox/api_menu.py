"""The menu at the foot of the chat 自定义菜单 (4.2)."""

from collections.abc import Mapping
from typing import Any

from sandbox.calls import OK, Answer, Call, Endpoint
from sandbox.errors import ApiError

MENU_ID = 432001234
_KEYED = (
    "click",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
    "location_select",
)
_NEEDS = {  # type → the members it cannot do without
    **dict.fromkeys(_KEYED, ("key",)),
    "view": ("url",),
    "miniprogram": ("url", "appid", "pagepath"),
    "media_id": ("media_id",),
    "view_limited": ("media_id",),
    "article_id": ("article_id",),
    "article_view_limited": ("article_id",),
}


def check_menu(content: Mapping[str, Any]) -> None:
    """Raise the errcode of the first thing that is wrong with a menu."""
    buttons = content.get("button")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
        raise ApiError(40016)
    for button in buttons:
        _check_name(button, 16, 40018, 40017)
        below = button.get("sub_button")
        if not below:
            _check_action(button, kind=40017, key=40019, url=40020, domain=40055)
            continue
        if not isinstance(below, list) or len(below) > 5:
            raise ApiError(40023)
        for each in below:
            _check_name(each, 60, 40025, 40024)
            if each.get("sub_button"):
                raise ApiError(40022)
            _check_action(each, kind=40024, key=40026, url=40027, domain=40054)


def _check_name(button: Any, limit: int, code: int, not_a_button: int) -> None:
    if not isinstance(button, dict):
        raise ApiError(not_a_button)
    name = button.get("name")
    if not isinstance(name, str) or not 1 <= len(name.encode()) <= limit:
        raise ApiError(code)


def _check_action(button: Mapping[str, Any], *, kind: int, key: int, url: int, domain: int) -> None:
    needs = _NEEDS.get(button.get("type", ""))
    if needs is None:
        raise ApiError(kind)
    for name in needs:
        value = button.get(name)
        limit = 1024 if name == "url" else 128
        if not isinstance(value, str) or not 1 <= len(value.encode()) <= limit:
            raise ApiError(url if name == "url" else key)
    if "url" in needs and not button["url"].startswith(("http://", "https://")):
        raise ApiError(domain)


def create(call: Call) -> Answer:
    """Publish a menu; phones show it at once."""
    content = call.raw_json()
    check_menu(content)
    call.account.menu = {"button": content["button"]}
    call.world.feed.publish(call.account.id, "", "menu", lambda: dict(call.account.menu or {}))
    return OK


def get(call: Call) -> Answer:
    """Answer with the menu made by API, or 46003."""
    if call.account.menu is None:
        raise ApiError(46003)
    buttons = [{"sub_button": [], **button} for button in call.account.menu["button"]]
    answer: dict[str, Any] = {"menu": {"button": buttons, "menuid": MENU_ID}}
    if call.account.conditional_menus:
        newest_first = reversed(call.account.conditional_menus.values())
        answer["conditionalmenu"] = [_as_listed(menu) for menu in newest_first]
    return answer


def _as_listed(menu: Mapping[str, Any]) -> dict[str, Any]:
    """Return a conditional menu with numbers where texts were sent, as the platform does."""
    rule = {name: int(value) for name, value in menu["matchrule"].items()}
    buttons = [{"sub_button": [], **button} for button in menu["button"]]
    return {"button": buttons, "matchrule": rule, "menuid": menu["menuid"]}


def delete(call: Call) -> Answer:
    """Take the menu away, and every conditional one with it."""
    call.account.menu = None
    call.account.conditional_menus.clear()
    call.world.feed.publish(call.account.id, "", "menu", lambda: {"button": []})
    return OK


ENDPOINTS: Mapping[str, Endpoint] = {
    "/cgi-bin/menu/create": Endpoint("POST", create),
    "/cgi-bin/menu/get": Endpoint("GET", get),
    "/cgi-bin/menu/delete": Endpoint("GET", delete),
}
