"""Every sentence of the console has its English: templates/admin/en/<area>.po."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes
from jinja2.ext import babel_extract

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "templates" / "admin").rglob("*.html"))
ENGLISH = sorted((ROOT / "templates" / "admin" / "en").glob("*.po"))
CODE = sorted((ROOT / "web" / "admin").rglob("*.py"))
MARKS = {"mark", "say", "flash"}  # functions whose first argument is shown to people
OPTIONS = {"trimmed": "true", "newstyle_gettext": "true"}


def of_page(file: Path) -> Iterator[str]:
    with file.open("rb") as stream:
        for _, _, message, _ in babel_extract(stream, ("_", "gettext", "ngettext"), (), OPTIONS):
            yield message[0] if isinstance(message, tuple) else message


def of_code(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        first = node.args[0]
        if name in MARKS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


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


@pytest.mark.parametrize("file", CODE, ids=lambda file: file.name)
def test_every_string_of_the_code_has_its_english(file: Path, known):
    missing = sorted({text for text in of_code(file) if not known.get(text)})

    assert not missing, f"add to templates/admin/en/<area>.po: {missing}"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_no_chinese_stands_outside_a_translated_string(file: Path):
    syntax = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    tree = syntax.parse(file.read_text("utf-8"))
    texts = [data.data.replace("中文", "") for data in tree.find_all(nodes.TemplateData)]

    bare = [text.strip() for text in texts if any("\u4e00" <= one <= "\u9fff" for one in text)]

    assert not bare, f"wrap in _(…) or {{% trans %}}: {bare}"


@pytest.mark.parametrize("file", ENGLISH, ids=lambda file: file.name)
def test_a_translation_keeps_the_values_it_is_given(file: Path):
    wrong = []
    with file.open("rb") as stream:
        for message in read_po(stream, locale="en"):
            if isinstance(message.id, str) and message.id:
                names = {part.split(")s")[0] for part in message.id.split("%(")[1:]}
                given = {part.split(")s")[0] for part in str(message.string).split("%(")[1:]}
                if names != given:
                    wrong.append(message.id)

    assert not wrong
