"""The personal-information notices (个人信息处理告知) in `config/notices/`, with their versions.

A binding keeps the version of the notice its owner agreed to; a new text needs a new version.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from domain.errors import ConfigError

FOLDER = Path(__file__).parent / "notices"
MAX_BYTES = 1500  # with question and numbers it must fit one WeChat text of 2048 bytes


@dataclass(frozen=True, slots=True)
class PrivacyNotice:
    """A notice as citizens read it."""

    version: str
    text: str


@lru_cache(maxsize=16)
def load_notice(name: str, folder: Path = FOLDER) -> PrivacyNotice:
    """Read `<name>.md`: a `version:` between two `---`, then the text."""
    path = folder / f"{name}.md"
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the notice {path} cannot be read: {error}") from error
    _, _, rest = content.partition("---\n")
    head, _, text = rest.partition("\n---\n")
    key, _, version = head.partition(":")
    if key.strip() != "version" or not version.strip() or not text.strip():
        raise ConfigError(f"{path} must begin with ---, version: …, --- and go on with its text")
    if len(text.strip().encode()) > MAX_BYTES:
        raise ConfigError(f"{path} is longer than {MAX_BYTES} bytes; shorten it, or WeChat cuts it")
    return PrivacyNotice(version.strip(), text.strip())
