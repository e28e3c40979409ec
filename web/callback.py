"""The official-account callback (公众号回调): signed requests in, one answer out.

Nothing hostile gets further than the inbox: what it refuses is answered with its status and a
few plain words, and no handler runs. A body that is too large is read to its end, up to a
limit, so that the sender can read the refusal instead of meeting a reset connection.
"""

import asyncio
import logging
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, stream_request_body, url

from domain.conversation import Answer
from domain.errors import ServiceError
from domain.ids import AccountId
from web.base import Page
from web.metrics import pushes, seconds

log = logging.getLogger(__name__)

MAX_PUSH = 256 * 1024
DRAINED = 16 * 1024 * 1024  # beyond it the connection is cut
BODY_SECONDS = 10.0  # for the whole body; the platform's own arrive in one piece
ACCOUNT = r"([a-z0-9][a-z0-9_-]{0,31})"


@stream_request_body
class Callback(Page):
    """`GET` verifies the address, `POST` brings a push."""

    def __init__(self, application: Application, request: HTTPServerRequest, **kwargs: Any) -> None:
        super().__init__(application, request, **kwargs)
        loop = asyncio.get_running_loop()
        self._arrived = loop.time()
        self._chunks: list[bytes] = []
        self._size = 0
        connection: Any = request.connection
        connection.set_max_body_size(DRAINED)
        self._too_slow = loop.call_later(BODY_SECONDS, connection.close)

    def set_default_headers(self) -> None:
        """Two headers are enough for a machine that reads no HTML."""
        headers = self._headers
        del headers["Server"]
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Cache-Control"] = "no-store"
        headers["Content-Type"] = "text/plain; charset=utf-8"

    async def prepare(self) -> None:
        """Do nothing yet: the body is still on its way."""

    def data_received(self, chunk: bytes) -> None:
        """Keep what an honest push can be, and let the rest flow away."""
        self._size += len(chunk)
        if self._size <= MAX_PUSH:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    async def get(self, account: str) -> None:
        """Verify the address: answer `echostr` of a signed request."""
        inbox = self._open(account)
        echo: str = inbox.echo(self._query())
        self.finish(echo)

    async def post(self, account: str) -> None:
        """Receive a push and answer it."""
        inbox = self._open(account)
        envelope = inbox.receive(self._query(), b"".join(self._chunks))
        message = envelope.message
        kind = type(message).__name__
        try:
            answer: Answer = await self.ctx.dispatcher.handle(message, arrived=self._arrived)
        except ServiceError:
            pushes(account, kind, "failed").inc()
            self.ctx.figures.add(AccountId(account), "failed")
            raise
        pushes(account, kind, answer.kind).inc()
        took = asyncio.get_running_loop().time() - self._arrived
        seconds(account).observe(took)
        self.ctx.figures.answered(AccountId(account), took)
        body: bytes = inbox.reply(envelope, answer)
        if body.startswith(b"<"):
            self._headers["Content-Type"] = "text/xml; charset=utf-8"
        self.finish(body)

    def on_finish(self) -> None:
        self._too_slow.cancel()

    def on_connection_close(self) -> None:
        self._too_slow.cancel()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say little: whoever gets this is either our operator, who has the log, or hostile."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}\n")

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A refusal is one line with its reason; the rest is logged as on any page."""
        status = value.status_code if isinstance(value, HTTPError) else getattr(value, "status", 0)
        if not isinstance(value, HTTPError | ServiceError) or status >= 500:
            super().log_exception(typ, value, tb)
            return
        # an unknown account's name is the sender's invention: neither counted nor logged
        account = self.path_args[0] if self.path_args and status != 404 else "?"
        pushes(account, "?", "refused").inc()
        fields = {"account": account, "status": status, "reason": str(value)}
        log.warning("callback.refused", extra=fields)

    def _open(self, account: str) -> Any:
        """Return the account's inbox, now that the whole body has been read."""
        self._too_slow.cancel()
        inbox = self.ctx.inboxes.get(AccountId(account))
        if inbox is None:
            raise HTTPError(404)
        if self._size > MAX_PUSH:
            raise HTTPError(413)
        return inbox

    def _query(self) -> dict[str, str]:
        """Return the parameters; one that comes twice or is not ASCII is nobody's."""
        query = {}
        for name, values in self.request.query_arguments.items():
            if len(values) != 1 or not values[0].isascii():
                raise HTTPError(400)
            query[name] = values[0].decode("ascii")
        return query


routes = [url(rf"/wechat/{ACCOUNT}", Callback, name="callback")]
