"""How services are found: by lying in the folder."""

import importlib
import sys

import pytest

import handlers
from domain.errors import ConfigError


def test_every_service_is_found():
    names = {router.name for router in handlers.discover()}

    assert names >= {"social_insurance", "medical_insurance", "housing_fund", "traffic", "outage"}


def test_a_module_without_a_router_stops_the_process_and_says_why(tmp_path, monkeypatch):
    (tmp_path / "odd_one.py").write_text('"""Nothing to offer."""\n')
    monkeypatch.setattr(handlers, "__path__", [str(tmp_path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()

    with pytest.raises(ConfigError, match=r"handlers/odd_one\.py has no `router`"):
        handlers.discover()


def test_every_query_service_has_a_title_and_an_example():
    queries = {"social_insurance", "medical_insurance", "housing_fund", "traffic", "outage"}
    for router in handlers.discover():
        if router.name in queries:
            assert router.title
            assert router.example
