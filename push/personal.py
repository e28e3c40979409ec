"""Personal messages (个性化发送): each reader's own values are put in as a message leaves.

`PersonalGateway` stands before the platform. A text without placeholders passes as it is, at no
cost; with them, the reader is looked up first, and only the half that is asked for: names and
plates are encrypted, the region is not. Repeating a send fills the same text again, and the
platform knows the repeat by its client_msg_id, whatever changed meanwhile.

When the reader cannot be looked up nothing has left: that is `StoreAway`, after which everybody
waits, as while Redis is away.
"""

import asyncio
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from config.catalogue import Catalogue
from domain.ids import AccountId, OpenId
from domain.ledger import Content
from domain.people import Bindings, Subscriber
from domain.personal import (
    NAME,
    PLATE,
    REGION,
    Known,
    asked_of,
    filled,
    filled_content,
    filled_fields,
    first_region,
    placeholders_in,
    values_of,
)
from push.ports import Gateway
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

PATIENCE = 3.0  # seconds for one reader
PLAIN_KEPT = 64  # messages being sent at the same time


class Readers(Protocol):
    """Where readers are looked up (`storage.mongo.people`)."""

    async def find(self, account: AccountId, openid: OpenId) -> Subscriber | None: ...

    async def bindings(self, account: AccountId, openid: OpenId) -> Bindings: ...


class Personal:
    """Knows each reader's values (runtime: `ctx.personal`)."""

    def __init__(self, readers: Readers, catalogue: Catalogue) -> None:
        self._readers = readers
        self._names = {code: region.name for code, region in catalogue.regions.items()}

    async def values(
        self, account: AccountId, openid: OpenId, asked: Collection[str]
    ) -> dict[str, str]:
        """Return the values of one reader; of what is not asked for, the general words."""
        subscriber, bindings = None, Bindings()
        async with asyncio.timeout(PATIENCE):
            if REGION.name in asked:
                subscriber = await self._readers.find(account, openid)
            if {NAME.name, PLATE.name}.intersection(asked):
                bindings = await self._readers.bindings(account, openid)
        region = None
        if subscriber is not None:
            own = [subscriber.region, *(each.region for each in subscriber.subscriptions)]
            region = first_region(own)
        named, vehicles = bindings.real_name, bindings.vehicles
        known = Known(
            region=region,
            name=named.name if named is not None else None,
            plate=vehicles[0].plate if vehicles else None,
        )
        return values_of(known, self._names)

    async def seen_by(self, account: AccountId, openid: OpenId, content: Content) -> Content:
        """Return a content as this reader would see it."""
        return filled_content(content, await self.values(account, openid, asked_of(content)))


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
            log.warning("personal.unknown", extra={"reason": type(error).__name__})
            raise StoreAway(f"the reader's values: {type(error).__name__}") from error


def personal_gateways(
    gateways: Mapping[AccountId, Gateway], personal: Personal
) -> dict[AccountId, Gateway]:
    """Return the gateways of all accounts with personal values."""
    return {
        account: PersonalGateway(gateway, account, personal)
        for account, gateway in gateways.items()
    }
