"""The words of a message that has no template of the platform (客服消息, 群发): `push/*.txt`.

Each file is named like our template and gets its data, `title` and `url`. A template without a
file is written line by line. What a file needs and the data lack is `MissingData`, as with a
template's mapped fields.
"""

from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, UndefinedError

from templates.environment import FOLDER


class MissingData(Exception):
    """The text needs something that the data do not have; the message says what."""


def push_text(template: str, title: str, data: Mapping[str, str], url: str | None) -> str:
    """Return what a citizen reads."""
    try:
        found = _environment().get_template(f"{template}.txt")
    except TemplateNotFound:
        lines = [f"【{title}】", *(f"{name}：{value}" for name, value in data.items())]
        return "\n".join([*lines, *([f"详情：{url}"] if url else [])])
    try:
        return found.render({**data, "title": title, "url": url}).strip()
    except UndefinedError as error:
        raise MissingData(error.message or "") from error


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER / "push"),
        autoescape=False,  # noqa: S701 - plain text for a chat, not HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
