"""The console's pages (管理台页面) in Chinese and English. One door to Babel.

Strings stand in the templates and in the code in Chinese; `admin/en/*.po` says them in English,
one file for each area of the console, read once when a process starts. A string without a
translation is shown in Chinese.

What comes from below as a `Sentence` is said in the language of the page wherever a template
shows it. `| said` does the same where tags may stand, and marks what people wrote inside the
sentence as Chinese, for screen readers; `| kept` is for texts of the database, which may be a
sentence or what somebody wrote; `lang="zh"` marks what people wrote elsewhere.
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
from markupsafe import Markup, escape

from domain.sentence import Say, Sentence, recalled
from domain.stops import STOPS, stop_in_words

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
KEPT = (  # patterns of sentences that are kept as strings
    "{name}：暂停", "{name}：取消", "{who}：放弃", "恢复第 {number} 版",
    "已用 {used}%", "{number} 个批次", "个人通知：{others} 个批次",
    *(words.pattern for _, words in STOPS),
)  # fmt: skip


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
        """Return a string of the code, or a sentence with its values, in that language."""
        return _speaker(self._translations[language])(text)


def _environment(
    folder: Path, filters: Mapping[str, Any], translations: NullTranslations
) -> Environment:
    say = _speaker(translations)
    environment = Environment(
        loader=FileSystemLoader(folder),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        finalize=lambda value: value.told(say) if isinstance(value, Sentence) else value,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters.update(filters)
    environment.filters["said"] = lambda text: _said(text, say)
    environment.filters["kept"] = lambda text: _kept(text, say)
    environment.globals["csrf_field"] = _csrf_field
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    for name in ("gettext", "ngettext"):
        gettext = cast("Callable[..., str]", environment.globals[name])
        environment.globals[name] = _with_sentences(gettext, say)
    return environment


def _speaker(translations: NullTranslations) -> Say:
    def say(text: str) -> str:
        if isinstance(text, Sentence):
            return text.told(say)
        return translations.gettext(text) if text else ""

    return say


def _said(text: str, say: Say) -> Markup:
    """Say a sentence as HTML, and mark what people wrote in it as Chinese."""
    if not isinstance(text, Sentence):
        return escape(say(text))
    return escape(text.told(lambda pattern: escape(say(pattern)), _as_written))


def _kept(text: str, say: Say) -> Markup:
    found = recalled(stop_in_words(text or ""), KEPT)
    return _said(found, say) if isinstance(found, Sentence) else escape(_as_written(found))


def _as_written(text: str) -> str:
    return Markup('<span lang="zh">{}</span>').format(text) if _has_chinese(text) else text


def _has_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


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
