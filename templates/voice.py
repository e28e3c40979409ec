"""How a page of the console says a text (语言): sentences in its own language, and what is not.

On an English page what people wrote is marked as Chinese, so that a screen reader reads it so and
a test can tell it from a sentence that nobody translated. On a Chinese page nothing is marked.
"""

from collections.abc import Callable

from markupsafe import Markup, escape

from domain.sentence import Sentence, recalled
from domain.stops import STOPS, stop_in_words

KEPT = (  # patterns of sentences that are kept as strings
    "{name}：暂停", "{name}：取消", "{who}：放弃", "恢复第 {number} 版",
    "已用 {used}%", "{number} 个批次", "个人通知：{others} 个批次",
    "个人通知：{number} 条",
    *(words.pattern for _, words in STOPS),
)  # fmt: skip


class Voice:
    """Says texts in one language; `words` translates a pattern."""

    def __init__(self, words: Callable[[str], str], *, is_chinese: bool) -> None:
        self._words = words
        self._is_chinese = is_chinese

    def say(self, text: str) -> str:
        """Return a string of the code, or a sentence with its values."""
        if isinstance(text, Sentence):
            return text.told(self.say)
        return self._words(text) if text else ""

    def said(self, text: str) -> Markup:
        """Say it as HTML, and mark what people wrote in the sentence."""
        if not isinstance(text, Sentence):
            return escape(self.say(text))
        return escape(text.told(lambda pattern: escape(self.say(pattern)), self.written))

    def shown(self, text: str) -> Markup:
        """Return a text that is either a sentence or what people wrote."""
        return self.said(text) if isinstance(text, Sentence) else self.written(text)

    def kept(self, text: str) -> Markup:
        """Do so for a text of the database, which knows no sentences."""
        return self.shown(recalled(stop_in_words(text or ""), KEPT))

    def written(self, text: str) -> Markup:
        """Mark what people wrote."""
        if self._is_chinese or not _has_chinese(text):
            return escape(text)
        return Markup('<span lang="zh">{}</span>').format(text)

    def language_of(self, text: str) -> Markup:
        """Return the attribute for an element around one text, such as an option of a list."""
        if self._is_chinese or not _has_chinese(
            self.say(text) if isinstance(text, Sentence) else text
        ):
            return Markup("")
        return Markup(' lang="zh"')


def _has_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)
