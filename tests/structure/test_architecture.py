"""The import contracts hold, and every module fits the shape that newcomers rely on."""

import subprocess
import sys
from pathlib import Path

import pytest

import handlers
from bot.router import Router, Routes

ROOT = Path(__file__).parent.parent.parent
# answered by words of their own rather than by a query that could fail
HANDLERS = sorted(
    path.stem for path in (ROOT / "handlers").glob("*.py") if not path.stem.startswith("_")
)


def test_imports_point_downwards_and_every_library_has_one_door():
    # a process of its own: the tool sets up logging for itself and silences the loggers there are
    linting = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
    ]

    result = subprocess.run(
        [*linting, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, f"see `make imports`:\n{result.stdout}"


def test_the_routes_collect_without_two_handlers_claiming_one_key():
    collected = Routes.collect(handlers.discover())

    assert collected.fallback.route.kind == "fallback"


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_module_has_a_test(name):
    test = ROOT / "tests" / "handlers" / f"test_{name}.py"

    assert test.is_file(), (
        f"handlers/{name}.py has no test: write {test.relative_to(ROOT)}, as in "
        "docs/howto/add-a-query-service.md"
    )


@pytest.mark.parametrize(
    "router", [pytest.param(router, id=router.name) for router in handlers.discover()]
)
def test_a_service_with_a_title_shows_how_to_ask_for_it(router: Router):
    if not router.title:
        return  # events, not a service that citizens can name

    assert router.example, f'router {router.name!r} has no example: say Router(…, example="停水 …")'
    assert Routes.collect(handlers.discover()).for_text(router.example), (
        f"nothing answers the example {router.example!r} of router {router.name!r}"
    )


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_module_answers_with_templates_that_exist(name):
    code = (ROOT / "handlers" / f"{name}.py").read_text(encoding="utf-8")
    named = {word for word in code.replace("'", '"').split('"') if word.endswith(".txt")}

    missing = sorted(t for t in named if not (ROOT / "templates" / "reply" / t).is_file())

    assert not missing, f"handlers/{name}.py names {', '.join(missing)}: add it to templates/reply/"


def test_everything_passes_the_byte_compiler_without_warnings():
    folders = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "compileall", "-q", "-f", *folders, "run.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PYTHONPYCACHEPREFIX": "/tmp/wz-compileall"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
