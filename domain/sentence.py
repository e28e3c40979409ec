"""Sentences the service says itself (文案), which the console can say in English as well.

A `Sentence` is its Chinese text and may be used, kept and answered like any other string. Besides
it remembers what it was made of: a pattern, which is the key of its translation, and the values in
it. The edge asks for `told` in the language of whoever looks; whatever turns a sentence into a
plain string on the way (a database, `+`, `join`) leaves the Chinese.

    Sentence("最多 {most} 个字，现有 {size} 个。", most=20, size=len(text))

Only what the service says itself is a sentence. What people wrote is a plain string: it may be a
value in a sentence and is never translated.
"""

import re
from collections.abc import Callable, Iterable
from typing import Self

Say = Callable[[str], str]  # a pattern in the language of whoever looks


def _as_it_is(value: str) -> str:
    return value


class Sentence(str):
    """A Chinese sentence that knows its pattern and its values; braces are written twice."""

    pattern: str
    values: dict[str, object]

    def __new__(cls, pattern: str, /, **values: object) -> Self:
        sentence = super().__new__(cls, pattern.format(**values) if values else pattern)
        sentence.pattern = pattern
        sentence.values = values
        return sentence

    def told(self, say: Say, shown: Say = _as_it_is) -> str:
        """Return the sentence in the words of `say`; `shown` is given what people wrote."""
        pattern = say(self.pattern)
        if not self.values:
            return pattern
        values = {name: _told(value, say, shown) for name, value in self.values.items()}
        return pattern.format(**values)


class _Joined(Sentence):
    """Several sentences or names in a row."""

    _parts: tuple[str, ...]

    def told(self, say: Say, shown: Say = _as_it_is) -> str:
        told = (
            part.told(say, shown) if isinstance(part, Sentence) else shown(part)
            for part in self._parts
        )
        return say(self.pattern).join(told)


def joined(parts: Iterable[str], comma: str = "、") -> Sentence:
    """Return sentences or names in a row; the comma is translated as well."""
    kept = tuple(parts)
    row = _Joined(comma.join(kept))
    row.pattern, row._parts = comma, kept
    return row


def recalled(text: str, patterns: Iterable[str]) -> str:
    """Return the sentence that a database gave back as a string; other texts as they are."""
    for pattern in patterns:
        parts = re.split(r"\{(\w+)\}", pattern)
        parts[::2] = map(re.escape, parts[::2])
        parts[1::2] = (f"(?P<{name}>.+)" for name in parts[1::2])
        if found := re.fullmatch("".join(parts), text, re.DOTALL):
            return Sentence(pattern, **found.groupdict())
    return text


def _told(value: object, say: Say, shown: Say) -> object:
    if isinstance(value, Sentence):
        return value.told(say, shown)
    return shown(value) if isinstance(value, str) else value
