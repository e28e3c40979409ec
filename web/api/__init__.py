"""The departments' JSON API (委办局接口, `contract.md` 4)."""

from tornado.routing import URLSpec

from web.api import broadcasts, notices, openapi

routes: list[URLSpec] = [*broadcasts.routes, *notices.routes, *openapi.routes]
