"""Chinese on a page that is in English, except in what people wrote (`lang="zh"`)."""

import re
from html.parser import HTMLParser

CHINESE = re.compile("[\u3001-\u303f\u3400-\u9fff\uff00-\uff09\uff0b-\uffef]")  # not a mask
SHOWN = {"title", "aria-label", "placeholder", "alt", "data-confirm", "label", "content"}
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.found: list[str] = []

    @property
    def is_theirs(self) -> bool:
        return bool(self.open) and self.open[-1][1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        theirs = self.is_theirs or (given.get("lang") or "").startswith("zh")
        for name, value in given.items():
            if name in SHOWN and not theirs and CHINESE.search(value or ""):
                self.found.append(f"{tag} {name}={value}")
        if tag not in VOID:
            self.open.append((tag, theirs))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if (
            self.open and self.open[-1][0] == "title"
        ):  # no tags can stand there; the heading says it
            return
        if not self.is_theirs and CHINESE.search(data):
            inside = self.open[-1][0] if self.open else ""
            self.found.append(f"{inside}: {' '.join(data.split())[:120]}")


def chinese_in(html: str) -> list[str]:
    """Return the Chinese texts and attributes that no `lang="zh"` stands around."""
    reader = _Reader()
    reader.feed(html)
    return reader.found
