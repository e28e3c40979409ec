"""Looking things up (查询): broadcasts of an account, and what became of each person.

Pages are bounded, and a cursor says where the next begins. It means nothing to its reader: that
of a list of people is encrypted, because whoever may not see openids whole must not read one
there.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from domain.broadcast import Broadcast, BroadcastState
from domain.delivery import Outcome
from domain.errors import InvalidInput
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Delivery
from domain.sentence import Sentence
from push.finding import find_for
from storage.mongo.broadcast_lists import MongoBroadcastLists, Place
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.delivery_lists import MongoDeliveryLists, Recipient
from storage.redis.sealing import Sealer

Item = TypeVar("Item")
MOST = 500  # of a page
PART = 2_000  # people read at once for an export


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """A part of a list; `cursor` begins the next one, None ends the list."""

    items: Sequence[Item]
    cursor: str | None


class Lists:
    """Lists of broadcasts and of their people (runtime: `ctx.lists`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        broadcasts: MongoBroadcastLists,
        deliveries: MongoDeliveryLists,
        sealer: Sealer,
    ) -> None:
        self._store = store
        self._broadcasts = broadcasts
        self._deliveries = deliveries
        self._sealer = sealer

    async def broadcasts(
        self,
        account: AccountId,
        *,
        state: BroadcastState | None = None,
        text: str = "",
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Broadcast]:
        """Return an account's broadcasts, the newest first; with `text`, those it is found in.

        A page of a search may be short and have a cursor all the same.
        """
        size = min(limit, MOST)
        after = _place(_unpack(cursor)) if cursor else None
        if text.strip():
            items, place = await self._broadcasts.search(
                account, state, text.strip(), after=after, limit=size
            )
            return Page(items=items, cursor=_pack_place(place) if place else None)
        found = await self._broadcasts.page(account, state, after=after, limit=size + 1)
        there_is_more = len(found) > size
        last = found[size - 1] if there_is_more else None
        return Page(
            items=found[:size],
            cursor=_pack_place(Place(created_at=last.created_at, id=last.id)) if last else None,
        )

    async def occurrences(
        self, plan: BroadcastId, *, before: datetime | None = None, limit: int = 50
    ) -> list[Broadcast]:
        """Return a plan's occurrences, the latest planned first."""
        return await self._broadcasts.children(plan, before=before, limit=limit)

    async def recipients(
        self,
        broadcast_id: BroadcastId,
        account: AccountId,
        *,
        state: Outcome | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Delivery]:
        """Return what became of a broadcast's people, in a fixed order.

        People who were written off together when a broadcast was cancelled are counted in its
        `skipped` and not listed one by one.
        """
        after = await self._after(broadcast_id, account, cursor)
        size = min(limit, MOST)
        found = await self._deliveries.page(broadcast_id, state, after=after, limit=size + 1)
        cursor = self._sealed(broadcast_id, found[size - 1].openid) if len(found) > size else None
        return Page(items=found[:size], cursor=cursor)

    async def people(
        self,
        broadcast_id: BroadcastId,
        account: AccountId,
        *,
        state: Outcome | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Recipient]:
        """Return the same people with their receipts, for whoever looks at the list."""
        after = await self._after(broadcast_id, account, cursor)
        size = min(limit, MOST)
        found = await self._deliveries.rows(broadcast_id, state, after=after, limit=size + 1)
        cursor = self._sealed(broadcast_id, found[size - 1].openid) if len(found) > size else None
        return Page(items=found[:size], cursor=cursor)

    async def everybody(
        self, broadcast_id: BroadcastId, account: AccountId, *, state: Outcome | None = None
    ) -> AsyncIterator[Sequence[Recipient]]:
        """Yield everybody's outcome, part by part, holding no more than one part."""
        await find_for(self._store, broadcast_id, account)
        after: OpenId | None = None
        while found := await self._deliveries.rows(broadcast_id, state, after=after, limit=PART):
            yield found
            if len(found) < PART:
                return
            after = found[-1].openid

    async def _after(
        self, broadcast_id: BroadcastId, account: AccountId, cursor: str | None
    ) -> OpenId | None:
        await find_for(self._store, broadcast_id, account)
        return self._openid(cursor, _list_of(broadcast_id)) if cursor else None

    def _sealed(self, broadcast_id: BroadcastId, openid: OpenId) -> str:
        return _pack(self._sealer.seal(openid.encode(), _list_of(broadcast_id)))

    def _openid(self, cursor: str, place: bytes) -> OpenId:
        openid = self._sealer.unseal(_unpack(cursor), place)
        if openid is None:  # made up, or of another broadcast's list
            raise _not_ours()
        return OpenId(openid.decode())


def _list_of(broadcast_id: BroadcastId) -> bytes:
    return f"recipients:{broadcast_id}".encode()


def _pack_place(place: Place) -> str:
    return _pack(f"{_milliseconds(place.created_at)}:{place.id}".encode())


def _place(content: bytes) -> Place:
    milliseconds, _, broadcast = content.decode(errors="replace").partition(":")
    is_number = milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) < 15
    if not (is_number and broadcast):
        raise _not_ours()
    return Place(
        created_at=datetime.fromtimestamp(int(milliseconds) / 1000, UTC), id=BroadcastId(broadcast)
    )


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _pack(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _unpack(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _not_ours() from error


def _not_ours() -> InvalidInput:
    return InvalidInput(Sentence("cursor 无效，请使用上一页返回的 next。"), field="cursor")
