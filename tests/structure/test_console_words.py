"""Every sentence of the console has its English: templates/admin/en/<area>.po."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes
from jinja2.ext import babel_extract

from templates.voice import KEPT

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "templates" / "admin").rglob("*.html"))
ENGLISH = sorted((ROOT / "templates" / "admin" / "en").glob("*.po"))
PACKAGES = ("console", "domain", "push", "runtime", "storage", "subscriptions", "templates", "web")
CODE = sorted(file for name in PACKAGES for file in (ROOT / name).rglob("*.py"))
MARKS = {"mark", "say", "flash", "Sentence"}  # functions whose first argument is shown to people
OPTIONS = {"trimmed": "true", "newstyle_gettext": "true"}
HAN = re.compile("[\u3400-\u9fff]")
ELSEWHERE = {  # Chinese that no page of the console shows, or shows as what people wrote
    "domain/alert": "alerts, which citizens and the weather bureau read",
    "domain/audit.py": "the values of the audit log are kept as they were written",
    "domain/city_news.py": "notices to citizens",
    "domain/identifiers.py": "the conversation with citizens",
    "domain/maintenance.py": "the notice citizens get",
    "domain/outage.py": "notices to citizens",
    "domain/personal.py": "what citizens read in place of a blank",
    "domain/records.py": "answers to citizens",
    "domain/template_form.py": "examples of what citizens read",
    "push/digest": "the page citizens read",
    "push/field_types.py": "examples of what citizens read",
    "push/audit_keeping.py": "the name of an actor",
    "push/triggers/": "notices to citizens",
    "push/trials.py": "what stands before the title of a trial",
    "console/second_factor.py": "the name authenticator programs show",
    "console/watching.py": "the message of the webhook, which is Chinese",
    "domain/looking.py": "a mask",
    "subscriptions/": "the conversation with citizens",
    "templates/voice.py": "the patterns of kept sentences, a range of letters",
    "templates/environment.py": "answers to citizens",
    "templates/push_texts.py": "notices to citizens",
    "web/admin/forms.py": "a range of letters",
    "web/api/": "answers of the HTTP API, which are Chinese",
    "web/digest.py": "a page citizens read",
    "web/history.py": "a page citizens read",
    "web/home.py": "a page citizens read",
    "web/late.py": "a page citizens read",
}


def of_page(file: Path) -> Iterator[str]:
    with file.open("rb") as stream:
        for _, _, message, _ in babel_extract(stream, ("_", "gettext", "ngettext"), (), OPTIONS):
            yield message[0] if isinstance(message, tuple) else message


def said(node: ast.AST) -> ast.Constant | None:
    """Return the string that a call says to people."""
    if not isinstance(node, ast.Call):
        return None
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name == "joined":
        return node.args[1] if len(node.args) > 1 else ast.Constant("、")
    first = node.args[0] if name in MARKS and node.args else None
    return first if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def of_code(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if (found := said(node)) is not None and found.value.strip():
            yield found.value


def bare(file: Path) -> Iterator[str]:
    """Give the Chinese strings that are no sentences, and no documentation."""
    tree = ast.parse(file.read_text("utf-8"))
    known = {id(found) for node in ast.walk(tree) if (found := said(node)) is not None}
    known |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in known and HAN.search(node.value):
            yield f"{node.lineno}: {node.value}"


def catalogue() -> dict[str, str]:
    known: dict[str, str] = {}
    for file in ENGLISH:
        with file.open("rb") as stream:
            for message in read_po(stream, locale="en"):
                plural = isinstance(message.id, tuple)
                key = message.id[0] if plural else message.id
                known[key] = message.string[0] if plural else message.string
    return known


@pytest.fixture(scope="module")
def known() -> dict[str, str]:
    return catalogue()


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_string_of_a_page_has_its_english(file: Path, known):
    missing = sorted({text for text in of_page(file) if not known.get(text)})

    assert not missing, f"add to templates/admin/en/<area>.po: {missing}"


def test_every_sentence_of_the_code_has_its_english(known):
    missing = {text for file in CODE for text in of_code(file) if not known.get(text)}

    assert not missing, f"add to templates/admin/en/<area>.po: {sorted(missing)}"


def test_a_text_has_one_english():
    files = {}
    for file in ENGLISH:
        with file.open("rb") as stream:
            for message in read_po(stream, locale="en"):
                files.setdefault(message.id, []).append(file.name)
    files.pop("", None)

    twice = {text: names for text, names in files.items() if len(names) > 1}

    assert not twice, "the last file would win everywhere: keep one, or say two things in Chinese"


def test_what_a_page_may_show_is_a_sentence():
    found = {
        name: texts
        for file in CODE
        if not (name := str(file.relative_to(ROOT))).startswith(tuple(ELSEWHERE))
        and (texts := list(bare(file)))
    }

    assert not found, "make it a Sentence, or say in ELSEWHERE who reads it"


def test_what_is_kept_as_a_string_is_still_said_like_that():
    patterns = {text for file in CODE for text in of_code(file)}

    assert set(KEPT) <= patterns


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_no_chinese_stands_outside_a_translated_string(file: Path):
    syntax = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    tree = syntax.parse(file.read_text("utf-8"))
    texts = [data.data.replace("中文", "") for data in tree.find_all(nodes.TemplateData)]

    bare = [text.strip() for text in texts if any("\u4e00" <= one <= "\u9fff" for one in text)]

    assert not bare, f"wrap in _(…) or {{% trans %}}: {bare}"


@pytest.mark.parametrize("file", ENGLISH, ids=lambda file: file.name)
def test_a_translation_keeps_the_values_it_is_given_and_has_no_chinese(file: Path):
    wrong = []
    with file.open("rb") as stream:
        for message in read_po(stream, locale="en"):
            if isinstance(message.id, str) and message.id:
                english = str(message.string)
                if values(message.id) != values(english) or HAN.search(english):
                    wrong.append(message.id)

    assert not wrong


def values(text: str) -> set[str]:
    """Return the names in a text, of either way to write them."""
    braced = (name.split(".")[0] for _, name, _, _ in Formatter().parse(text) if name)
    return {part.split(")s")[0] for part in text.split("%(")[1:]} | set(braced)
