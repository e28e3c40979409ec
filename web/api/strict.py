"""What all requests of the API have in common: they are read strictly."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _a_time_to_reckon_with(moment: datetime) -> datetime:
    """Refuse what overflows when it is shown in another zone, or is kept."""
    if not EARLIEST <= moment < LATEST:
        raise PydanticCustomError("time_out_of_range", "时间应在 1970 年到 2199 年之间")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_a_time_to_reckon_with)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
TRIGGERS = "trigger:"  # how the keys of `push.triggers.emit` begin


def _not_a_triggers(key: str) -> str:
    """Keep departments from taking the key of a trigger's own push, which would then be silent."""
    if key.startswith(TRIGGERS):
        raise PydanticCustomError("reserved", "不能以 trigger: 开头，这是系统保留的")
    return key


RepeatKey = Annotated[
    str, StringConstraints(min_length=1, max_length=128), AfterValidator(_not_a_triggers)
]


class Strict(BaseModel):
    """No guessing: a number is not a text, and a misspelt field is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
