"""XML as the platform writes and reads it."""

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

Value = "str | int | float | Mapping[str, Value] | Sequence[Value]"
Fields = Mapping[str, object]
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class BrokenXml(Exception):
    """Not a document we would read."""


def cdata(text: str) -> str:
    """Wrap text so that nothing in it can end the section or break the document."""
    clean = _ILLEGAL.sub("", text).replace("]]>", "]]]]><![CDATA[>")
    return f"<![CDATA[{clean}]]>"


def write(fields: Fields) -> str:
    """Write a push: texts in CDATA, numbers bare, mappings nested, sequences repeated."""
    return f"<xml>{_members(fields)}</xml>"


def _members(fields: Fields) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return f"<{name}>{_members(value)}</{name}>"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, int | float):
        return f"<{name}>{value}</{name}>"
    return f"<{name}>{cdata(str(value))}</{name}>"


def read(text: str) -> ElementTree.Element:
    """Read a reply; entities and document types are refused, as the platform does."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BrokenXml("a document type or entity")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - no DTD gets this far
    except ElementTree.ParseError as error:
        raise BrokenXml(str(error)) from error
    if root.tag != "xml":
        raise BrokenXml(f"the root is <{root.tag}>, not <xml>")
    return root


def text_of(element: ElementTree.Element, path: str) -> str:
    """Return an element's text, "" if it is absent."""
    return element.findtext(path) or ""
