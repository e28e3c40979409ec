"""Links to a citizen's own pages (查看链接): sealed, so that nobody can make or guess one.

The token holds what the page shows and until when, encrypted and authenticated (AES-GCM) for
this account and kind of page. Nothing is stored; a link that is over does not open any more.
"""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from domain.clock import Clock
from domain.ids import AccountId, BroadcastId, OpenId

Kind = Literal["digest", "history"]
LIFE: dict[Kind, timedelta] = {"digest": timedelta(days=7), "history": timedelta(hours=24)}


class Seals(Protocol):
    """Authenticated encryption of small values (`storage.redis.sealing`)."""

    def seal(self, content: bytes, place: bytes = b"") -> bytes: ...

    def unseal(self, sealed: bytes, place: bytes = b"") -> bytes | None: ...


class Links:
    """Makes and reads links to sealed pages."""

    def __init__(self, seals: Seals, public_url: str, clock: Clock) -> None:
        self._seals = seals
        self._public_url = public_url
        self._clock = clock

    def to_digest(self, account: AccountId, digest: BroadcastId) -> str:
        """Return the address of a digest's page, good for a week."""
        return self._make("digest", account, digest)

    def to_history(self, account: AccountId, openid: OpenId) -> str:
        """Return the address of a person's history, good for a day."""
        return self._make("history", account, openid)

    def digest_of(self, account: AccountId, token: str) -> BroadcastId | None:
        """Return whose page a token opens; None when it is over or no token of ours."""
        found = self._read("digest", account, token)
        return BroadcastId(found) if found else None

    def person_of(self, account: AccountId, token: str) -> OpenId | None:
        """The same for a history."""
        found = self._read("history", account, token)
        return OpenId(found) if found else None

    def _make(self, kind: Kind, account: AccountId, what: str) -> str:
        until = int((self._clock.now() + LIFE[kind]).timestamp())
        sealed = self._seals.seal(f"{until}:{what}".encode(), _place(kind, account))
        token = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        return f"{self._public_url}/h5/{account}/{kind}/{token}"

    def _read(self, kind: Kind, account: AccountId, token: str) -> str | None:
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        content = self._seals.unseal(sealed, _place(kind, account))
        if content is None:
            return None
        until, _, what = content.decode().partition(":")
        return what if self._clock.now() < datetime.fromtimestamp(int(until), UTC) else None


def _place(kind: Kind, account: AccountId) -> bytes:
    return f"page:{kind}:{account}".encode()
