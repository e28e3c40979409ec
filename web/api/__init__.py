"""The departments' JSON API (委办局接口, `contract.md` 4)."""

from tornado.routing import URLSpec

from web.api import (
    alerts,
    audiences,
    broadcast_operations,
    broadcasts,
    history,
    notices,
    openapi,
    previews,
)

routes: list[URLSpec] = [
    *previews.routes,  # its fixed path comes before a broadcast's
    *broadcasts.routes,
    *broadcast_operations.routes,
    *audiences.routes,
    *notices.routes,
    *history.routes,
    *alerts.routes,
    *openapi.routes,
]
