"""What the API's pages share: keys, scopes, limits, and reading a request strictly."""

import re
import time
from collections import OrderedDict
from collections.abc import Collection
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from tornado.web import HTTPError

from domain.access import ApiKey, Scope
from push.orders import OrderRefused
from web.base import ApiPage, Problem

Model = TypeVar("Model", bound=BaseModel)

MAX_BODY = 256 * 1024
PER_SECOND = 100  # requests of one key in one process
BURST = 300
KEYS_KEPT = 10_000
MOST_ERRORS = 200  # that an answer lists; more than that are one mistake, many times
_BEARER = re.compile(r"bearer +([\x21-\x7e]+)", re.IGNORECASE)

_SAY = {
    "missing": "缺少这个字段",
    "extra_forbidden": "没有这个字段，请检查拼写",
    "timezone_aware": "时间必须带时区，例如 2026-12-01T09:00:00+08:00",
    "datetime_type": "应为带时区的时间，例如 2026-12-01T09:00:00+08:00",
    "datetime_from_date_parsing": "应为带时区的时间，例如 2026-12-01T09:00:00+08:00",
    "datetime_parsing": "应为带时区的时间，例如 2026-12-01T09:00:00+08:00",
    "string_type": "应为文字",
    "bool_type": "应为 true 或 false",
    "list_type": "应为列表",
    "dict_type": "应为对象",
    "model_type": "应为对象",
    "literal_error": "只能是列出的值之一",
}


class Pace:
    """Counts the requests of each key: a bucket that refills `PER_SECOND`."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, key_id: str) -> bool:
        """Whether one more request is fine; takes it if so."""
        now = time.monotonic()
        left, at = self._left.pop(key_id, (float(BURST), now))
        left = min(float(BURST), left + (now - at) * PER_SECOND)
        self._left[key_id] = (left - 1 if left >= 1 else left, now)
        while len(self._left) > KEYS_KEPT:
            self._left.popitem(last=False)
        return left >= 1


class KeyPage(ApiPage):
    """A page that needs a key. `scopes`: any one of them opens it."""

    max_body = MAX_BODY
    scopes: ClassVar[Collection[Scope]] = ()
    key: ApiKey
    pace: ClassVar = Pace()  # one for the process

    async def prepare(self) -> None:
        """Know the key before anything else is looked at."""
        self.key = await self._authenticated()
        if not self.pace.allows(self.key.id):
            raise Problem(
                429,
                "too_many_requests",
                f"每个密钥每秒最多 {PER_SECOND} 个请求，请稍后再试。",
                headers={"Retry-After": "1"},
            )
        if len(self.request.body or b"") > self.max_body:
            raise Problem(413, "body_too_large", f"请求不能超过 {self.max_body // 1024} KiB。")
        if self.scopes:
            self.require(self.scopes)

    def require(self, scopes: Collection[Scope]) -> None:
        """Refuse a key that has none of the scopes."""
        if not self.key.scopes.intersection(scopes):
            raise Problem(
                403,
                "insufficient_scope",
                f"这个密钥没有权限，需要：{' 或 '.join(sorted(scopes))}。",
                headers={
                    "WWW-Authenticate": 'Bearer realm="weizheng", error="insufficient_scope", '
                    f'scope="{" ".join(sorted(scopes))}"'
                },
            )

    def require_account(self, account: str) -> None:
        """Refuse any account but the key's own, whether or not it exists."""
        if account != self.key.account:
            raise Problem(403, "wrong_account", "这个密钥不属于该账号。")

    def read(self, model: type[Model]) -> Model:
        """Read the body strictly; the problem lists what is wrong, up to `MOST_ERRORS`."""
        try:
            return model.model_validate_json(self.request.body or b"")
        except ValidationError as error:
            raise _problem(error) from error

    def read_query(self, model: type[Model]) -> Model:
        """Read what stands behind the question mark, as strictly."""
        given = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        try:
            return model.model_validate(given)
        except ValidationError as error:
            raise _problem(error) from error

    async def _authenticated(self) -> ApiKey:
        header = self.request.headers.get("Authorization", "")
        match = _BEARER.fullmatch(header.strip())
        if match is None:
            raise Problem(
                401,
                "missing_key",
                "请在 Authorization 请求头中写 Bearer 和接口密钥（wz_ 开头）。",
                headers={"WWW-Authenticate": 'Bearer realm="weizheng"'},
            )
        key = await self.ctx.api_keys.find(match[1], now=self.ctx.clock.now())
        if key is None:
            raise Problem(
                401,
                "invalid_key",
                "接口密钥无效、已停用，或还没有经安全管理员确认。",
                headers={"WWW-Authenticate": 'Bearer realm="weizheng", error="invalid_token"'},
            )
        return key

    def send_error(self, status_code: int = 500, **kwargs: object) -> None:
        """Turn a refused order into a problem that lists its faults."""
        info = kwargs.get("exc_info")
        if isinstance(info, tuple) and isinstance(info[1], OrderRefused):
            refused = info[1]
            errors = [
                {"field": fault.field, "code": fault.code, "message": fault.message}
                for fault in refused.faults
            ]
            problem = Problem(refused.status, refused.code, refused.say, errors=errors)
            kwargs["exc_info"] = (Problem, problem, info[2])
        elif status_code == 405 or (
            isinstance(info, tuple)
            and isinstance(info[1], HTTPError)
            and info[1].status_code == 405
        ):
            problem = Problem(405, "method_not_allowed", "这个地址不支持该请求方法。")
            kwargs["exc_info"] = (Problem, problem, None)
        super().send_error(status_code, **kwargs)


def _problem(error: ValidationError) -> Problem:
    found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Problem(400, "malformed_json", f"请求不是有效的 JSON：{found[0]['msg']}")
    errors = [_fault(item) for item in found[:MOST_ERRORS]]
    detail = "；".join(f"{item['field']}：{item['message']}" for item in errors[:5])
    return Problem(422, "invalid_request", detail, errors=errors)


def _fault(item: ErrorDetails) -> dict[str, str]:
    kind = item["type"]
    return {
        "field": ".".join(str(part) for part in item["loc"]) or "body",
        "code": {"missing": "missing", "extra_forbidden": "unknown_field"}.get(kind, "invalid"),
        "message": _SAY.get(kind, item["msg"]),
    }
