"""Forms of a page, as a browser sees them, and what a page would let run."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Field:
    """One field of a form; `is_typed` if a person writes into it freely."""

    name: str
    kind: str
    value: str = ""
    is_typed: bool = False


@dataclass(slots=True)
class Form:
    """One form of a page; `action` is empty for the page's own address."""

    action: str
    method: str
    is_multipart: bool = False
    fields: list[Field] = field(default_factory=list)


_TYPED = {"text", "search", "password", "email", "url", "tel", "number", "date", "time", "month"}
_TYPED |= {"datetime-local", "textarea"}
_NEVER = {"submit", "button", "image", "reset"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self._in_form = False
        self._in_script = False
        self._select: Field | None = None
        self._has_chosen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.handlers += [f"{tag} {name}" for name in given if name.startswith("on")]
        self.handlers += [
            f"{tag} {value}" for value in given.values() if value.startswith("javascript:")
        ]
        if tag == "script":
            self._in_script = True
            self.scripts.append("")
        elif tag == "form":
            self._begin(given)
        elif self._in_form:
            self._take(tag, given)

    def _begin(self, given: dict[str, str]) -> None:
        self._in_form = True
        action = given.get("action") or given.get("hx-post", "")
        method = "post" if "hx-post" in given else given.get("method", "get").lower()
        is_multipart = given.get("enctype", "") == "multipart/form-data"
        self.forms.append(Form(action, method, is_multipart))

    def _take(self, tag: str, given: dict[str, str]) -> None:
        fields = self.forms[-1].fields
        name = given.get("name", "")
        if tag == "option" and self._select is not None:
            if "selected" in given or not self._has_chosen:
                self._select.value = given.get("value", "")
                self._has_chosen = True
        elif not name:
            return
        elif tag == "select":
            self._select = Field(name, "select")
            self._has_chosen = False
            fields.append(self._select)
        elif tag == "textarea":
            fields.append(Field(name, "textarea", is_typed=True))
        elif tag == "input":
            kind = given.get("type", "text")
            is_left_out = kind in {"checkbox", "radio"} and "checked" not in given
            if kind not in _NEVER and not is_left_out:
                fields.append(Field(name, kind, given.get("value", ""), kind in _TYPED))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        elif tag == "script":
            self._in_script = False
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data


def forms_of(page: str) -> list[Form]:
    """Return the forms of a page in their order."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms


def runs(page: str) -> list[str]:
    """Return what a browser would run of a page besides scripts from files."""
    reader = _Reader()
    reader.feed(page)
    return [*(text for text in reader.scripts if text.strip()), *reader.handlers]
