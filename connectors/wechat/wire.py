"""One HTTP exchange with the platform: bytes out, a JSON object back, or the symptom.

No retry lives here. What matters on failure is whether the request can have been carried out,
so every way to fail is sorted into the symptoms of `errcodes`. Nothing here keeps or shows a
URL: the token stands in it, and aiohttp's own exceptions quote it.
"""

import json
import re
from typing import Any

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from connectors.wechat.errcodes import Symptom

# connecting includes waiting for a free connection of the pool
TIMEOUT = aiohttp.ClientTimeout(total=5.0, connect=3.0)

_HEADERS = CIMultiDict({"Content-Type": "application/json; charset=utf-8"})
_RID = re.compile(r"rid: ?([0-9a-f]+(?:-[0-9a-f]+)+)")
_LONG_ID = re.compile(r"[A-Za-z0-9_-]{28,}")  # an openid has 28 characters, a rid 26
_EXCERPT = 200

Json = dict[str, Any]


class CallFailed(Exception):
    """No usable answer came; `symptom` says whether the request can have been carried out."""

    def __init__(self, symptom: Symptom, detail: str) -> None:
        super().__init__(detail)
        self.symptom: Symptom = symptom
        self.detail = detail


def encode(content: Any) -> bytes:
    r"""Return UTF-8 JSON with real characters: `\uXXXX` is refused by older endpoints."""
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError as error:
        raise CallFailed("no_body", f"cannot be written as JSON: {error}") from error


async def exchange(
    http: aiohttp.ClientSession, url: URL, body: bytes | None, timeout: aiohttp.ClientTimeout
) -> Json:
    """POST the body, or GET when there is none, and return the answer's JSON object."""
    try:
        response = await http.request(
            "GET" if body is None else "POST",
            url,
            data=body,
            headers=_HEADERS,
            timeout=timeout,
            allow_redirects=False,  # the token is meant for one address only
        )
        content = await response.read()  # gives the connection back, or closes it on a failure
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise CallFailed("no_connection", _name(error)) from None
    except aiohttp.InvalidURL:
        raise CallFailed("no_connection", "api_base is not a URL") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise CallFailed("no_answer", _name(error)) from None
    return _read(response.status, content)


def errcode_of(answer: Json) -> int:
    """Return the code; many successful answers have none."""
    code = answer.get("errcode", 0)
    try:
        return int(code)
    except (TypeError, ValueError):
        return -1


def errmsg_of(answer: Json) -> str:
    """Return the platform's text, shortened and without ids or tokens; it ends in the rid."""
    return _LONG_ID.sub("…", str(answer.get("errmsg", "")))[:_EXCERPT]


def rid_of(errmsg: str) -> str:
    """Return the id under which the platform keeps this request for seven days, or ""."""
    found = _RID.search(errmsg)
    return found.group(1) if found else ""


def _read(status: int, content: bytes) -> Json:
    answer = _decode(content)
    if answer is None:
        kind = "empty body" if not content.strip() else "no JSON object"
        raise CallFailed("no_json", f"HTTP {status}, {kind}")
    if status >= 300 and ("errcode" not in answer or status >= 500):
        raise CallFailed("no_json", f"HTTP {status}")  # something between us and the platform
    return answer


def _decode(content: bytes) -> Json | None:
    """Read JSON as the platform writes it: any Content-Type, broken characters in names."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            answer = json.loads(content.decode("utf-8-sig", "replace"), strict=False)
        except (ValueError, RecursionError):
            return None
    return answer if isinstance(answer, dict) else None


def _name(error: BaseException) -> str:
    """Name the error without its text, which may quote the URL."""
    reason = getattr(error, "os_error", None)
    return f"{type(error).__name__} {reason}" if reason else type(error).__name__
