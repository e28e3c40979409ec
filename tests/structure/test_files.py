"""What no file of this repository may hold, and what some must."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BINARY = {".png", ".jpg", ".ico", ".woff2", ".gz"}
# addresses that packages come from: the tools of this machine know them, files must not
REGISTRIES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "npm" + "mirror",
    "deb.debian" + ".org",
    "--index" + "-url",
)
KEYS = re.compile(
    "BEGIN (RSA |EC |OPENSSH )?" + "PRIVATE KEY" + r"|wz_[0-9a-f]{12}_[\w-]{43}\b|AKIA[0-9A-Z]{16}"
)


def tracked() -> list[Path]:
    """Return the text files that git knows or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / line for line in listed.splitlines()]
    return [file for file in files if file.is_file() and file.suffix not in BINARY]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every text file's content by its path in the repository."""
    return {
        str(file.relative_to(ROOT)): file.read_text(encoding="utf-8", errors="replace")
        for file in tracked()
    }


def test_no_file_names_a_package_registry(texts):
    found = [name for name, text in texts.items() if any(r in text for r in REGISTRIES)]

    assert not found, f"{', '.join(found)}: leave it to the machine where packages come from"


def test_no_file_holds_a_private_key(texts):
    found = [name for name, text in texts.items() if KEYS.search(text)]

    assert not found, f"{', '.join(found)}: take the key out, and out of use"


def test_no_file_holds_a_conflict_mark(texts):
    mark = "<" * 7 + " "
    found = [
        name for name, text in texts.items() if any(x.startswith(mark) for x in text.splitlines())
    ]

    assert not found, f"{', '.join(found)}: resolve the conflict"


def test_no_code_is_left_for_later(texts):
    words = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [n for n, text in texts.items() if n.endswith((".py", ".js")) and words.search(text)]

    assert not (set(found) - {"tests/structure/test_files.py"})


def test_no_module_has_outgrown_one_subject(texts):
    code = {n: len(t.splitlines()) for n, t in texts.items() if n.endswith(".py")}
    long = {n: lines for n, lines in code.items() if lines > 500 and not n.startswith("tests/")}

    assert not long, f"split by subject: {long}"


def test_every_package_says_what_it_is_for(texts):
    product = {n: t for n, t in texts.items() if n.endswith(".py") and not n.startswith("tests/")}
    silent = [n for n, text in product.items() if not text.startswith(('"""', 'r"""'))]

    assert not silent, f"{', '.join(silent)}: begin with a docstring"


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readme_names_the_commands_that_a_newcomer_needs(texts, readme):
    assert "make demo" in texts[readme]
    assert "make test" in texts[readme]


def test_every_relative_link_of_the_documents_leads_somewhere(texts):
    broken = []
    for name, text in texts.items():
        if not name.endswith(".md"):
            continue
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in link and not ((ROOT / name).parent / link).exists():
                broken.append(f"{name} → {link}")

    assert not broken, "; ".join(broken)


def test_ci_runs_what_a_person_runs():
    assert "make check" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
