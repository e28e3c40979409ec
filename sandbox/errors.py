"""WeChat's error codes as the platform words them (`wechat-platform.md` 5)."""

import secrets
from collections.abc import Mapping

MESSAGES: Mapping[int, str] = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest, could get access_token "
    "by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40008: "invalid message type",
    40013: "invalid appid",
    40014: "invalid access_token",
    40015: "invalid menu type",
    40016: "invalid button size",
    40017: "invalid button type",
    40018: "invalid button name size",
    40019: "invalid button key size",
    40020: "invalid button url size",
    40022: "invalid sub button level",
    40023: "invalid sub button size",
    40024: "invalid sub button type",
    40025: "invalid sub button name size",
    40026: "invalid sub button key size",
    40027: "invalid sub button url size",
    40033: "invalid charset. please check your request, if include \\uxxxx will create fail!",
    40035: "invalid parameter",
    40037: "invalid template_id",
    40031: "invalid openid list",
    40032: "invalid openid list size",
    40050: "invalid group id",
    40052: "invalid action name",
    40053: "invalid action info",
    40054: "invalid sub button url domain",
    40055: "invalid button url domain",
    40059: "invalid msg id",
    40066: "invalid url",
    40125: "invalid appsecret",
    40130: "at least two openids",
    40132: "invalid openid or weixin id",
    40164: "invalid ip {detail}, not in whitelist",
    40201: "invalid url",
    40202: "invalid action",
    40203: "invalid check_operator",
    40243: "AppSecret has been frozen",
    40249: "template content illegal or marketing",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "require subscribe",
    43019: "require remove blacklist",
    43101: "user refuse to accept the msg",
    43116: "This template_id is banned",
    43117: "Sending messages to this openid too frequently, please try later",
    44002: "empty post data",
    44004: "empty content",
    45002: "content size out of limit",
    45008: "article size out of limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45028: "has no masssend quota",
    45047: "out of response count limit",
    45065: "clientmsgid exist",
    45066: "same clientmsgid retry too fast",
    45067: "clientmsgid size out of limit",
    45072: "invalid command",
    45080: "no recent interaction",
    46003: "menu no exist",
    65301: "invalid menuid: no such conditional menu",
    65303: "there is no selfmenu, please create selfmenu first",
    65304: "match rule unsupported",
    65305: "match rule empty",
    65307: "match rule value unsupported",
    65309: "invalid user id to match",
    65316: "conditional menu has too many domains",
    65320: "match rule field is no longer supported",
    47001: "data format error",
    47002: "data format error, do NOT use json unicode encode",
    47003: "argument invalid! {detail}",
    48001: "api unauthorized",
    48002: "user block receive message",
    48006: "forbid to clear quota because of reaching the limit",
    50002: "user limited",
    76001: "rid not found",
    76002: "rid is invalid",
    76021: "cgi_path not found",
    200014: "invalid tid",
}


class ApiError(Exception):
    """An answer with an errcode other than 0."""

    def __init__(self, code: int, detail: str = "", *, message: str = "") -> None:
        text = message or MESSAGES.get(code, "error")
        self.code = code
        self.message = text.replace("{detail}", detail)
        super().__init__(f"{code} {self.message}")


def new_rid(timestamp: int) -> str:
    """Return a trace such as `65a1b2c3-1f2e3d4c-5b6a7988`."""
    return f"{timestamp & 0xFFFFFFFF:08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
