"""Consents to subscription notices (订阅通知): what citizens answer in WeChat, kept.

The platform tells each answer once or more, in any order; the store counts each once. Consents
belong to a person and a template of one account; topics and their subscriptions are another
matter: whoever consents to a notice still gets only what they subscribed to. They are erased with
the person (`storage.mongo.erasures`).
"""

from datetime import datetime
from hashlib import blake2b
from typing import Protocol

from domain.conversation import ConsentEvent
from domain.ids import AccountId, OpenId


class ConsentStore(Protocol):
    """What consents need from storage."""

    async def accepted(
        self, account: AccountId, openid: OpenId, template_id: str, *, event: str, at: datetime
    ) -> None: ...

    async def declined(
        self, account: AccountId, openid: OpenId, template_id: str, *, event: str, at: datetime
    ) -> None: ...

    async def rejected(
        self, account: AccountId, openid: OpenId, template_id: str, *, event: str, at: datetime
    ) -> None: ...


class Consents:
    """Who agreed to which notices (bot `Services.consents`)."""

    def __init__(self, store: ConsentStore) -> None:
        self._store = store

    async def record(self, message: ConsentEvent) -> None:
        """Keep every line of a popup or change event; the same event again changes nothing."""
        for item in message.items:
            key = _key(message.dedupe_key, item.template_id)
            if item.status.startswith("accept"):  # acceptWithAudio too
                note = self._store.accepted
            elif message.kind == "change":
                note = self._store.rejected
            else:
                note = self._store.declined
            await note(message.account, message.openid, item.template_id, event=key, at=message.at)


def _key(dedupe_key: str, template_id: str) -> str:
    return blake2b(f"{dedupe_key}|{template_id}".encode(), digest_size=12).hexdigest()
