"""What a password must be (口令规则): long, not a pattern, not the person's own name.

Length carries the strength (NIST SP 800-63B 5.1.1); the upper limits keep hashing from being a
way to tire the service. Spelling is normalised, so that one keyboard writes what another did.
"""

import secrets
import unicodedata
from itertools import pairwise

from domain.errors import InvalidInput
from domain.sentence import Sentence

MIN_CHARACTERS = 10
MAX_CHARACTERS = 128
MAX_BYTES = 512
MIN_DIFFERENT = 5
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read for something else


def normalised(password: str) -> str:
    """Return the password in one spelling; one too large for anybody's becomes the empty one."""
    if len(password) > MAX_CHARACTERS or len(password.encode("utf-8", "replace")) > MAX_BYTES:
        return ""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, name: str) -> str:
    """Return the password as it is hashed; `InvalidInput` says what to change."""
    if len(password) > MAX_CHARACTERS or len(password.encode("utf-8", "replace")) > MAX_BYTES:
        raise InvalidInput(
            Sentence("密码最长 {max_characters} 位。", max_characters=MAX_CHARACTERS),
            field="password",
        )
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in password):
        raise InvalidInput(Sentence("密码里有无法输入的控制字符，请换一个。"), field="password")
    password = normalised(password)
    if len(password) < MIN_CHARACTERS or len(set(password)) < MIN_DIFFERENT:
        raise InvalidInput(
            Sentence(
                "密码至少 {min_characters} 位，且不能只是少数几个字符的重复。",
                min_characters=MIN_CHARACTERS,
            ),
            field="password",
        )
    if _is_run(password):
        raise InvalidInput(Sentence("密码不能是连续的数字或字母，请换一个。"), field="password")
    if len(name) > 1 and name.casefold() in password.casefold():
        raise InvalidInput(Sentence("密码里不能包含姓名。"), field="password")
    return password


def one_time_password() -> str:
    """Return a password for somebody's first sign-in: four groups, 79 random bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def _is_run(password: str) -> bool:
    """Whether each character is the neighbour of the one before: 1234567890, zyxwvutsrq."""
    steps = {ord(b) - ord(a) for a, b in pairwise(password)}
    return len(steps) == 1 and abs(steps.pop()) <= 1
