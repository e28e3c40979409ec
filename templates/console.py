"""The console's pages (管理台页面) in Chinese and English. One door to Babel.

Strings stand in the templates and in the code in Chinese; `admin/en/*.po` says them in English,
one file for each area of the console, read once when a process starts. A string without a
translation is shown in Chinese.

What comes from below as a `Sentence` is said in the language of the page wherever a template
shows it. Where tags may stand, filters also mark what people wrote as Chinese: `| said` for a
sentence, `| written` for what people wrote, `| shown` for either, `| kept` for either as a
database gave it back; `{{ zh(text) }}` is the attribute of an element around a text.
"""

from collections.abc import Callable, Mapping
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, cast, get_args

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from domain.sentence import Say, Sentence
from templates.voice import Voice

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class ConsoleRenderer:
    """Turns the console's templates into HTML, in the language somebody chose."""

    def __init__(self, folder: Path, filters: Mapping[str, Any]) -> None:
        self._translations: dict[Language, NullTranslations] = {
            "zh": NullTranslations(),
            "en": _read(folder / "admin" / "en"),
        }
        self._voices = {
            language: Voice(words.gettext, is_chinese=language == "zh")
            for language, words in self._translations.items()
        }
        self._pages = {
            language: _environment(
                folder, filters, self._translations[language], self._voices[language]
            )
            for language in LANGUAGES
        }

    def page(self, language: Language, name: str, data: Mapping[str, Any]) -> str:
        """Render a page or a part of one; everything in `data` is escaped."""
        return self._pages[language].get_template(name).render(data)

    def say(self, language: Language, text: str) -> str:
        """Return a string of the code, or a sentence with its values, in that language."""
        return self._voices[language].say(text)


def _environment(
    folder: Path, filters: Mapping[str, Any], translations: NullTranslations, voice: Voice
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
        finalize=lambda value: voice.say(value) if isinstance(value, Sentence) else value,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters.update(filters)
    environment.filters |= {
        "said": voice.said, "kept": voice.kept, "written": voice.written, "shown": voice.shown,
    }  # fmt: skip
    environment.globals["zh"] = voice.language_of
    environment.globals["csrf_field"] = _csrf_field
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    for name in ("gettext", "ngettext"):
        gettext = cast("Callable[..., str]", environment.globals[name])
        environment.globals[name] = _with_sentences(gettext, voice.say)
    return environment


def _with_sentences(gettext: Callable[..., str], say: Say) -> Callable[..., str]:
    """Let translated strings of templates hold sentences as values, and be sentences."""

    @pass_context
    def translated(context: Context, text: str, /, *args: Any, **values: Any) -> str:
        if isinstance(text, Sentence):
            return text.told(say)
        told = {
            name: value.told(say) if isinstance(value, Sentence) else value
            for name, value in values.items()
        }
        return gettext(context, text, *args, **told)

    return translated


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
