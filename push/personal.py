"""Personal messages (个性化发送): each reader's own values are put in as a message leaves.

`PersonalGateway` stands before the platform. A text without placeholders passes as it is, at no
cost; with them the readers of a sub-chunk are looked up together before it leaves (`ahead`), and
only what is asked for: names and plates are encrypted, the region is not. Repeating a send fills
the same text again, and the platform knows the repeat by its client_msg_id, whatever changed
meanwhile.

When readers cannot be looked up nothing has left: that is `StoreAway`, after which everybody
waits, as while Redis is away.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from config.catalogue import Catalogue
from domain.ids import AccountId, OpenId
from domain.ledger import Content
from domain.personal import (
    Known,
    asked_of,
    filled,
    filled_content,
    filled_fields,
    placeholders_in,
    values_of,
)
from push.ports import Gateway
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

PATIENCE = 3.0  # seconds for the readers of a sub-chunk
PLAIN_KEPT = 64  # messages being sent at the same time


class Readers(Protocol):
    """Where readers are looked up (`storage.mongo.readers`)."""

    async def known(
        self, account: AccountId, openids: Sequence[OpenId], asked: Collection[str]
    ) -> dict[OpenId, Known]: ...


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The readers of one sub-chunk, while it is being sent."""

    account: AccountId
    asked: frozenset[str]
    values: Mapping[OpenId, dict[str, str]]


class Personal:
    """Knows each reader's values (runtime: `ctx.personal`)."""

    def __init__(self, readers: Readers, catalogue: Catalogue) -> None:
        self._readers = readers
        self._names = {code: region.name for code, region in catalogue.regions.items()}
        self._ahead: list[_Ahead] = []  # as many as there are sub-chunks under way

    async def values(
        self, account: AccountId, openid: OpenId, asked: Collection[str]
    ) -> dict[str, str]:
        """Return the values of one reader; of what is not asked for, the general words."""
        for ahead in self._ahead:
            if ahead.account == account and ahead.asked.issuperset(asked):
                found = ahead.values.get(openid)
                if found is not None:
                    return found
        return (await self._look_up(account, [openid], asked))[openid]

    @asynccontextmanager
    async def ahead(
        self, account: AccountId, people: Sequence[OpenId], content: Content
    ) -> AsyncIterator[None]:
        """Look these readers up in one go, for what is sent to them while the block lasts."""
        asked = asked_of(content)
        if not asked or not people:
            yield
            return
        try:
            values = await self._look_up(account, people, asked)
        except Exception as error:  # whatever the look-up raises, nothing has left
            raise _away(error) from error
        ahead = _Ahead(account, asked, values)
        self._ahead.append(ahead)
        try:
            yield
        finally:
            self._ahead = [each for each in self._ahead if each is not ahead]

    async def seen_by(self, account: AccountId, openid: OpenId, content: Content) -> Content:
        """Return a content as this reader would see it."""
        return filled_content(content, await self.values(account, openid, asked_of(content)))

    async def _look_up(
        self, account: AccountId, people: Sequence[OpenId], asked: Collection[str]
    ) -> dict[OpenId, dict[str, str]]:
        async with asyncio.timeout(PATIENCE):
            known = await self._readers.known(account, people, asked)
        nothing = Known()
        return {openid: values_of(known.get(openid, nothing), self._names) for openid in people}


class PersonalGateway:
    """The platform's ways to send, with each reader's values put in."""

    def __init__(self, gateway: Gateway, account: AccountId, personal: Personal) -> None:
        self._gateway = gateway
        self._account = account
        self._personal = personal
        self._plain: dict[int, Mapping[str, str]] = {}  # by identity, which is theirs while here

    def send_template(
        self,
        *,
        openid: str,
        template_id: str,
        data: Mapping[str, str],
        url: str | None = None,
        client_msg_id: str,
    ) -> Coroutine[Any, Any, str]:
        """Send; what is the same for everybody takes no step more than without us."""
        send = self._gateway.send_template if self._is_plain(data) else self._send_filled
        return send(
            openid=openid,
            template_id=template_id,
            data=data,
            url=url,
            client_msg_id=client_msg_id,
        )

    async def _send_filled(
        self,
        *,
        openid: str,
        template_id: str,
        data: Mapping[str, str],
        url: str | None,
        client_msg_id: str,
    ) -> str:
        return await self._gateway.send_template(
            openid=openid,
            template_id=template_id,
            data=await self._fields(openid, data),
            url=url,
            client_msg_id=client_msg_id,
        )

    def _is_plain(self, data: Mapping[str, str]) -> bool:
        """Whether there is nothing to fill in; looked at once for all who get the same."""
        if self._plain.get(id(data)) is data:
            return True
        if placeholders_in(*data.values()):
            return False
        if len(self._plain) >= PLAIN_KEPT:
            self._plain.clear()
        self._plain[id(data)] = data
        return True

    async def send_subscription(
        self, *, openid: str, template_id: str, data: Mapping[str, str], url: str | None = None
    ) -> None:
        await self._gateway.send_subscription(
            openid=openid, template_id=template_id, data=await self._fields(openid, data), url=url
        )

    async def send_text(self, openid: OpenId, text: str) -> None:
        asked = placeholders_in(text)
        if asked:
            text = filled(text, await self._values(openid, asked))
        await self._gateway.send_text(openid, text)

    async def mass_send_openids(
        self, *, openids: Sequence[str], text: str, clientmsgid: str
    ) -> str:
        """One text for all: what is personal was refused when it was composed."""
        return await self._gateway.mass_send_openids(
            openids=openids, text=text, clientmsgid=clientmsgid
        )

    async def _fields(self, openid: str, data: Mapping[str, str]) -> Mapping[str, str]:
        asked = placeholders_in(*data.values())
        return filled_fields(data, await self._values(OpenId(openid), asked)) if asked else data

    async def _values(self, openid: OpenId, asked: Collection[str]) -> dict[str, str]:
        try:
            return await self._personal.values(self._account, openid, asked)
        except Exception as error:  # whatever the look-up raises, nothing has left
            raise _away(error) from error


def _away(error: Exception) -> StoreAway:
    log.warning("personal.unknown", extra={"reason": type(error).__name__})
    return StoreAway(f"the readers' values: {type(error).__name__}")


def personal_gateways(
    gateways: Mapping[AccountId, Gateway], personal: Personal
) -> dict[AccountId, Gateway]:
    """Return the gateways of all accounts with personal values."""
    return {
        account: PersonalGateway(gateway, account, personal)
        for account, gateway in gateways.items()
    }
