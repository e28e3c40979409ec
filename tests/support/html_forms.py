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


PLANTED = "wz-evil"  # an element that hostile input tries to make
_TYPED = {"text", "search", "password", "email", "url", "tel", "number", "date", "time", "month"}
_TYPED |= {"datetime-local", "textarea"}
_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
NOWHERE = "\0"
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
        self.sentences: dict[str, str] = {}  # beside which field, or "" for the form as a whole
        self._described: dict[str, str] = {}  # what says more about a field, by its id
        self._beside: list[str] = []  # for each open element, where its text belongs

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._open(tag, given)
        self.handlers += [f"{tag} {name}" for name in given if name.startswith("on")]
        self.handlers += [
            f"{tag} {value}" for value in given.values() if value.startswith("javascript:")
        ]
        if tag == PLANTED:
            self.handlers.append(f"the element {tag}, which was typed")
        elif tag == "script":
            self._in_script = True
            self.scripts.append("")
        elif tag == "form":
            self._begin(given)
        elif self._in_form:
            self._take(tag, given)

    def _open(self, tag: str, given: dict[str, str]) -> None:
        id_ = given.get("id", "")
        for said in given.get("aria-describedby", "").split():
            self._described[said] = given.get("name", "")
        if tag in _VOID:
            return
        place = self._beside[-1] if self._beside else NOWHERE
        if id_.startswith("f-") and id_.endswith("-error"):
            place = id_.removeprefix("f-").removesuffix("-error")
        elif id_.startswith("blank-"):  # of 新建群发
            place = self._described.get(id_, NOWHERE)
        elif given.get("role") == "alert":
            place = ""
        self._beside.append(place)

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
        if tag not in _VOID and self._beside:
            self._beside.pop()
        if tag == "form":
            self._in_form = False
        elif tag == "script":
            self._in_script = False
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        place = self._beside[-1] if self._beside else NOWHERE
        if place != NOWHERE and data.strip():
            self.sentences[place] = self.sentences.get(place, "") + data.strip()
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


def sentences_of(page: str) -> dict[str, str]:
    """Return what a page says is wrong, by the field it stands beside ("": by none)."""
    reader = _Reader()
    reader.feed(page)
    return reader.sentences


def has_field(page: str, name: str) -> bool:
    """Whether a page has this field to write into."""
    return any(
        field.name == name and field.is_typed for each in forms_of(page) for field in each.fields
    )
