"""Logs: one event per line, JSON for machines, or readable lines when a person is watching.

    log.warning("delivery.postponed", extra={"broadcast": broadcast_id, "errcode": 45009})

Personal values are masked types (`domain/masking.py`), so no filter is needed to keep them out.
Only the errors of the database driver are cut: they repeat the documents that could not be written.
"""

import logging
import re
import sys
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

_QUIET = {
    "aiohttp.access": logging.WARNING,
    "apscheduler": logging.ERROR,  # it warns of ticks left out while one was running: as meant
    "asyncio": logging.WARNING,
    "pymongo": logging.WARNING,
    "tornado.access": logging.WARNING,
}
_DOCUMENTS = re.compile(r"( dup key: \{|,? full error: \{).*")
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up_logging(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send all logs of this process to stderr; call it once, from a command."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(console_formatter() if stream.isatty() else json_formatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name, lowest in _QUIET.items():  # what they say below is not about us
        logging.getLogger(name).setLevel(lowest)


def json_formatter() -> logging.Formatter:
    """Return the formatter for machines: time, level, logger, event, then the fields."""
    return _Json(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={
            "asctime": "time",
            "levelname": "level",
            "name": "logger",
            "message": "event",
        },
        json_ensure_ascii=False,
        json_default=str,
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )


def console_formatter() -> logging.Formatter:
    """Return the formatter for people."""
    return _ConsoleFormatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")


def without_documents(text: str) -> str:
    """Return what a driver's error says without the documents it repeats, to the end of the line.

    `E11000 duplicate key error … dup key: { _id: "city:o…" }, full error: {…}` names openids.
    """
    return _DOCUMENTS.sub(" …", text)


class _Json(JsonFormatter):
    def formatException(self, ei: Any) -> Any:  # noqa: N802 - the library's name
        return without_documents(str(super().formatException(ei)))


class _ConsoleFormatter(logging.Formatter):
    """The event, and behind it whatever fields it came with."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        return without_documents(super().formatException(ei))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        fields = " ".join(
            f"{name}={value}" for name, value in vars(record).items() if name not in _USUAL
        )
        return f"{super().formatMessage(record)}  {fields}".rstrip()
