"""Conditional menus 个性化菜单 (4.2): the newest one whose rule fits a person, else the default."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sandbox.accounts import Account
from sandbox.api_menu import check_menu
from sandbox.calls import OK, Answer, Call, Endpoint
from sandbox.errors import ApiError

FIRST_ID = 208379533
MOST_DOMAINS = 3
_RULES = ("tag_id", "client_platform_type")
_DEAD = ("sex", "country", "province", "city", "language", "group_id")


def add(call: Call) -> Answer:
    """Answer `menu/addconditional`; it needs a default menu and at least one living rule."""
    content = call.raw_json()
    if call.account.menu is None:
        raise ApiError(65303)
    rule = content.get("matchrule")
    if not isinstance(rule, dict):
        raise ApiError(65305)
    if any(rule.get(name) for name in _DEAD):
        raise ApiError(65320)
    kept = {name: str(rule[name]) for name in _RULES if rule.get(name)}
    if not kept:
        raise ApiError(65305)
    if kept.get("client_platform_type", "1") not in ("1", "2", "3"):
        raise ApiError(65307)
    if not kept.get("tag_id", "0").isdecimal():
        raise ApiError(65304)
    check_menu(content)
    if len(_domains(content["button"])) > MOST_DOMAINS:
        raise ApiError(65316)
    menus = call.account.conditional_menus
    menu_id = FIRST_ID + call.world.next_seq()
    menus[str(menu_id)] = {"button": content["button"], "matchrule": kept, "menuid": menu_id}
    return {"menuid": str(menu_id)}


def delete(call: Call) -> Answer:
    """Answer `menu/delconditional`."""
    if call.account.conditional_menus.pop(str(call.json().get("menuid", "")), None) is None:
        raise ApiError(65301)
    return OK


def try_match(call: Call) -> Answer:
    """Answer `menu/trymatch`: what this person sees."""
    openid = call.json().get("user_id")
    person = call.account.followers.get(openid) if isinstance(openid, str) else None
    if person is None or not person.is_following:
        raise ApiError(65309)
    if call.account.menu is None:
        raise ApiError(46003)
    newest_first = reversed(call.account.conditional_menus.values())
    fitting = (menu for menu in newest_first if _fits(call.account, openid, menu))
    menu = next(fitting, call.account.menu)
    return {"button": menu["button"]}


def _fits(account: Account, openid: object, menu: Mapping[str, Any]) -> bool:
    tags, client = account.traits.get(str(openid), ((), ""))
    rule = menu["matchrule"]
    if "tag_id" in rule and (not tags or tags[-1] != rule["tag_id"]):  # the last tag counts
        return False
    return bool(rule.get("client_platform_type", client) == client)


def _domains(buttons: Any) -> set[str | None]:
    found: set[str | None] = set()
    for button in buttons:
        if button.get("url"):
            found.add(urlsplit(button["url"]).hostname)
        found |= _domains(button.get("sub_button") or ())
    return found


ENDPOINTS: Mapping[str, Endpoint] = {
    "/cgi-bin/menu/addconditional": Endpoint("POST", add),
    "/cgi-bin/menu/delconditional": Endpoint("POST", delete),
    "/cgi-bin/menu/trymatch": Endpoint("POST", try_match),
}
