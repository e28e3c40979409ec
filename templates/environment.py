"""The Jinja2 environment and its filters (模板). One door to jinja2 for the whole product."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from domain.clock import in_beijing
from domain.conversation import Reply
from templates.console import ConsoleRenderer, Language

FOLDER = Path(__file__).parent


def yuan(fen: int | None) -> str:
    """Write fen as yuan: 123456 → 1,234.56."""
    return "—" if fen is None else f"{fen / 100:,.2f}"


def minute(moment: datetime | None) -> str:
    """Write an instant in Beijing time to the minute: 06-03 08:00."""
    return "—" if moment is None else f"{in_beijing(moment):%m-%d %H:%M}"


def full_minute(moment: datetime | None) -> str:
    """Write an instant in Beijing time with its year: 2026-06-03 08:00."""
    return "—" if moment is None else f"{in_beijing(moment):%Y-%m-%d %H:%M}"


def day(value: date | None) -> str:
    """Write a date: 2026-06-03."""
    return "—" if value is None else f"{value:%Y-%m-%d}"


def month(period: str) -> str:
    """Write YYYYMM as 2026年6月."""
    return f"{period[:4]}年{int(period[4:6])}月"


class Renderer:
    """Turns replies into the text a citizen reads, and pages into HTML."""

    def __init__(self, folder: Path = FOLDER) -> None:
        filters = {
            "yuan": yuan,
            "minute": minute,
            "full_minute": full_minute,
            "day": day,
            "month": month,
        }
        self._text = Environment(
            loader=FileSystemLoader(folder / "reply"),
            autoescape=False,  # noqa: S701 - plain text for a chat, not HTML
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        self._pages = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        self._console = ConsoleRenderer(folder, filters)
        self._text.filters.update(filters)
        self._pages.filters.update(filters)

    def reply(self, reply: Reply) -> str:
        """Render a reply with its numbered options below."""
        text = self._template(reply.template).render(reply.data).strip()
        if not reply.options:
            return text
        lines = [f"{number}. {option.label}" for number, option in enumerate(reply.options, 1)]
        return "\n".join([text, "", "回复数字：", *lines])

    def question(self, reply: Reply, *, title: str, hint: str, can_go_back: bool) -> str:
        """Render a dialog's question: a hint if the last answer did not fit, then how to leave."""
        ways = "回复 0 返回上一步，退出 结束" if can_go_back else "回复 退出 结束"
        parts = [hint, f"【{title}】{self.reply(reply)}", ways]
        return "\n".join(part for part in parts if part)

    def page(self, name: str, data: Mapping[str, Any]) -> str:
        """Render an HTML page; everything in `data` is escaped."""
        return self._pages.get_template(name).render(data)

    def console_page(self, language: Language, name: str, data: Mapping[str, Any]) -> str:
        """Render a page of the console in that language; everything in `data` is escaped."""
        return self._console.page(language, name, data)

    def console_say(self, language: Language, text: str) -> str:
        """Return a Chinese string of the console's code in that language."""
        return self._console.say(language, text)

    def _template(self, name: str) -> Template:
        return self._text.get_template(name)
