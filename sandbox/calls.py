"""One call of WeChat's HTTP API, as the functions that answer it see it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from tornado.httputil import HTTPServerRequest

from sandbox.accounts import Account
from sandbox.errors import ApiError
from sandbox.world import World

Answer = Mapping[str, Any]
OK: Answer = {"errcode": 0, "errmsg": "ok"}
_UNICODE_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]{4}")


@dataclass(slots=True)
class Call:
    """The world, the request, and the account whose token it carries."""

    world: World
    request: HTTPServerRequest
    account: Account
    now: int

    def argument(self, name: str) -> str:
        """Return a query argument, "" if absent."""
        return argument(self.request, name)

    def json(self) -> dict[str, Any]:
        """Return the body, or raise 44002 or 47001."""
        return json_of(self.request)

    def raw_json(self) -> dict[str, Any]:
        """Return the body, or raise 40033 when it holds `\\uXXXX` escapes (older calls)."""
        if _UNICODE_ESCAPE.search(self.request.body):
            raise ApiError(40033)
        return self.json()


Run = Callable[[Call], Answer | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the API: its method and the function that answers."""

    method: str  # "GET", "POST" or "ANY"
    run: Run


def argument(request: HTTPServerRequest, name: str) -> str:
    """Return a query argument, "" if absent."""
    values = request.query_arguments.get(name)
    return values[-1].decode(errors="replace") if values else ""


def json_of(request: HTTPServerRequest) -> dict[str, Any]:
    """Return the body as an object, or raise 44002 or 47001."""
    if not request.body:
        raise ApiError(44002)
    try:
        content = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise ApiError(47001) from error
    if not isinstance(content, dict):
        raise ApiError(47001)
    return content


def text_member(content: Mapping[str, Any], name: str, code: int = 40035) -> str:
    """Return a text of the body, or raise this errcode."""
    value = content.get(name)
    if not isinstance(value, str):
        raise ApiError(code)
    return value
