"""Sentences the service says itself (文案), which the console can say in English as well.

A `Sentence` is its Chinese text and may be used, kept and answered like any other string. Besides
it remembers what it was made of: a pattern, which is the key of its translation, and the values in
it. The edge asks for `told` in the language of whoever looks; whatever turns a sentence into a
plain string on the way (a database, `+`, `join`) leaves the Chinese.

    Sentence("最多 {most} 个字，现有 {size} 个。", most=20, size=len(text))

Only what the service says itself is a sentence. What people wrote is a plain string: it may be a
value in a sentence and is never translated.
"""

from collections.abc import Callable, Iterable
from typing import Self

Say = Callable[[str], str]  # a pattern in the language of whoever looks


def _as_it_is(value: str) -> str:
    return value


class Sentence(str):
    """A Chinese sentence that knows its pattern and its values; braces are written twice."""

    _pattern: str
    _values: dict[str, object]

    def __new__(cls, pattern: str, /, **values: object) -> Self:
        sentence = super().__new__(cls, pattern.format(**values) if values else pattern)
        sentence._pattern = pattern
        sentence._values = values
        return sentence

    def told(self, say: Say, shown: Say = _as_it_is) -> str:
        """Return the sentence in the words of `say`; `shown` is given what people wrote."""
        pattern = say(self._pattern)
        if not self._values:
            return pattern
        values = {name: _told(value, say, shown) for name, value in self._values.items()}
        return pattern.format(**values)


class _Joined(Sentence):
    """Several sentences or names in a row."""

    _parts: tuple[str, ...]

    def told(self, say: Say, shown: Say = _as_it_is) -> str:
        told = (part.told(say, shown) if isinstance(part, Sentence) else shown(part) for part in self._parts)
        return say(self._pattern).join(told)


def joined(parts: Iterable[str], comma: str = "、") -> Sentence:
    """Return sentences or names in a row; the comma is translated as well."""
    kept = tuple(parts)
    row = _Joined(comma.join(kept))
    row._pattern, row._parts = comma, kept
    return row


def _told(value: object, say: Say, shown: Say) -> object:
    if isinstance(value, Sentence):
        return value.told(say, shown)
    return shown(value) if isinstance(value, str) else value
