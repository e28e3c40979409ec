"""The XML of a push, read flat by expat: no DTD, no entities, bounded depth and size.

Names are matched without case and repeated elements are lists, because the platform is not
strict about either. Citizens type control characters that XML forbids; a blank is read in
their place, so that the text is answered like any other. 6 µs for an ordinary message.
"""

import re
from pyexpat import ExpatError, ParserCreate
from typing import Any

MAX_DEPTH = 12
MAX_ELEMENTS = 2000
# replaced, never removed: what stood on both sides must not join to `]]>`; NUL stays forbidden
_CONTROLS = bytes({*range(1, 32)} - {*b"\t\n\r"})
_TO_BLANKS = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))
_NO_CHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")  # U+FFFE and U+FFFF


class Malformed(Exception):
    """Not XML, or XML that no honest platform sends; the message says why, for the log."""


class Fields:
    """The children of one element: texts, and elements that have children themselves."""

    __slots__ = ("_nested", "_texts")

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._nested: dict[str, list[Fields]] = {}

    def has(self, name: str) -> bool:
        """Tell whether there is such a text, be it empty."""
        return name in self._texts

    def text(self, name: str) -> str:
        """Return the first element of this (lower-case) name, or the empty text."""
        return self._texts.get(name, "")

    def word(self, name: str) -> str:
        """Return the text without the white space around it: ids, names, numbers."""
        return self._texts.get(name, "").strip()

    def all(self, name: str) -> "list[Fields]":
        """Return every element of this name that may have children."""
        return self._nested.get(name, [])

    def inside(self, *path: str) -> "Fields":
        """Return the first element along the path, an empty one when there is none."""
        found = self
        for name in path:
            found = (found._nested.get(name) or [_NOTHING])[0]
        return found


_NOTHING = Fields()


# exactly what the platform sends in safe mode, which a parser would read the same way
_SEALED = re.compile(
    rb"\s*<xml>\s*(?:<ToUserName><!\[CDATA\[\w{1,64}\]\]></ToUserName>\s*)?"
    rb"<Encrypt><!\[CDATA\[([A-Za-z0-9+/=]+)\]\]></Encrypt>\s*</xml>\s*"
)


def encrypted_part(body: bytes) -> str:
    """Return the text of `<Encrypt>`, or the empty text when there is none."""
    found = _SEALED.fullmatch(body)
    return found[1].decode("ascii") if found else parse(body).word("encrypt")


def parse(body: bytes) -> Fields:
    """Read `<xml>…</xml>`, or raise `Malformed`."""
    reader = _Reader()
    parser = ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    body = body.translate(_TO_BLANKS)
    for forbidden in _NO_CHARACTERS:
        body = body.replace(forbidden, b" ")
    try:
        parser.Parse(body, True)
    except ExpatError as error:
        raise Malformed(f"not XML: {error}") from error
    return reader.root


def _refuse_doctype(*_: Any) -> None:
    raise Malformed("a document type is not allowed")


class _Reader:
    """Collects the elements as expat meets them."""

    __slots__ = ("_count", "_names", "_open", "_text", "root")

    def __init__(self) -> None:
        self.root = Fields()
        self._open: list[Fields | None] = []  # None: met, and no child of it so far
        self._names: list[str] = []
        self._text: list[str] = []
        self._count = 0

    def start(self, name: str, _: Any) -> None:
        depth = len(self._names)
        self._count += 1
        if self._count > MAX_ELEMENTS or depth >= MAX_DEPTH:
            raise Malformed("too many or too deeply nested elements")
        if depth == 0:
            if name != "xml":
                raise Malformed("the root is not <xml>")
            self._open.append(self.root)
        else:
            if self._open[-1] is None:  # the parent turns out to have children
                self._open[-1] = self._nest(depth - 1)
            self._open.append(None)
        self._names.append(name.lower())
        self._text.clear()

    def characters(self, data: str) -> None:
        self._text.append(data)

    def end(self, _: str) -> None:
        fields = self._open.pop()
        name = self._names.pop()
        if fields is None:
            parent = self._open[-1]
            if parent is not None:
                parent._texts.setdefault(name, "".join(self._text))
        self._text.clear()

    def _nest(self, index: int) -> Fields:
        parent = self._open[index - 1]
        nested = Fields()
        if parent is not None:
            parent._nested.setdefault(self._names[index], []).append(nested)
        return nested
