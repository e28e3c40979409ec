"""Readers (预览对象): as whom a broadcast is looked at before it goes out.

Whoever writes a broadcast sees the beginning of an openid, a region and how many topics somebody
follows, never the whole openid: a page knows people by sealed tokens, which mean nothing elsewhere
and only work in the account they were made for.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Protocol

from config.catalogue import Catalogue
from domain.broadcast import Audience
from domain.ids import AccountId, OpenId
from domain.masking import mask_openid
from domain.people import Subscriber
from push.ports import People
from storage.redis.sealing import Sealer

SHOWN = 5
LONGEST = 64  # an openid has 28 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody a broadcast can be looked at as."""

    token: str
    masked: str
    region: str  # "" when we do not know it
    topics: int


class ReaderStore(Protocol):
    """Where they are looked up (`storage.mongo.readers`, `storage.mongo.people`)."""

    async def beginning(self, account: AccountId, prefix: str, limit: int) -> list[Subscriber]: ...


class PeopleStore(Protocol):
    """One person at a time (`storage.mongo.people`)."""

    async def find(self, account: AccountId, openid: OpenId) -> Subscriber | None: ...


class Readers:
    """Finds readers (runtime: `ctx.readers`)."""

    def __init__(
        self,
        store: ReaderStore,
        people: PeopleStore,
        audiences: People,
        sealer: Sealer,
        catalogue: Catalogue,
    ) -> None:
        self._store = store
        self._people = people
        self._audiences = audiences
        self._sealer = sealer
        self._catalogue = catalogue

    async def search(self, account: AccountId, prefix: str) -> list[Reader]:
        """Return a few whose openid begins so or is this; nothing for what no openid holds."""
        prefix = prefix.strip()
        if not prefix or len(prefix) > LONGEST or not _is_openid(prefix):
            return []
        found = await self._store.beginning(account, prefix, SHOWN)
        return [self._reader(each) for each in found]

    async def some(self, account: AccountId, audience: Audience | None = None) -> list[Reader]:
        """Return a few at random of an audience, by default of all followers."""
        meant = audience or Audience(all=True)
        openids = await self._audiences.sample(account, meant, SHOWN)
        found = [await self._people.find(account, openid) for openid in openids]
        return [self._reader(each) for each in found if each is not None]

    async def known(self, account: AccountId, token: str) -> Reader | None:
        """Return whom a token means, if they still are there."""
        openid = self.openid(account, token)
        found = await self._people.find(account, openid) if openid is not None else None
        return self._reader(found) if found is not None else None

    def openid(self, account: AccountId, token: str) -> OpenId | None:
        """Return whom a token of the account means."""
        try:
            sealed = base64.b64decode(
                token + "=" * (-len(token) % 4), altchars=b"-_", validate=True
            )
        except (binascii.Error, ValueError):
            return None
        plain = self._sealer.unseal(sealed, _place(account))
        return OpenId(plain.decode()) if plain is not None else None

    def _reader(self, subscriber: Subscriber) -> Reader:
        sealed = self._sealer.seal(subscriber.openid.encode(), _place(subscriber.account))
        region = self._catalogue.regions.get(subscriber.region) if subscriber.region else None
        return Reader(
            token=base64.urlsafe_b64encode(sealed).decode().rstrip("="),
            masked=mask_openid(subscriber.openid),
            region=region.name if region else "",
            topics=len({each.topic for each in subscriber.subscriptions}),
        )


def _place(account: AccountId) -> bytes:
    return f"reader:{account}".encode()


def _is_openid(text: str) -> bool:
    return text.isascii() and all(letter.isalnum() or letter in "-_" for letter in text)
