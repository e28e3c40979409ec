"""A tiny official-account service for the sandbox to talk to.

It understands messages with wechatpy, which the sandbox does not use: what passes here is
proven against a second implementation.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tornado.web import RequestHandler
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.parser import parse_message
from wechatpy.replies import TextReply
from wechatpy.utils import check_signature

from config.settings import AccountSettings

Answer = Callable[[Any], str | bytes | None]


def echo(message: Any) -> str:
    """Repeat what was said, or name what happened."""
    heard = getattr(message, "content", getattr(message, "event", message.type))
    return f"收到{heard}".replace("]]>", "]]]]><![CDATA[>")  # wechatpy leaves that to us


@dataclass
class MiniService:
    """What the service does and what it saw."""

    accounts: Mapping[str, AccountSettings]
    answer: Answer = echo
    delays: list[float] = field(default_factory=list)  # of the next deliveries
    statuses: list[int] = field(default_factory=list)  # of the next deliveries
    received: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def events(self, name: str) -> list[Any]:
        """Return the events of this name, in order."""
        return [m for m in self.received if m._data.get("Event") == name]


class Callback(RequestHandler):
    """`/wechat/<account>`, as a service would have it."""

    def initialize(self, service: MiniService) -> None:
        self.service = service

    def get(self, account_id: str) -> None:
        settings = self.service.accounts[account_id]
        query = self._query()
        check_signature(
            settings.token.get_secret_value(),
            query["signature"],
            query["timestamp"],
            query["nonce"],
        )
        self.write(query["echostr"])

    async def post(self, account_id: str) -> None:
        service = self.service
        service.at_once += 1
        service.most_at_once = max(service.most_at_once, service.at_once)
        try:
            await self._answer(account_id)
        finally:
            service.at_once -= 1

    async def _answer(self, account_id: str) -> None:
        service, settings = self.service, self.service.accounts[account_id]
        token, query = settings.token.get_secret_value(), self._query()
        service.bodies.append(self.request.body)
        service.queries.append(query)
        if service.delays and (delay := service.delays.pop(0)):
            await asyncio.sleep(delay)
        if service.statuses and (status := service.statuses.pop(0)) != 200:
            self.set_status(status)
            return
        try:
            check_signature(token, query["signature"], query["timestamp"], query["nonce"])
        except InvalidSignatureException:
            self.set_status(403)
            return
        text = self.request.body.decode()
        crypto = None
        if query.get("encrypt_type") == "aes":
            key = settings.encoding_aes_key.get_secret_value()
            crypto = WeChatCrypto(token, key, settings.app_id)
            try:
                text = crypto.decrypt_message(
                    text, query["msg_signature"], query["timestamp"], query["nonce"]
                )
            except InvalidSignatureException:
                self.set_status(403)
                return
        message = parse_message(text)
        service.received.append(message)
        answer = service.answer(message)
        if isinstance(answer, bytes):
            self.write(answer)
        elif answer is not None:
            xml = TextReply(message=message, content=answer).render()
            nonce, timestamp = query["nonce"], query["timestamp"]
            self.write(crypto.encrypt_message(xml, nonce, timestamp) if crypto else xml)

    def _query(self) -> dict[str, str]:
        return {name: self.get_query_argument(name) for name in self.request.query_arguments}
