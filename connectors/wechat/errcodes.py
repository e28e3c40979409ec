"""What each error of the platform means for us: one table (`wechat-platform.md` 5).

Everything that decides how to go on after a failed call reads it here. A code that is not in
the table drops the one recipient; the sender stops a job when the same code hits many in a row.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

from domain.clock import in_beijing
from domain.delivery import FailureClass, SendFailed

TOKEN_CODES = frozenset({40001, 40014, 42001})  # the token is not, or no longer, the right one
NO_MENU = 46003
NO_CODE = 0  # the trouble lies outside errcode

# "ok": the call had been carried out before, or there was nothing left to do
Verdict = FailureClass | Literal["ok"]
# how long to wait, at least; days and months end at midnight in Beijing
Wait = timedelta | Literal["midnight", "month"]

# what can go wrong without the platform naming a code (5.5)
Symptom = Literal[
    "no_connection",  # nothing was sent: connect, DNS, TLS
    "no_answer",  # sent, then silence or a cut connection
    "no_json",  # HTTP 5xx, an HTML page, an empty body
    "no_member",  # JSON without errcode and without what was asked for
    "no_body",  # our own data cannot be written as UTF-8
]


@dataclass(frozen=True, slots=True)
class Rule:
    """How to go on after one code. `advice` is for the person who reads the alarm."""

    verdict: Verdict
    advice: str = ""
    wait: Wait | None = None


_SECONDS = timedelta(seconds=2)
_MINUTE = timedelta(minutes=1)
_MINUTES = timedelta(minutes=3)
_HOUR = timedelta(hours=1)
_HOURS = timedelta(hours=2)

# codes (a dash means all between) → rule, in the order of section 5
_TABLE: tuple[tuple[str, Rule], ...] = (
    # 5.1 system, token, identity
    ("-1", Rule("retry_now", "the platform is overloaded: slow down, with jitter")),
    ("0", Rule("ok")),
    ("40001 40014 42001", Rule("refresh_token", "the access_token is not the latest one")),
    ("40002", Rule("config", "the token call names a wrong grant_type")),
    ("40013", Rule("config", "check app_id of this account in the settings")),
    ("40125", Rule("config", "check app_secret of this account in the settings")),
    ("40164", Rule("config", "add this machine's public IP to the account's IP whitelist")),
    ("40243", Rule("config", "the AppSecret is frozen: unfreeze it in the account's console")),
    ("41001", Rule("config_message", "the call carried no access_token")),
    ("41002 41004", Rule("config", "app_id or app_secret of this account is empty")),
    ("45009", Rule("retry_later", "the day's quota is used up", "midnight")),
    ("45011", Rule("retry_later", "the minute's quota is used up: lower the rate", _MINUTE)),
    ("48001", Rule("config", "the account lacks this permission: is it certified?")),
    ("48004", Rule("config", "the account is punished: read its notices on mp.weixin.qq.com")),
    ("48006", Rule("retry_later", "clear_quota was used up for this month", "month")),
    ("50001 50004 50007", Rule("config", "the account is frozen or may not use this call")),
    ("45102", Rule("retry_later", "the interface is blocked for a time", _HOUR)),
    ("45103 45109", Rule("config", "the interface is blocked or unsupported for this account")),
    ("45501 42010", Rule("retry_later", "the platform blocks our requests for a time", _HOURS)),
    ("61003 61004 61007 61023 61024", Rule("config", "third-party authorisation is not valid")),
    (
        "89501-89503",
        Rule("retry_later", "an administrator must confirm this IP in WeChat", _MINUTES),
    ),
    (
        "89504 89505",
        Rule("retry_later", "an administrator must confirm in WeChat", timedelta(minutes=30)),
    ),
    ("89506", Rule("config", "an administrator refused this IP; the platform asks again in 24 h")),
    ("89507", Rule("retry_later", "an administrator refused this IP for an hour", _HOUR)),
    ("43001-43003 76001-76022 40201-40203", Rule("config_message", "the request is malformed")),
    # 5.2 recipient
    ("40003", Rule("drop", "the openid is damaged or of another account: check the record")),
    ("40031", Rule("drop", "the list holds an openid that is not ours")),
    ("40032", Rule("config_message", "the list of openids has a wrong size: split it")),
    ("43004", Rule("unreachable", "does not follow the account")),
    ("43019", Rule("drop", "is on the account's blacklist")),
    ("43101", Rule("drop", "refused this message, or the consent is used up: ask again")),
    ("43104", Rule("config_message", "the openid does not belong to this app_id")),
    ("43108", Rule("retry_now", "parallel sends to one person: one at a time", _SECONDS)),
    ("43116", Rule("config", "this template is banned: choose another one")),
    ("43117", Rule("retry_later", "too many messages to this person", _HOURS)),
    ("45015", Rule("drop", "the window for customer-service messages is closed")),
    ("45047", Rule("drop", "the window's customer-service messages are used up")),
    ("48002", Rule("unreachable", "has muted the account")),
    ("49003", Rule("drop", "the openid does not match the app_id")),
    ("50002", Rule("unreachable", "the person's WeChat account is frozen or closed")),
    ("46004 50005", Rule("unreachable", "the person does not exist or has left")),
    ("65315", Rule("unreachable", "is not a follower")),
    ("70000", Rule("drop", "is a minor, protected from messages now")),
    ("45087", Rule("config", "the account's customer-service messages are blocked")),
    ("40226", Rule("drop", "high-risk user: refuse the login")),
    # 5.3 message and template data
    ("40008 40033 40035 40038 40097", Rule("config_message", "the message is malformed")),
    ("40036 40037", Rule("config", "correct the template's id in the account's settings")),
    ("40039 40048 40066 40062", Rule("config_message", "the url or the title is not acceptable")),
    ("40165 40166 41030", Rule("config_message", "the mini program's app id or page is wrong")),
    ("40246 40247", Rule("config_message", "choose a category template with its keywords")),
    ("40249", Rule("config", "judged marketing or illegal: repeating it locks the account")),
    ("43100", Rule("retry_later", "the templates were changed too often this month", "month")),
    ("43106 43107", Rule("config", "the account is punished: it may not add or send these")),
    ("44002 44004", Rule("config_message", "the message is empty")),
    ("45002 45003-45008 45012-45014", Rule("config_message", "a part of the message is too long")),
    ("45026 45027", Rule("config", "too many templates, or of another industry")),
    ("45072", Rule("config_message", "unknown typing command")),
    ("45080", Rule("drop", "the person has not written in the last 30 seconds")),
    ("45081", Rule("ok", "already typing")),
    ("45098 45099", Rule("config_message", "the message menu is too long")),
    ("45168 87014", Rule("config_message", "the text holds a forbidden word")),
    ("47001 47002", Rule("config_message", "the body is not plain UTF-8 JSON")),
    ("47003", Rule("config_message", "the data do not fit the template's keys or types")),
    ("48008", Rule("config", "the account may not send this kind of message")),
    ("200011 200013", Rule("config", "the account may not manage subscription templates")),
    (
        "200012 200014 200016-200022 200100",
        Rule("config_message", "the template management call is wrong"),
    ),
    # 5.4 media, menu, mass send, tags, QR, login, desks, statistics
    ("40007 46001", Rule("config_message", "the media has expired: upload it again")),
    (
        "40004-40006 40009 40113 40137 41005 41006 44001 44003 45001",
        Rule("config_message", "the media's type, size or format is not acceptable"),
    ),
    ("48005", Rule("config_message", "the material is in use by a menu or an auto-reply")),
    ("53503-53505", Rule("config", "the draft must be published in the account's console")),
    (
        "40015-40028 40054 40055 40117-40121 45064",
        Rule("config_message", "correct the menu: names, keys, urls, counts, linked mini program"),
    ),
    ("45010", Rule("retry_later", "the menu was created too often today", "midnight")),
    ("46002 46003", Rule("config_message", "there is no such menu")),
    (
        "65301 65303-65309 65310-65314 65316-65318 65320",
        Rule("config_message", "correct the conditional menu"),
    ),
    ("40059 40060 40130 40132", Rule("config_message", "correct the mass send")),
    ("45028", Rule("retry_later", "no mass send is left this month", "month")),
    ("45065", Rule("ok", "this mass send was accepted before")),
    ("45066", Rule("retry_later", "the same mass send came again too fast", _MINUTE)),
    ("45067", Rule("config_message", "clientmsgid is too long")),
    ("45083 45084 45113", Rule("config_message", "this speed or kind is not offered")),
    ("48003", Rule("config", "accept the mass-send agreement in the account's console")),
    ("9500001 9500002 268488001", Rule("retry_later", "trouble within the platform", _MINUTE)),
    (
        "40050 40051 40152 45016-45018 45056-45059 45157-45159",
        Rule("config_message", "the tag's id, name or number is not acceptable"),
    ),
    ("40052 40053", Rule("config_message", "the QR code's action or scene is wrong")),
    ("45029", Rule("config", "the account has used up its permanent QR codes")),
    ("9410010-9410012", Rule("config_message", "the short key or its data are wrong")),
    (
        "40029 41008 42003 40030 42002 41003 42007",
        Rule("drop", "the login is over: start it again"),
    ),
    ("40163", Rule("drop", "the login code was used before: use the remembered result")),
    ("87009", Rule("drop", "the session key is stale: log in again")),
    ("61450", Rule("retry_later", "the desks' system has trouble", _MINUTE)),
    ("65413-65415", Rule("drop", "this conversation cannot be handed over")),
    ("61451-61457 65400-65412 65416 65417", Rule("config_message", "the desk call is wrong")),
    ("61500 61501", Rule("config_message", "the dates are wrong")),
    ("61503", Rule("retry_later", "the figures are not ready", _HOURS)),
    ("40129 40169", Rule("config_message", "the scene is wrong")),
    ("61010", Rule("drop", "the person has not visited in the last two hours")),
    ("40212 85400 85401", Rule("config_message", "the link's query or expiry is wrong")),
    ("85079", Rule("config", "the mini program has no released version")),
    ("44990", Rule("retry_later", "more than 100 links a second", _SECONDS)),
)

UNKNOWN = Rule("drop", "unknown code: look it up with the rid")

_SENDS: Mapping[Symptom, Rule] = {
    "no_connection": Rule("retry_now", "the platform cannot be reached: check DNS and egress"),
    "no_answer": Rule("unknown", "it may have been carried out"),
    "no_json": Rule("unknown", "it may have been carried out"),
    "no_member": Rule("retry_now", "treated as -1"),
    "no_body": Rule("config_message", "the text is not valid Unicode"),
}


def codes_of(text: str) -> Iterator[int]:
    """Read `"-1 40003 65303-65309"` into its codes."""
    for first, last in re.findall(r"(-?\d+)(?:-(\d+))?", text):
        yield from range(int(first), int(last or first) + 1)


RULES: Mapping[int, Rule] = {code: rule for codes, rule in _TABLE for code in codes_of(codes)}


def rule_for(code: int, errmsg: str = "", *, for_token: bool = False) -> Rule:
    """Return how to go on; at the token call a refusal is always a matter of settings."""
    rule = RULES.get(code, UNKNOWN)
    if for_token and code in TOKEN_CODES:
        return RULES[40125]  # 40001 answers a wrong AppSecret there
    if for_token and rule.verdict not in {"ok", "config", "retry_now", "retry_later"}:
        return Rule("config", rule.advice)
    if code == 50002 and errmsg and "user" not in errmsg:
        return RULES[50001]  # the same code says that our interface, not the person, is stopped
    return rule


def failure_for(code: int, errmsg: str, now: datetime, *, for_token: bool = False) -> SendFailed:
    """Return the error to raise for a code that is not a success."""
    rule = rule_for(code, errmsg, for_token=for_token)
    return _failed(code, errmsg, rule, now)


def failure_outside(
    symptom: Symptom, detail: str, now: datetime, *, repeatable: bool
) -> SendFailed:
    """Return the error to raise when no errcode came; what only reads may simply be repeated."""
    rule = _SENDS[symptom]
    if repeatable and rule.verdict == "unknown":
        rule = Rule("retry_now", "no usable answer")
    return _failed(-1 if symptom == "no_member" else NO_CODE, detail, rule, now)


def _failed(code: int, detail: str, rule: Rule, now: datetime) -> SendFailed:
    if rule.verdict == "ok":
        raise ValueError(f"{code} is a success")
    text = f"{detail} ({rule.advice})" if rule.advice else detail
    return SendFailed(code, text, rule.verdict, retry_after=_wait(rule.wait, now))


def _wait(wait: Wait | None, now: datetime) -> timedelta | None:
    """Return how long from now; a day or month is over a minute after midnight in Beijing."""
    if wait is None or isinstance(wait, timedelta):
        return wait
    today = in_beijing(now).date()
    day = today + timedelta(days=1)
    if wait == "month":
        day = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    until = datetime.combine(day, time(0, 1), in_beijing(now).tzinfo)
    return until - now
