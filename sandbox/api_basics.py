"""Tokens, addresses and quotas (4.1)."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

from tornado.httputil import HTTPServerRequest

from domain.clock import in_beijing
from sandbox.accounts import Account
from sandbox.calls import OK, Answer, Call, Endpoint, argument, json_of
from sandbox.errors import ApiError
from sandbox.quotas import PER_MINUTE
from sandbox.world import World

TOKEN = "/cgi-bin/token"  # noqa: S105 - a path
STABLE_TOKEN = "/cgi-bin/stable_token"  # noqa: S105 - a path
CLEAR_V2 = "/cgi-bin/clear_quota/v2"

Open = Callable[[World, HTTPServerRequest, int], tuple[Account, Answer]]


def issue_token(world: World, request: HTTPServerRequest, now: int) -> tuple[Account, Answer]:
    """Answer `/cgi-bin/token`."""
    if argument(request, "grant_type") != "client_credential":
        raise ApiError(40002)
    account = _credentials(world, request, argument(request, "appid"), argument(request, "secret"))
    account.quotas.take(TOKEN, now, 0)
    token, seconds = account.tokens.issue(now)
    return account, {"access_token": token.value, "expires_in": seconds}


def issue_stable_token(
    world: World, request: HTTPServerRequest, now: int
) -> tuple[Account, Answer]:
    """Answer `/cgi-bin/stable_token`."""
    content = json_of(request)
    if content.get("grant_type") != "client_credential":
        raise ApiError(40002)
    account = _credentials(world, request, content.get("appid"), content.get("secret"))
    account.quotas.take(STABLE_TOKEN, now, 0)
    token, seconds = account.tokens.stable(now, force=content.get("force_refresh") is True)
    return account, {"access_token": token.value, "expires_in": seconds}


def clear_with_secret(world: World, request: HTTPServerRequest, now: int) -> tuple[Account, Answer]:
    """Answer `/cgi-bin/clear_quota/v2`, which needs no token."""
    content = json_of(request)
    account = _credentials(world, request, content.get("appid"), content.get("appsecret"))
    account.quotas.clear(_month(world))
    return account, OK


def account_of(world: World, app_id: object) -> Account | None:
    """Return the account with this app id."""
    return next((a for a in world.accounts.values() if a.app_id == app_id), None)


def _credentials(
    world: World, request: HTTPServerRequest, app_id: object, secret: object
) -> Account:
    if not app_id:
        raise ApiError(41002)
    if not secret:
        raise ApiError(41004)
    account = account_of(world, app_id)
    if account is None:
        raise ApiError(40013)
    if not account.secret_is(str(secret)):
        raise ApiError(40125)
    caller = str(request.remote_ip)
    if account.whitelist is not None and caller not in account.whitelist:
        address = ip_address(caller)
        mapped = f"::ffff:{caller}" if address.version == 4 else caller
        raise ApiError(40164, f"{caller} ipv6 {mapped}")
    return account


def _month(world: World) -> tuple[int, int]:
    today = in_beijing(world.clock.now())
    return today.year, today.month


def callback_addresses(call: Call) -> Answer:
    return {"ip_list": ["127.0.0.1", "::1"]}


def check_callback(call: Call) -> Answer:
    """Answer `callback/check`: here every name and every address is this machine."""
    content = call.json()
    action, operator = content.get("action"), content.get("check_operator")
    if action not in ("dns", "ping", "all"):
        raise ApiError(40202)
    if operator not in ("CHINANET", "UNICOM", "CAP", "DEFAULT"):
        raise ApiError(40203)
    address = "127.0.0.1"
    dns = [{"ip": address, "real_operator": operator}] if action != "ping" else []
    lost = {"ip": address, "from_operator": operator, "package_loss": "0%", "time": "0.031ms"}
    return {"dns": dns, "ping": [lost] if action != "dns" else []}


def clear_quota(call: Call) -> Answer:
    if call.json().get("appid") != call.account.app_id:
        raise ApiError(40013)
    call.account.quotas.clear(_month(call.world))
    return OK


def quota(call: Call) -> Answer:
    """Answer `openapi/quota/get`."""
    path = call.json().get("cgi_path")
    if not isinstance(path, str) or not path.startswith("/cgi-bin/"):
        raise ApiError(76021)
    quotas = call.account.quotas
    limit = quotas.day_limit(path, len(call.account.followers))
    used = quotas.used(path, call.now)
    answer: dict[str, Any] = {
        "quota": {"daily_limit": limit, "used": used, "remain": max(0, limit - used)}
    }
    per_minute = quotas.per_minute.get(path, PER_MINUTE.get(path, 0))
    if per_minute:
        answer["rate_limit"] = {"call_count": per_minute, "refresh_second": 60}
    return {**OK, **answer}


def rid(call: Call) -> Answer:
    """Answer `openapi/rid/get` for the errors of the last days."""
    given = call.json().get("rid")
    if not isinstance(given, str) or not given:
        raise ApiError(76002)
    found = call.world.rids.get(given)
    if found is None or call.now - found["invoke_time"] > 7 * 86400:
        raise ApiError(76001)
    return {**OK, "request": found}


OPEN_ENDPOINTS: Mapping[str, tuple[str, Open]] = {  # those that need no token
    TOKEN: ("GET", issue_token),
    STABLE_TOKEN: ("POST", issue_stable_token),
    CLEAR_V2: ("POST", clear_with_secret),
}
ENDPOINTS: Mapping[str, Endpoint] = {
    "/cgi-bin/getcallbackip": Endpoint("GET", callback_addresses),
    "/cgi-bin/get_api_domain_ip": Endpoint("GET", callback_addresses),
    "/cgi-bin/callback/check": Endpoint("POST", check_callback),
    "/cgi-bin/clear_quota": Endpoint("POST", clear_quota),
    "/cgi-bin/openapi/quota/get": Endpoint("POST", quota),
    "/cgi-bin/openapi/rid/get": Endpoint("POST", rid),
}
