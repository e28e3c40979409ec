"""What all pages share: the context, security headers, and errors in words people can use.

`Page` answers citizens in HTML, `ApiPage` answers machines in JSON and RFC 9457 problems. Both
turn a `ServiceError` into its own status and sentence, and anything unforeseen into a sentence
with a reference number that also stands in the log.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import orjson
from tornado.http1connection import HTTP1Connection
from tornado.web import HTTPError, RequestHandler

from bot.reference import new_reference
from domain.errors import (
    BrokenContract,
    CitizenError,
    DepartmentError,
    ServiceError,
    StateError,
    TooSlow,
)
from domain.sentence import Sentence

if TYPE_CHECKING:
    from runtime.context import AppContext

log = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HTTP_SAY = {
    400: Sentence("请求不完整，请返回重试。"),
    401: Sentence("请先登录。"),
    403: Sentence("没有权限查看这个页面。"),
    404: Sentence("没有找到这个页面，链接可能已经过期。"),
    405: Sentence("不支持这样的请求。"),
    413: Sentence("提交的内容太大，请删减后重试。"),
    429: Sentence("操作太频繁，请稍后再试。"),
}
UNFORESEEN = Sentence("服务出了点问题，请稍后再试，或拨打 12345。")


class Problem(ServiceError):
    """A refusal of the JSON API with a stable `code`, a `detail` and, if any, more members."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.say = detail
        self.headers = dict(headers or {})
        self.members = members


class Page(RequestHandler):
    """A page for citizens, or anything that is not the JSON API."""

    max_body = MAX_BODY
    reference: str | None = None

    @property
    def ctx(self) -> "AppContext":
        """What the running process is made of."""
        return cast("AppContext", self.application.settings["ctx"])

    def set_default_headers(self) -> None:
        """Put the security headers on every answer, errors included."""
        self.clear_header("Server")
        self._headers.update(SECURITY_HEADERS)
        if self.application.settings.get("is_https"):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def prepare(self) -> None:
        """Refuse a body that is larger than any honest one."""
        if len(self.request.body or b"") > self.max_body:
            raise HTTPError(413)

    def render_page(self, name: str, /, **data: Any) -> None:
        """Answer with an HTML template of `templates/`."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(self.ctx.renderer.page(name, data))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer an error with the status its class knows."""
        error = _error_of(kwargs)
        if isinstance(error, ServiceError):
            status_code = error.status
        if self._headers_written:
            self.cut_off()
            return
        super().send_error(status_code, **kwargs)

    def cut_off(self) -> None:
        """Break the connection off: half an answer must not look like a whole one."""
        if self._finished:
            return
        connection = self.request.connection
        if isinstance(connection, HTTP1Connection):
            connection.close()
        self._finished = True
        self._log()
        self.on_finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write an error page in Chinese."""
        self.render_page(
            "citizen/error.html",
            status=status_code,
            say=say_of(_error_of(kwargs), status_code),
            reference=self.reference,
        )

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log by branch: the citizen's own mistake is news, ours is an alarm."""
        fields = {"method": self.request.method, "route": type(self).__name__}
        if isinstance(value, HTTPError):
            log.info("web.refused", extra={**fields, "status": value.status_code})
        elif isinstance(value, CitizenError | StateError | Problem):
            log.info("web.refused", extra={**fields, "status": value.status, "code": value.code})
        elif isinstance(value, TooSlow):
            log.warning("web.too_slow", extra=fields)
        elif isinstance(value, DepartmentError) and not isinstance(value, BrokenContract):
            log.warning("web.department_failed", extra={**fields, "reason": str(value)})
        else:
            self.reference = new_reference()
            log.error(
                "web.failed",
                extra={**fields, "reference": self.reference},
                exc_info=value or True,
            )


class ApiPage(Page):
    """A page of the JSON API; errors are `application/problem+json` (RFC 9457)."""

    def read_json(self) -> Any:
        """Return the request's JSON, or refuse with a problem that says what is wrong."""
        try:
            return orjson.loads(self.request.body or b"")
        except orjson.JSONDecodeError as error:
            raise Problem(400, "malformed_json", f"the body is not JSON: {error}") from error

    def answer(self, content: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(orjson.dumps(content))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the problem."""
        error = _error_of(kwargs)
        title = _title(status_code)
        problem: dict[str, Any] = {
            "type": "about:blank",
            "title": title,
            "status": status_code,
            "code": title.lower().replace(" ", "_").replace("-", "_"),
            "detail": say_of(error, status_code),
        }
        if isinstance(error, ServiceError):
            problem["code"] = error.code
        if isinstance(error, CitizenError) and error.field:
            problem["field"] = error.field
        if isinstance(error, Problem):
            problem |= error.members
            for name, value in error.headers.items():
                self.set_header(name, value)
        if self.reference:
            problem["reference"] = self.reference
        self.set_header("Content-Type", "application/problem+json; charset=utf-8")
        self.finish(orjson.dumps(problem))


class NotFoundPage(Page):
    """Any address that is not ours."""

    async def prepare(self) -> None:
        raise HTTPError(404)


class ApiNotFound(ApiPage):
    """Any address below /api/ that is not ours."""

    async def prepare(self) -> None:
        raise HTTPError(404)


def say_of(error: BaseException | None, status: int) -> str:
    """Return the sentence people read: the error's own, or the one for its status."""
    if isinstance(error, ServiceError):
        return error.say
    return HTTP_SAY.get(status, UNFORESEEN)


def _error_of(kwargs: Mapping[str, Any]) -> BaseException | None:
    info = kwargs.get("exc_info")
    return cast("BaseException | None", info[1]) if info else None


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
