"""The how-to for newcomers works: its files, put into a copy of the project, pass their tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "howto" / "add-a-query-service.md"
FILE = re.compile(
    r"^### `(?P<path>[^`]+)`\n+```\w+\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL
)
# what handlers are made of and tested with; nothing of it is changed
PARTS = (
    "bot", "config", "connectors", "domain", "handlers", "push", "sandbox", "storage",
    "subscriptions", "templates", "tests/handlers", "tests/structure", "tests/support",
)  # fmt: skip


def files_of_the_page() -> dict[str, str]:
    return {found["path"]: found["content"] for found in FILE.finditer(PAGE.read_text("utf-8"))}


def test_the_page_adds_a_handler_a_template_and_a_test_and_edits_nothing():
    files = files_of_the_page()

    assert [path.split("/")[0] for path in files] == ["handlers", "templates", "tests"]
    # whoever practises in this very folder has them there as they stand on the page
    present = {path: (ROOT / path).read_text("utf-8") for path in files if (ROOT / path).exists()}
    assert present.items() <= files.items()


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the project in which the page was followed."""
    folder = tmp_path_factory.mktemp("newcomer")
    for part in PARTS:
        ignored = shutil.ignore_patterns("__pycache__", "bin")
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    for name in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
        shutil.copy(ROOT / name, folder / name)
    for path, content in files_of_the_page().items():
        (folder / path).write_text(content, encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_newcomer_who_follows_the_page_has_a_service(copy):
    mine, shape = "tests/handlers/test_bus_detour.py", "tests/structure/test_architecture.py"
    said = run(copy, "pytest", "-q", "-p", "no:cacheprovider", mine, shape, "-k", "bus_detour")

    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    assert int(passed[1]) >= 4 + 3  # the page's own, and the shape every service must have


def test_the_page_is_written_in_the_house_style(copy):
    code = [path for path in files_of_the_page() if path.endswith(".py")]

    run(copy, "ruff", "check", "--no-cache", *code)
    run(copy, "ruff", "format", "--no-cache", "--check", *code)
