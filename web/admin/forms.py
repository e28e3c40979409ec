"""Reading a form (表单): fields into a pydantic model, faults into sentences beside the fields.

Marks that turn the direction of writing are dropped from whatever a browser sends: they have no
place in Chinese text and make a text read otherwise than it is. Control characters are dropped by
Tornado. Everything else is kept as it was typed and escaped where it is shown.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import ErrorDetails
from tornado.web import RequestHandler

from domain.clock import BEIJING
from domain.errors import InvalidInput
from domain.sentence import joined
from web.admin.words import mark

Model = TypeVar("Model", bound=BaseModel)
Values = Mapping[str, str | list[str]]

EARLIEST, LATEST = 2000, 2100  # years
LONGEST_SHOWN = 5_000  # characters of a refused field that its form shows again
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SEVERAL = (list, tuple, set, frozenset)

_SAY = {
    "missing": mark("请填写。"),
    "string_too_short": mark("至少 {min_length} 个字。"),
    "string_too_long": mark("最多 {max_length} 个字。"),
    "string_pattern_mismatch": mark("格式不对。"),
    "int_parsing": mark("请填写整数。"),
    "int_type": mark("请填写整数。"),
    "float_parsing": mark("请填写数字。"),
    "decimal_parsing": mark("请填写数字。"),
    "greater_than_equal": mark("不能小于 {ge}。"),
    "less_than_equal": mark("不能大于 {le}。"),
    "greater_than": mark("应大于 {gt}。"),
    "less_than": mark("应小于 {lt}。"),
    "literal_error": mark("请从列出的选项中选择。"),
    "enum": mark("请从列出的选项中选择。"),
    "bool_parsing": mark("请从列出的选项中选择。"),
    "too_short": mark("至少选择 {min_length} 项。"),
    "too_long": mark("最多 {max_length} 项。"),
}
_TIME = mark("请填写日期和时间，例如 2026-12-01 09:00。")
_OTHERWISE = mark("填写有误，请检查。")


_YEARS = mark("请填写 2000 年到 2100 年之间的时间。")


def _in_beijing(moment: datetime) -> datetime:
    if not EARLIEST <= moment.year <= LATEST:  # beyond them a zone may leave the calendar
        raise ValueError(_YEARS)
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


BeijingTime = Annotated[datetime, AfterValidator(_in_beijing)]  # of an input datetime-local


class FormRefused(InvalidInput):
    """A form that cannot be taken: a sentence for each field ("" for the form as a whole)."""

    def __init__(self, errors: Mapping[str, str], values: Values | None = None) -> None:
        super().__init__(joined(errors.values(), "；"))
        self.errors = dict(errors)
        self.values = dict(values or {})


def upright(text: str) -> str:
    """Return a text without marks that turn the direction of writing, or are no characters."""
    return _TURNING.sub("", text)


def read_form(page: RequestHandler, model: type[Model], say: Callable[[str], str]) -> Model:
    """Return the form's fields as a model, or raise `FormRefused` with sentences in `say`'s words.

    Spaces around a field are dropped. An empty field is None where the model allows that.
    """
    values: dict[str, str | list[str]] = {}
    given: dict[str, Any] = {}
    for attribute, field in model.model_fields.items():
        name = field.alias or attribute
        found = page.get_body_arguments(name)
        if _takes_several(field.annotation):
            values[name] = given[name] = found
        elif found:
            values[name] = given[name] = found[-1]
            if not found[-1] and _takes_none(field.annotation):
                given[name] = None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise FormRefused(_errors(error, say), _shortened(values)) from error


def shown_values(page: RequestHandler) -> dict[str, str | list[str]]:
    """Return everything a form brought, to show it again beside what is wrong with it."""
    values: dict[str, str | list[str]] = {}
    for name in page.request.body_arguments:
        found = page.get_body_arguments(name)
        values[name] = found if len(found) > 1 else found[-1]
    return _shortened(values)


def _shortened(values: Values) -> dict[str, str | list[str]]:
    return {
        name: value[:LONGEST_SHOWN]
        if isinstance(value, str)
        else [part[:LONGEST_SHOWN] for part in value[:LONGEST_SHOWN]]
        for name, value in values.items()
    }


def _errors(error: ValidationError, say: Callable[[str], str]) -> dict[str, str]:
    errors: dict[str, str] = {}
    for item in error.errors(include_url=False, include_input=False):
        errors.setdefault(".".join(str(part) for part in item["loc"]), _sentence(item, say))
    return errors


def _sentence(item: ErrorDetails, say: Callable[[str], str]) -> str:
    kind = item["type"]
    ctx = item.get("ctx", {})
    if kind == "string_too_short" and ctx.get("min_length") == 1:
        return say(_SAY["missing"])
    if kind in _SAY:
        return say(_SAY[kind]).format(**ctx)
    if kind.startswith(("datetime", "date_", "time_", "timezone")):
        return say(_TIME)
    message = item["msg"].removeprefix("Value error, ")
    is_ours = any("\u4e00" <= letter <= "\u9fff" for letter in message)
    return say(message if is_ours else _OTHERWISE)


def _parts(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(part for one in get_args(annotation) for part in _parts(one))
    return (annotation,)


def _takes_several(annotation: Any) -> bool:
    return any((get_origin(part) or part) in _SEVERAL for part in _parts(annotation))


def _takes_none(annotation: Any) -> bool:
    return type(None) in _parts(annotation)
