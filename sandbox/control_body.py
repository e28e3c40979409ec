"""Reading the members of a control request, with an error that names the member."""

from collections.abc import Mapping
from typing import Any


class BadRequest(Exception):
    """A request that cannot be understood; the text says which member."""


class Body:
    """The JSON object (or the query) of one control request."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def __contains__(self, name: str) -> bool:
        return self._content.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default it must be there."""
        value = self._content.get(name, default)
        if not isinstance(value, str):
            raise BadRequest(f"{name} must be a text")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        value = self._content.get(name, default)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise BadRequest(f"{name} must be a number") from error

    def whole(self, name: str, default: int | None = None) -> int:
        return int(self.number(name, default))

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._content.get(name, default)
        if not isinstance(value, bool):
            raise BadRequest(f"{name} must be true or false")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self._content.get(name, {})
        if not isinstance(value, dict):
            raise BadRequest(f"{name} must be an object")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._content.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise BadRequest(f"{name} must be a list of texts")
        return value

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in choices:
            raise BadRequest(f"{name} must be one of {', '.join(choices)}")
        return value
