"""access_token: what `/token` and `/stable_token` hand out and how tokens die (4.1)."""

import re
import secrets
from dataclasses import dataclass

from sandbox.clock import day_number
from sandbox.errors import ApiError

LIFETIME = 7200
OVERLAP = 300  # seconds for which the previous token still works
FORCED_PER_DAY = 20
FORCED_GAP = 30
_SHAPE = re.compile(r"[A-Za-z0-9_-]{40,512}")


@dataclass(slots=True, eq=False)
class Token:
    """One token of one account; `replaced_at` is when a newer one puts it out of use."""

    value: str
    account_id: str
    expires_at: int
    replaced_at: int | None = None


class TokenDesk:
    """The tokens of one account. The two calls do not disturb each other's."""

    def __init__(self, account_id: str, register: dict[str, Token]) -> None:
        self._account_id = account_id
        self._register = register
        self._plain: list[Token] = []  # the newest last, at most two
        self._stable: Token | None = None
        self._forced_at = -FORCED_GAP
        self._forced_day = 0
        self._forced = 0

    def issue(self, now: int) -> tuple[Token, int]:
        """Answer `/cgi-bin/token`: a new token; only the one before keeps working, for 5 min."""
        if len(self._plain) == 2:
            self._plain.pop(0).replaced_at = now
        if self._plain:
            self._plain[0].replaced_at = now + OVERLAP
        token = self._new(now)
        self._plain.append(token)
        return token, LIFETIME

    def stable(self, now: int, *, force: bool) -> tuple[Token, int]:
        """Answer `/cgi-bin/stable_token` with the token and the seconds left."""
        current = self._stable
        if force and now - self._forced_at >= FORCED_GAP:
            self._count_forced(now)
            if current is not None:
                current.replaced_at = now
            current = self._stable = self._new(now)
        elif (
            current is None
            or current.expires_at - now <= OVERLAP  # from here on both are valid
            or current.replaced_at is not None
        ):
            current = self._stable = self._new(now)
        return current, current.expires_at - now

    def kill_all(self, now: int) -> None:
        """Make every token of the account invalid, as if the secret had been reset."""
        for token in self._register.values():
            if token.account_id == self._account_id:
                token.replaced_at = now

    def expire_all(self, now: int) -> None:
        """Make every token of the account expire at once (42001)."""
        for token in self._register.values():
            if token.account_id == self._account_id:
                token.expires_at = min(token.expires_at, now)

    def _count_forced(self, now: int) -> None:
        if self._forced_day != day_number(now):
            self._forced_day, self._forced = day_number(now), 0
        if self._forced >= FORCED_PER_DAY:
            raise ApiError(45009)
        self._forced += 1
        self._forced_at = now

    def _new(self, now: int) -> Token:
        token = Token(f"9_{secrets.token_urlsafe(102)}", self._account_id, now + LIFETIME)
        self._register[token.value] = token
        return token


def check_token(register: dict[str, Token], value: str, now: int) -> Token:
    """Return the token, or raise 41001, 40014, 40001 or 42001."""
    token = register.get(value)
    if token is None:
        if not value:
            raise ApiError(41001)
        raise ApiError(40001 if _SHAPE.fullmatch(value) else 40014)
    if token.expires_at <= now:
        raise ApiError(42001)
    if token.replaced_at is not None and token.replaced_at <= now:
        raise ApiError(40001)
    return token
