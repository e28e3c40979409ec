"""The API described: OpenAPI 3.1 for machines, made from the models, and a page for people."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from tornado.web import url

from web.api.audiences import PREVIEW
from web.api.described import EITHER, ONE, SAMPLE_ID, SAMPLE_ORDER, Operation
from web.api.described_alerts import OPERATIONS as ON_ALERTS
from web.api.described_operations import OPERATIONS as ON_BROADCASTS
from web.api.described_previews import OPERATIONS as BEFORE_SENDING
from web.api.history_models import HISTORY
from web.api.models import (
    BroadcastAccepted,
    BroadcastReport,
    BroadcastRequest,
    NoticeAccepted,
    NoticeRequest,
    ProblemModel,
)
from web.base import ApiPage, Page

VERSION = "1.0.0"
REF = "#/components/schemas/{model}"


_BROADCAST = {
    **SAMPLE_ORDER,
    "at": "2026-12-01T08:00:00+08:00",
    "idempotency_key": "water-2026-1201-01",
}
_NOTICE = {
    "account": "city",
    "topic": "traffic.violation",
    "subject": {"kind": "vehicle", "value": "粤B12345", "plate_type": "02"},
    "template": "violation_notice",
    "data": {
        "time": "2026-11-24 08:12",
        "place": "深南大道香蜜湖路口",
        "act": "违反禁止标线指示",
        "fine": "200元",
    },
    "event_id": "440304-20261124-000123",
}
_REPORT = {
    "id": SAMPLE_ID,
    "state": "sending",
    "counts": {
        "audience": 12000,
        "sent": 8000,
        "delivered": 7421,
        "failed": 12,
        "skipped": 3,
        "unknown": 0,
    },
    "started_at": "2026-12-01T08:00:00.412000+08:00",
    "finished_at": None,
    "reason": "",
    "revision": 1,
    "next_at": None,
}


def _switch(verb: str, summary: str, english: str, state: str) -> Operation:
    return Operation(
        method="post",
        path=f"{ONE}/{verb}",
        id=f"{verb}Broadcast",
        summary=summary,
        english=english,
        scopes=("broadcasts:publish",),
        response=BroadcastAccepted,
        answer={"id": _REPORT["id"], "state": state},
        problems=(401, 403, 404, 409, 429),
    )


OPERATIONS = (
    Operation(
        method="post",
        path="/api/v1/broadcasts",
        id="createBroadcast",
        summary="新建群发任务：有 broadcasts:publish 权限即排期发送，否则进入审核",
        english="Create a broadcast: scheduled with broadcasts:publish, else in review",
        scopes=EITHER,
        request=BroadcastRequest,
        example=_BROADCAST,
        status=201,
        response=BroadcastAccepted,
        answer={"id": _REPORT["id"], "state": "scheduled"},
        problems=(400, 401, 403, 409, 413, 422, 429, 503),
    ),
    Operation(
        method="get",
        path=ONE,
        id="getBroadcast",
        summary="查看进展；周期任务的人数为各次之和",
        english="How it is getting on; a recurring one adds up its occurrences",
        scopes=EITHER,
        response=BroadcastReport,
        answer=_REPORT,
        problems=(401, 403, 404, 429, 503),
    ),
    _switch(
        "pause",
        "暂停：答复后一秒内不再有消息发出",
        "Pause: no send starts later than a second after the answer",
        "paused",
    ),
    _switch("resume", "继续", "Resume", "sending"),
    _switch(
        "cancel",
        "取消：尚未发送的人计为 skipped",
        "Cancel: whoever was not reached is counted as skipped",
        "cancelled",
    ),
    *BEFORE_SENDING,
    *ON_BROADCASTS,
    PREVIEW,
    Operation(
        method="post",
        path="/api/v1/notices",
        id="announceEvent",
        summary="个人通知：发给绑定了该事物并订阅该主题的人；同一 event_id 只通知一次",
        english="One event for whoever bound its subject; the same event_id is told once",
        scopes=("notices:write",),
        request=NoticeRequest,
        example=_NOTICE,
        status=202,
        response=NoticeAccepted,
        answer={"matched": 2},
        problems=(400, 401, 403, 413, 422, 429),
    ),
    HISTORY,
    *ON_ALERTS,
)

PROBLEMS = {
    400: ("不是有效的 JSON", "not JSON"),
    401: ("没有密钥或密钥无效", "no key, or not a valid one"),
    403: ("密钥没有权限，或不属于该账号", "the key lacks the scope or is another account's"),
    404: ("没有这个群发任务", "there is no such broadcast"),
    409: (
        "状态不允许，或 idempotency_key 已用于另一内容",
        "wrong state, or the idempotency_key was used for something else",
    ),
    413: ("请求太大", "the body is too large"),
    415: ("不支持这样的内容类型", "another media type is expected"),
    422: ("内容有误，errors 逐一列出", "wrong content; errors lists everything"),
    429: ("请求太频繁", "too many requests"),
    503: ("条件太复杂，统计超时", "counting the people took too long"),
}


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI description."""
    requests: dict[type[BaseModel], None] = {}
    answers: dict[type[BaseModel], None] = {}
    for operation in OPERATIONS:
        requests |= dict.fromkeys(filter(None, (operation.request, operation.query)))
        answers[operation.response] = None
    answers[ProblemModel] = None
    _, schemas = models_json_schema(
        [
            *((model, "validation") for model in requests),
            *((model, "serialization") for model in answers),
        ],
        ref_template=REF,
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "微政委办局接口 Weizheng departments' API",
            "version": VERSION,
            "description": "群发任务与个人通知 / broadcasts and personal notices",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "接口密钥，wz_ 开头 / an API key, beginning with wz_",
                }
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": f"{operation.summary} / {operation.english}",
        "description": f"权限 scope: {' | '.join(operation.scopes)}",
        "responses": {
            str(operation.status): {
                "description": "成功 / done",
                "content": {
                    "application/json": {
                        "schema": {"$ref": REF.format(model=operation.response.__name__)},
                        "example": operation.answer,
                    }
                },
            },
            **{str(status): _problem(status) for status in operation.problems},
        },
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        described_query = operation.query.model_json_schema(ref_template=REF)
        needed = described_query.get("required", ())
        parameters += [
            {"name": name, "in": "query", "required": name in needed, "schema": schema}
            for name, schema in described_query["properties"].items()
        ]
    if parameters:
        described["parameters"] = parameters
    if operation.request is not None:
        described["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": REF.format(model=operation.request.__name__)},
                    "example": operation.example,
                }
            },
        }
    if operation.sample:
        body = {"schema": {"type": "string"}, "example": operation.sample}
        described["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(operation.media_types, body),
        }
    return described


def _problem(status: int) -> dict[str, Any]:
    chinese, english = PROBLEMS[status]
    return {
        "description": f"{chinese} / {english}",
        "content": {
            "application/problem+json": {"schema": {"$ref": REF.format(model="ProblemModel")}}
        },
    }


def fields_of(name: str, prefix: str = "", within: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Return the rows of a model's table, nested objects spelt with dots.

    What is made of its own kind, as a rule is of rules, is described once (`within`).
    """
    schemas = document()["components"]["schemas"]
    schema = schemas[name]
    rows: list[dict[str, str]] = []
    for field, part in schema.get("properties", {}).items():
        nested = _reference(part)
        row = {
            "name": prefix + field,
            "type": _type(part),
            "required": "是 yes" if field in schema.get("required", ()) else "",
            "default": json.dumps(part["default"]) if part.get("default") is not None else "",
            "description": part.get("description")
            or (schemas[nested].get("description", "") if nested else ""),
        }
        rows.append(row)
        if nested and nested not in (name, *within):
            rows += fields_of(nested, f"{prefix}{field}.", (name, *within))
    return rows


def _reference(part: Mapping[str, Any]) -> str | None:
    choices = [part, *part.get("anyOf", ())]
    reference = next((choice["$ref"] for choice in choices if "$ref" in choice), None)
    return str(reference).rsplit("/", 1)[-1] if reference else None


def _type(part: Mapping[str, Any]) -> str:
    if "$ref" in part:
        return "object"
    if "enum" in part:
        return " | ".join(map(str, part["enum"]))
    if "anyOf" in part:
        return " | ".join(_type(choice) for choice in part["anyOf"])
    if part.get("type") == "array":
        return f"{_type(part['items'])}[]"
    if part.get("format") == "date-time":
        return "date-time"
    return str(part.get("type", "any"))


class OpenApi(ApiPage):
    """The API's OpenAPI 3.1 description."""

    def get(self) -> None:
        self.answer(document())


class Docs(Page):
    """The API's description for people 接口文档."""

    def get(self) -> None:
        operations = [
            {
                "id": operation.id,
                "method": operation.method.upper(),
                "path": operation.path,
                "summary": operation.summary,
                "english": operation.english,
                "scopes": operation.scopes,
                "fields": _fields_taken(operation),
                "example": _pretty(operation.example) if operation.example else "",
                "media_types": operation.media_types,
                "sample": operation.sample,
                "status": operation.status,
                "answer": _pretty(operation.answer),
                "answer_fields": fields_of(operation.response.__name__),
                "problems": [(status, *PROBLEMS[status]) for status in operation.problems],
            }
            for operation in OPERATIONS
        ]
        self.render_page("api/docs.html", operations=operations, version=VERSION)


def _fields_taken(operation: Operation) -> list[dict[str, str]]:
    model = operation.request or operation.query
    return fields_of(model.__name__) if model else []


def _pretty(example: Mapping[str, Any]) -> str:
    return json.dumps(example, ensure_ascii=False, indent=2)


routes = [
    url(r"/api/v1/openapi\.json", OpenApi),
    url(r"/api/v1/docs", Docs),
]
