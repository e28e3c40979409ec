"""An XML document read into a small tree: every encoding of honest publishers, nothing hostile.

Bounds come before work: bytes before decoding, the document type before any entity is expanded,
depth, elements and attributes while reading. The text is decoded here, strictly, so that a wrong
byte is a refusal with its position in all encodings alike (expat knows only four). Elements know
where they stand, so that every refusal can say it. Reading 1 MiB takes a fraction of a second
whatever is in it; callers on an event loop read in a thread.
"""

import codecs
import re
from collections.abc import Iterator
from pyexpat import ExpatError, ParserCreate, XMLParserType
from pyexpat import errors as expat_errors
from typing import Any

from domain.alert import CapRefused

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
MAX_ELEMENTS = 50_000
MAX_ATTRIBUTES = 64
MAX_NAME = 256  # of an element, an attribute or a namespace: each use of it costs as much
SEPARATOR = "\n"  # between namespace and name: no name can hold it

# Names are the registered ones, in lower case; whatever else Python could decode is no text.
_ENCODINGS = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "gb18030", "gbk"}
    | {"gb2312", "cp936", "big5", "big5-hkscs", "shift_jis", "windows-31j", "euc-jp", "euc-kr"}
    | {"koi8-r", "koi8-u"}
    | {"latin1", *(f"iso-8859-{n}" for n in (*range(1, 12), *range(13, 17)))}
    | {f"windows-{n}" for n in range(1250, 1259)}
)
_WIDER = {  # Python's name, or that of what publishers really write
    **dict.fromkeys(("gb2312", "gbk", "cp936"), "gb18030"),
    "windows-31j": "cp932",
}
# what a server says of every file unless it was told better: no proof against the bytes
_SERVERS_OWN = frozenset({"us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252"})
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)
_DECLARED = re.compile(rb"<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
_DECLARED_TEXT = re.compile(r"(<\?xml[^>]{1,200}?)\s+encoding\s*=\s*[\"'][^\"']{0,40}[\"']")


class Element:
    """One element: its namespace, name, place, texts and children."""

    __slots__ = ("children", "column", "line", "name", "namespace", "parent", "pieces")

    def __init__(
        self, namespace: str, name: str, parent: "Element | None", line: int, column: int
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.parent = parent
        self.line = line
        self.column = column
        self.pieces: list[str] = []
        self.children: list[Element] = []

    @property
    def text(self) -> str:
        """The text of the element itself, without white space around it."""
        return "".join(self.pieces).strip()

    @property
    def path(self) -> str:
        """The names from the root down to here."""
        names, at = [], self
        while at.parent is not None:
            names.append(at.name)
            at = at.parent
        return "/".join([at.name, *reversed(names)])

    @property
    def where(self) -> str:
        return f"{self.path}, line {self.line} column {self.column}"

    def all(self, name: str) -> "Iterator[Element]":
        """Yield the children of this name in the element's own namespace."""
        return (
            child
            for child in self.children
            if child.name == name and child.namespace == self.namespace
        )

    def find(self, name: str) -> "Element | None":
        return next(self.all(name), None)


def read_tree(body: bytes, charset: str = "") -> Element:
    """Return the root of a document, or raise `CapRefused`. `charset`: from the HTTP header."""
    if len(body) > MAX_BYTES:
        raise CapRefused("too_large", f"文件有 {len(body)} 字节，最多 {MAX_BYTES} 字节")
    if not body.strip(b" \t\r\n\x00"):
        raise CapRefused("empty", "文件是空的")
    text = _decoded(body, charset)
    reader = _Reader()
    try:
        reader.parser.Parse(text.encode("utf-8"), True)
    except ExpatError as error:
        raise _not_xml(error) from error
    if reader.root is None:
        raise CapRefused("not_xml", "文件中没有元素")
    return reader.root


def _decoded(body: bytes, charset: str) -> str:
    encoding = _encoding_of(body, charset)
    if encoding not in _ENCODINGS:
        raise CapRefused(
            "unsupported_encoding", f"不支持编码 {encoding}，请用 UTF-8、UTF-16 或 GB18030"
        )
    try:
        text = body.decode(_WIDER.get(encoding, encoding), "strict")
    except UnicodeDecodeError as error:
        raise CapRefused(
            "bad_encoding",
            f"第 {error.start + 1} 个字节不是有效的 {encoding}",
            f"byte {error.start}",
        ) from error
    text = text.removeprefix("\ufeff")
    if "\x00" in text:
        place = text.index("\x00")
        raise CapRefused("bad_character", "文件中有 NUL 字符", f"character {place}")
    # what stands in the declaration was obeyed; the parser gets UTF-8
    return _DECLARED_TEXT.sub(r"\1", text, count=1) if text.startswith("<?xml") else text


def _encoding_of(body: bytes, charset: str) -> str:
    """Return the encoding: of the byte order mark, else of the header, else as declared."""
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return encoding
    named = charset.strip().strip("\"'").lower()
    if named in _SERVERS_OWN and _is_utf_8(body):
        return "utf-8"
    if named and named != "utf-16":  # which does not say which of the two it is
        return named
    if body[:2] in (b"<\x00", b"\x00<"):
        return "utf-16le" if body[1] == 0 else "utf-16be"
    if named:
        return "utf-16be"  # RFC 2781, 4.3
    declared = _DECLARED.match(body)
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    # a document in single bytes cannot be UTF-16, whatever it says
    return "utf-8" if name.startswith("utf-16") else name


def _is_utf_8(body: bytes) -> bool:
    """Whether it cannot well be anything else: hardly any other text is valid UTF-8 by chance."""
    try:
        body.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return False
    return True


def _not_xml(error: ExpatError) -> CapRefused:
    problem = expat_errors.messages.get(error.code, "not well-formed")
    where = f"line {error.lineno} column {error.offset + 1}"
    return CapRefused("not_xml", f"不是格式正确的 XML：{problem}", where)


class _Reader:
    """Builds the tree as expat meets the elements, within bounds."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: Element | None = None
        self._depth = 0
        self._count = 0
        self.parser: XMLParserType = ParserCreate("utf-8", SEPARATOR)
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._doctype
        self.parser.StartNamespaceDeclHandler = self._namespace

    def _start(self, name: str, attributes: list[str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise self._refused("too_many_elements", f"元素超过 {MAX_ELEMENTS} 个")
        if self._depth >= MAX_DEPTH:
            raise self._refused("too_deep", f"元素嵌套超过 {MAX_DEPTH} 层")
        namespace, found, local = name.rpartition(SEPARATOR)
        if len(local) > MAX_NAME:
            raise self._refused("name_too_long", f"元素名超过 {MAX_NAME} 个字符")
        if len(attributes) > 2 * MAX_ATTRIBUTES:
            raise self._refused("too_many_attributes", f"一个元素的属性超过 {MAX_ATTRIBUTES} 个")
        element = Element(namespace if found else "", local, self._open, *self._place())
        if self._open is None:
            self.root = element
        else:
            self._open.children.append(element)
        self._open = element
        self._depth += 1

    def _end(self, _: str) -> None:
        self._depth -= 1
        self._open = self._open.parent if self._open else None

    def _characters(self, data: str) -> None:
        if self._open is not None:
            self._open.pieces.append(data)

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        if len(uri or "") > MAX_NAME or len(prefix or "") > MAX_NAME:
            raise self._refused("name_too_long", f"命名空间超过 {MAX_NAME} 个字符")

    def _doctype(self, *_: Any) -> None:
        raise self._refused(
            "doctype_not_allowed", "不允许文档类型声明（DOCTYPE）和实体，CAP 不需要它们"
        )

    def _refused(self, reason: str, say: str) -> CapRefused:
        line, column = self._place()
        return CapRefused(reason, say, f"line {line} column {column}")

    def _place(self) -> tuple[int, int]:
        return self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
