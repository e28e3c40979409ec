"""How the API's operations are described, for `web.api.openapi` and the page people read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

EITHER = ("broadcasts:write", "broadcasts:publish")
ONE = "/api/v1/broadcasts/{id}"
SAMPLE_ID = "bc_0123456789abcdef01234567"
SAMPLE_ORDER: Mapping[str, Any] = {
    "account": "city",
    "title": "园岭街道计划停水",
    "topic": "outage.water",
    "audience": {"topics": ["outage.water"], "regions": ["440304"]},
    "template": "outage_notice",
    "data": {
        "area": "福田区园岭街道",
        "start": "2026-12-01 09:00",
        "end": "2026-12-01 18:00",
        "reason": "管网检修",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing the API can do, as both descriptions tell it."""

    method: str
    path: str
    id: str
    summary: str
    english: str
    scopes: tuple[str, ...]
    request: type[BaseModel] | None = None
    query: type[BaseModel] | None = None  # what may stand behind the question mark
    example: Mapping[str, Any] | None = None
    media_types: tuple[str, ...] = ()  # of a body that is no JSON, with a sample of it
    sample: str = ""
    status: int = 200
    response: type[BaseModel]
    answer: Mapping[str, Any]
    problems: tuple[int, ...]
