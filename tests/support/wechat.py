"""The platform's side of a callback: builds pushes, signs, encrypts and reads replies.

Written with wechatpy's own crypto and ElementTree, so that our code is checked against
somebody else's.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from wechatpy.crypto import WeChatCrypto

from config.settings import AccountSettings
from domain.clock import Clock

OFFICIAL = "gh_1a2b3c4d5e6f"


def sha1(*parts: str) -> str:
    """Sign as the platform does."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def read_xml(xml: str | bytes) -> ET.Element:
    """Parse what we or wechatpy wrote."""
    return ET.fromstring(xml)  # noqa: S314 - never a stranger's


def xml_of(fields: str, *, openid: str, at: int, kind: str) -> str:
    """Return a push with the four common fields before the others."""
    return (
        f"<xml><ToUserName><![CDATA[{OFFICIAL}]]></ToUserName>"
        f"<FromUserName><![CDATA[{openid}]]></FromUserName><CreateTime>{at}</CreateTime>"
        f"<MsgType><![CDATA[{kind}]]></MsgType>{fields}</xml>"
    )


@dataclass
class Platform:
    """WeChat as one account sees it."""

    account: AccountSettings
    clock: Clock
    openid: str = "oAbCd1234567890EfGhIjKlMnOpQ"
    nonce: str = "987654321"
    number: int = 24345678901234567

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp())

    @property
    def token(self) -> str:
        return self.account.token.get_secret_value()

    @property
    def crypto(self) -> Any:
        key = self.account.encoding_aes_key
        assert key is not None
        return WeChatCrypto(self.token, key.get_secret_value(), self.account.app_id)

    def text(self, content: str, *, number: int | None = None, openid: str | None = None) -> str:
        """Return the XML of a text message; every one has a new MsgId."""
        self.number += 1
        fields = f"<Content><![CDATA[{content}]]></Content><MsgId>{number or self.number}</MsgId>"
        return self.push(fields, "text", openid=openid)

    def event(self, fields: str) -> str:
        """Return the XML of an event."""
        return self.push(fields, "event")

    def push(self, fields: str, kind: str, *, openid: str | None = None) -> str:
        return xml_of(fields, openid=openid or self.openid, at=self.now, kind=kind)

    def query(self, at: int | None = None, **more: str) -> dict[str, str]:
        """Return the signed parameters that every request has."""
        stamp = str(self.now if at is None else at)
        return {
            "signature": sha1(self.token, stamp, self.nonce),
            "timestamp": stamp,
            "nonce": self.nonce,
            **more,
        }

    def wrap(self, xml: str) -> tuple[dict[str, str], bytes]:
        """Return query and body of a push in this account's mode."""
        if self.account.mode == "plain":
            return self.query(openid=self.openid), xml.encode()
        at = self.now
        envelope = read_xml(self.crypto.encrypt_message(xml, self.nonce, str(at)))
        encrypted = envelope.findtext("Encrypt") or ""
        query = self.query(
            at,
            openid=self.openid,
            encrypt_type="aes",
            msg_signature=sha1(self.token, str(at), self.nonce, encrypted),
        )
        inner = f"<Encrypt><![CDATA[{encrypted}]]></Encrypt>"
        if self.account.mode == "compatible":
            return query, xml.replace("</xml>", f"{inner}</xml>").encode()
        to = f"<ToUserName><![CDATA[{OFFICIAL}]]></ToUserName>"
        return query, f"<xml>{to}{inner}</xml>".encode()

    def read(self, body: bytes) -> Mapping[str, str]:
        """Return the fields of a reply, checking its signature; empty for `success`."""
        if body in {b"", b"success"}:
            return {}
        root = read_xml(body)
        if root.find("Encrypt") is not None:
            fields = {child.tag: child.text or "" for child in root}
            xml = self.crypto.decrypt_message(
                body, fields["MsgSignature"], fields["TimeStamp"], fields["Nonce"]
            )
            root = read_xml(xml)
        return {child.tag: child.text or "" for child in root}
