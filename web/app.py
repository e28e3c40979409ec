"""The Tornado application: every module's route table, joined."""

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler, url

from web import api, callback, digest, history, home, late, ops
from web.admin import assets
from web.admin import routes as admin
from web.base import ApiNotFound, NotFoundPage
from web.metrics import responses

if TYPE_CHECKING:
    from runtime.context import AppContext

log = logging.getLogger("web.access")

# for `HTTPServer(app, **SERVER_OPTIONS)`; a proxy in front keeps slower and larger things away
SERVER_OPTIONS: dict[str, Any] = {
    "max_body_size": callback.DRAINED,
    "max_header_size": 16 * 1024,
    "idle_connection_timeout": 75,
}


def make_app(ctx: "AppContext", extra_routes: Sequence[Any] = ()) -> Application:
    """Build the application on a context; `extra_routes` come before ours (the sandbox's)."""
    return Application(
        [*extra_routes, *_routes()],
        default_handler_class=NotFoundPage,
        log_function=log_request,
        ctx=ctx,
        console_routes=admin.ROUTES,
        is_https=ctx.settings.server.public_url.startswith("https://"),
    )


def make_ops_app(ctx: "AppContext") -> Application:
    """Build what any process shows on `server.metrics_port`: alive, ready, counted."""
    return Application(
        list(ops.routes),
        default_handler_class=NotFoundPage,
        log_function=log_request,
        ctx=ctx,
    )


def http_routes() -> list[tuple[str, str, str]]:
    """Return (methods, path, purpose) of every route, for `run.py routes`."""
    return [
        (
            " ".join(methods_of(rule.handler_class)),
            rule.regex.pattern.removesuffix("$"),
            (rule.handler_class.__doc__ or "").strip().split("\n", maxsplit=1)[0],
        )
        for rule in _routes()
        if methods_of(rule.handler_class)  # what only says "not found" answers none
    ]


def methods_of(page: type[RequestHandler]) -> list[str]:
    """Return the HTTP methods a page answers."""
    return [
        method
        for method in RequestHandler.SUPPORTED_METHODS
        if getattr(page, method.lower()) is not getattr(RequestHandler, method.lower())
    ]


def log_request(handler: RequestHandler) -> None:
    """Log and count a response: the page, never the query (signatures) or what a path hides."""
    status = handler.get_status()
    page = type(handler).__name__
    responses(page, status).inc()
    often = isinstance(handler, callback.Callback | ops.Alive | ops.Metrics)
    quiet = status < 400 and (often or getattr(handler, "is_polled", False))
    level = logging.DEBUG if quiet else logging.INFO
    if log.isEnabledFor(level):
        request = handler.request
        took = time.time() - (request._start_time or time.time())
        log.log(
            level,
            "http",
            extra={
                "method": request.method,
                "page": page,
                "status": status,
                "ms": round(took * 1000, 1),
                "remote": request.remote_ip,
            },
        )


def _routes() -> list[URLSpec]:
    return [
        *callback.routes,  # the busiest first
        *api.routes,
        *home.routes,
        *late.routes,
        *digest.routes,
        *history.routes,
        *ops.routes,
        *admin.specs(),
        *assets.routes,
        url(r"/api/.*", ApiNotFound),
    ]
