"""WeChat's HTTP API: every call of `/cgi-bin/…`, its token, quota, faults and answer.

A Tornado router that takes the request as routing has parsed it, rather than a `RequestHandler`,
because benches send several thousand template messages a second through it.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import orjson
from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.routing import Router

from sandbox import (
    api_basics,
    api_mass,
    api_menu,
    api_menu_conditional,
    api_messages,
    api_notices,
    api_people,
)
from sandbox.calls import Answer, Call, Endpoint, argument
from sandbox.errors import ApiError, new_rid
from sandbox.faults import Fault
from sandbox.tokens import check_token
from sandbox.world import World

log = logging.getLogger(__name__)

ENDPOINTS: Mapping[str, Endpoint] = {
    **api_basics.ENDPOINTS,
    **api_mass.ENDPOINTS,
    **api_menu.ENDPOINTS,
    **api_menu_conditional.ENDPOINTS,
    **api_messages.ENDPOINTS,
    **api_notices.ENDPOINTS,
    **api_people.ENDPOINTS,
}
BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_START = ResponseStartLine("HTTP/1.1", 200, "OK")
_MOST_OF_A_BODY = 2000  # characters kept for rid/get


class WeChatApi(Router):
    """Answers requests for one world; mounted as a route's target."""

    def __init__(self, world: World) -> None:
        self._world = world

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        """Take what routing has parsed; the body follows."""
        return _Arriving(self, request)

    def take(self, request: HTTPServerRequest) -> None:
        """Take a request; the answer is written at once, or later by a task of the world."""
        if self._world.faults and (fault := self._fault(request)) is not None:
            self._world.spawn(self._misbehave(request, fault))
            return
        answer = self._answer(request)
        if isinstance(answer, bytes):
            _write(request, answer)
        else:
            self._world.spawn(self._later(request, answer))

    def _answer(self, request: HTTPServerRequest) -> Any:
        """Return the answer as bytes, or as an awaitable of a mapping."""
        try:
            answer = self._carry_out(request)
        except ApiError as error:
            return self._refusal(request, error)
        return orjson.dumps(answer) if isinstance(answer, dict) else answer

    def _carry_out(self, request: HTTPServerRequest) -> Any:
        world, path = self._world, request.path
        now = world.clock.timestamp()
        endpoint = ENDPOINTS.get(path)
        if endpoint is None:
            open_endpoint = api_basics.OPEN_ENDPOINTS.get(path)
            if open_endpoint is None:
                raise ApiError(40066)
            _check_method(request, open_endpoint[0])
            return open_endpoint[1](world, request, now)[1]
        _check_method(request, endpoint.method)
        token = check_token(world.tokens, argument(request, "access_token"), now)
        account = world.accounts[token.account_id]
        account.quotas.take(path, now, len(account.followers))
        return endpoint.run(Call(world, request, account, now))

    def _refusal(self, request: HTTPServerRequest, error: ApiError) -> bytes:
        world = self._world
        now = world.clock.timestamp()
        rid = new_rid(now)
        answer = orjson.dumps({"errcode": error.code, "errmsg": f"{error.message} rid: {rid}"})
        world.keep_rid(
            rid,
            {
                "invoke_time": now,
                "cost_in_ms": 1,
                "request_url": request.path,
                "request_body": request.body.decode(errors="replace")[:_MOST_OF_A_BODY],
                "response_body": answer.decode(),
                "client_ip": request.remote_ip,
            },
        )
        return answer

    async def _later(self, request: HTTPServerRequest, answer: Any) -> None:
        _write(request, await self._settled(request, answer))

    async def _settled(self, request: HTTPServerRequest, answer: Any) -> bytes:
        if isinstance(answer, bytes):
            return answer
        try:
            content: Answer = await answer
        except ApiError as error:
            return self._refusal(request, error)
        return orjson.dumps(content)

    def _fault(self, request: HTTPServerRequest) -> Fault | None:
        token = self._world.tokens.get(argument(request, "access_token"))
        account_id = token.account_id if token is not None else ""
        return self._world.faults.pick(request.path, account_id, request.body)

    async def _misbehave(self, request: HTTPServerRequest, fault: Fault) -> None:
        """Do what the fault says, in place of the ordinary answer."""
        log.info("sandbox.fault", extra={"path": request.path, "fault": fault.kind})
        match fault.kind:
            case "errcode":
                error = ApiError(fault.errcode, fault.detail)
                _write(request, self._refusal(request, error))
            case "html502":
                _write(request, BAD_GATEWAY, status=502, content_type="text/html")
            case "empty":
                _write(request, b"")
            case "cut_before":
                _cut(request)
            case "cut_after":
                await self._settled(request, self._answer(request))
                _cut(request)
            case "late":
                answer = await self._settled(request, self._answer(request))
                await asyncio.sleep(fault.delay)
                _write(request, answer)
            case "slow":
                await asyncio.sleep(fault.delay)
                _write(request, await self._settled(request, self._answer(request)))


class _Arriving(HTTPMessageDelegate):
    """One request whose body is still coming in."""

    def __init__(self, api: WeChatApi, request: HTTPServerRequest) -> None:
        self._api = api
        self._request = request
        self._chunks: list[bytes] = []

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        """The request holds them already."""

    def data_received(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def finish(self) -> None:
        self._request.body = b"".join(self._chunks)
        self._api.take(self._request)

    def on_connection_close(self) -> None:
        self._chunks.clear()


def _check_method(request: HTTPServerRequest, method: str) -> None:
    if method not in ("ANY", request.method):
        raise ApiError(43001 if method == "GET" else 43002)


def _write(
    request: HTTPServerRequest,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json; encoding=utf-8",
) -> None:
    connection = request.connection
    if connection is None:
        return
    headers = HTTPHeaders({"Content-Type": content_type, "Content-Length": str(len(body))})
    start = _START if status == 200 else ResponseStartLine("HTTP/1.1", status, "Bad Gateway")
    connection.write_headers(start, headers, body)
    connection.finish()


def _cut(request: HTTPServerRequest) -> None:
    """Break the connection without a word."""
    connection = request.connection
    if isinstance(connection, HTTP1Connection):
        connection.stream.close()
