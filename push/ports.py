"""What the push engine needs from others, and no more."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.broadcast import Audience
from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subject
from domain.topic import Mode


class Gateway(Protocol):
    """The platform's ways to send (`connectors.wechat.api`)."""

    async def send_template(
        self,
        *,
        openid: str,
        template_id: str,
        data: Mapping[str, str],
        url: str | None = None,
        client_msg_id: str,
    ) -> str:
        """Return the message id, or raise `SendFailed`."""
        ...

    async def send_subscription(
        self, *, openid: str, template_id: str, data: Mapping[str, str], url: str | None = None
    ) -> None:
        """Send one subscription notice, or raise `SendFailed`; never to be repeated blindly."""
        ...

    async def send_text(self, openid: OpenId, text: str) -> None:
        """Send a customer-service message, or raise `SendFailed`; the same holds for it."""
        ...

    async def mass_send_openids(
        self, *, openids: Sequence[str], text: str, clientmsgid: str
    ) -> str:
        """Submit one mass send and return its job, or raise `SendFailed`."""
        ...


class Source(Protocol):
    """Where the fan-out reads its people: an audience, or a broadcast's failures."""

    async def upper_bound(self, account: AccountId, audience: Audience) -> str | None:
        """Return the last one in id order at this moment; None when nobody is meant."""
        ...

    async def page(
        self, account: AccountId, audience: Audience, *, after: str | None, up_to: str, size: int
    ) -> list[tuple[str, OpenId]]:
        """Return the next people (cursor, openid) in id order; an empty page is the end."""
        ...


class People(Source, Protocol):
    """Who is meant, page by page (`subscriptions.audience`)."""

    def sealed(self, audience: Audience) -> Audience:
        """Return the audience with keyed hashes instead of named things."""
        ...

    async def count(self, account: AccountId, audience: Audience) -> int:
        """Return how many people are meant."""
        ...

    async def sample(self, account: AccountId, audience: Audience, size: int) -> list[OpenId]:
        """Return some of the people meant."""
        ...

    async def still_meant(
        self, account: AccountId, audience: Audience, openids: Sequence[OpenId]
    ) -> set[OpenId]:
        """Return those who are still meant and reachable."""
        ...

    async def holders(
        self, account: AccountId, topic: TopicId, subject: Subject
    ) -> list[tuple[OpenId, Mode]]:
        """Return who bound the subject and follows the topic."""
        ...


class Reachability(Protocol):
    """Where we note that somebody cannot be reached (`subscriptions.service`)."""

    async def mark_unreachable(self, account: AccountId, openid: OpenId, reason: str) -> None:
        """Stop all sends to this person until they come back."""
        ...


class Cipher(Protocol):
    """Encryption of personal fields (`storage.mongo.fields`)."""

    async def encrypt(self, text: str) -> bytes:
        """Return the ciphertext."""
        ...

    async def decrypt(self, binary: bytes) -> str:
        """Return the text."""
        ...
