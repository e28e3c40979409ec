"""Logs: one event per line, fields rather than prose, personal values masked by their types."""

import io
import json
import logging

import pytest

from config.logging import console_formatter, json_formatter
from domain.masking import IdentityNumber


@pytest.fixture
def log():
    """A logger that nothing else listens to."""
    logger = logging.Logger("test.log")
    yield logger
    logger.handlers.clear()


def test_a_machine_reads_one_json_object_per_line(log):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(json_formatter())
    log.addHandler(handler)

    log.warning("delivery.postponed", extra={"broadcast": "bc_1", "errcode": 45009})
    log.info("结束", extra={"matter": "停水"})

    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["event"] == "delivery.postponed"
    assert (first["level"], first["broadcast"], first["errcode"]) == ("WARNING", "bc_1", 45009)
    assert second["matter"] == "停水"


def test_a_person_reads_the_event_and_its_fields(log):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(console_formatter())
    log.addHandler(handler)

    log.warning("delivery.postponed", extra={"errcode": 45009})

    assert stream.getvalue().rstrip().endswith("delivery.postponed  errcode=45009")


@pytest.mark.parametrize("formatter", [json_formatter(), console_formatter()])
def test_a_personal_value_is_masked_whoever_reads(log, formatter):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log.addHandler(handler)

    log.warning("asked", extra={"who": IdentityNumber("11010519491231002X")})

    assert "19491231" not in stream.getvalue()
    assert "1****************X" in stream.getvalue()


@pytest.mark.parametrize("formatter", [json_formatter(), console_formatter()])
def test_a_drivers_error_does_not_repeat_the_document_it_could_not_write(log, formatter):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log.addHandler(handler)
    openid = "oSecret00000000000000000001"
    duplicate = f'E11000 duplicate key error collection: x dup key: {{ _id: "city:{openid}" }}'
    many = f"batch op errors occurred, full error: {{'op': {{'openid': '{openid}'}}}}"

    for text in (f"{duplicate}, full error: {{'keyValue': '{openid}'}}", many):
        error = RuntimeError("not written")
        error.__cause__ = OSError(text)
        log.error("trigger.crashed", exc_info=error)

    assert openid not in stream.getvalue()
    assert "E11000 duplicate key error" in stream.getvalue()
    assert "batch op errors occurred" in stream.getvalue()
    assert "not written" in stream.getvalue()
