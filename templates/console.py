"""The console's pages (管理台页面) in Chinese and English. One door to Babel.

Strings stand in the templates and in the code in Chinese; `admin/en/*.po` says them in English,
one file for each area of the console, read once when a process starts. A string without a
translation is shown in Chinese.
"""

from collections.abc import Mapping
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class ConsoleRenderer:
    """Turns the console's templates into HTML, in the language somebody chose."""

    def __init__(self, folder: Path, filters: Mapping[str, Any]) -> None:
        self._translations: dict[Language, NullTranslations] = {
            "zh": NullTranslations(),
            "en": _read(folder / "admin" / "en"),
        }
        self._pages = {
            language: _environment(folder, filters, self._translations[language])
            for language in LANGUAGES
        }

    def page(self, language: Language, name: str, data: Mapping[str, Any]) -> str:
        """Render a page or a part of one; everything in `data` is escaped."""
        return self._pages[language].get_template(name).render(data)

    def say(self, language: Language, text: str) -> str:
        """Return a string of the code in that language."""
        return self._translations[language].gettext(text) if text else ""


def _environment(
    folder: Path, filters: Mapping[str, Any], translations: NullTranslations
) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters.update(filters)
    environment.globals["csrf_field"] = _csrf_field
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    return environment


@pass_context
def _csrf_field(context: Context) -> Markup:
    """Write the hidden field that every form of the console carries."""
    field = '<input type="hidden" name="_csrf" value="{}">'
    return Markup(field).format(context["csrf_token"])  # noqa: S704 - `format` escapes the value


def _read(folder: Path) -> NullTranslations:
    """Read all .po files of a folder as one."""
    merged: NullTranslations = NullTranslations()
    for file in sorted(folder.glob("*.po")):
        with file.open("rb") as stream:
            catalog = read_po(stream, locale="en")
        compiled = BytesIO()
        write_mo(compiled, catalog)
        compiled.seek(0)
        translations = GNUTranslations(compiled)
        translations.add_fallback(merged)
        merged = translations
    return merged
