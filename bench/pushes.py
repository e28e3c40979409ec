"""Messages as the platform pushes them, each a new one, and its view of our answers.

Written from the platform's description and independent of the code under measurement.
"""

import base64
import hashlib
import itertools
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

CITIZENS = 500
_BLOCK = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the platform and a server agreed on."""

    app_id: str = "wxbench0123456789"
    original_id: str = "gh_1a2b3c4d5e6f"
    token: str = "BenchToken123"
    aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

    @property
    def cipher(self) -> Cipher[CBC]:
        key = base64.b64decode(self.aes_key + "=")
        return Cipher(AES(key), CBC(key[:16]))


@dataclass(frozen=True, slots=True)
class Push:
    """One request ready to go, and from whom it is."""

    request: bytes
    openid: str


def openid_of(citizen: int) -> str:
    """Return the openid (28 characters) of one of the citizens."""
    return f"oBench{citizen % CITIZENS:04d}" + "x" * 18


class Platform:
    """Builds pushes for one account; every message has an id of its own, in every run."""

    def __init__(self, account: Account, path: str, *, safe: bool) -> None:
        self._account = account
        self._path = path
        self._safe = safe
        self._cipher = account.cipher
        self._numbers: Iterator[int] = itertools.count()
        self._first_id = time.time_ns()

    def pushes(self, count: int, text: str) -> list[Push]:
        """Return messages signed now: build them just before they are sent."""
        timestamp = str(int(time.time()))
        return [self._push(next(self._numbers), text, timestamp) for _ in range(count)]

    def open(self, body: bytes) -> dict[str, str]:
        """Read an answer as the platform does, checking its signature and its app id."""
        fields = _fields(body)
        if not self._safe:
            return fields
        encrypted = fields["Encrypt"]
        signed = _sign(self._account.token, fields["TimeStamp"], fields["Nonce"], encrypted)
        assert signed == fields["MsgSignature"], "the answer's signature is wrong"
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()
        plain = plain[16 : -plain[-1]]
        length = int.from_bytes(plain[:4], "big")
        assert plain[4 + length :].decode() == self._account.app_id, "the app id is wrong"
        return _fields(plain[4 : 4 + length])

    def _push(self, number: int, text: str, timestamp: str) -> Push:
        account, openid = self._account, openid_of(number)
        body = (
            f"<xml><ToUserName><![CDATA[{account.original_id}]]></ToUserName>"
            f"<FromUserName><![CDATA[{openid}]]></FromUserName>"
            f"<CreateTime>{timestamp}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            f"<Content><![CDATA[{text}]]></Content><MsgId>{self._first_id + number}</MsgId></xml>"
        ).encode()
        nonce = str(100_000_000 + number)
        query = (
            f"signature={_sign(account.token, timestamp, nonce)}"
            f"&timestamp={timestamp}&nonce={nonce}&openid={openid}"
        )
        if self._safe:
            encrypted = self._encrypt(body)
            signature = _sign(account.token, timestamp, nonce, encrypted)
            query += f"&encrypt_type=aes&msg_signature={signature}"
            body = (
                f"<xml><ToUserName><![CDATA[{account.original_id}]]></ToUserName>"
                f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
            ).encode()
        head = (
            f"POST {self._path}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return Push(head.encode() + body, openid)

    def _encrypt(self, message: bytes) -> str:
        app_id = self._account.app_id.encode()
        plain = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + app_id
        pad = _BLOCK - len(plain) % _BLOCK
        encryptor = self._cipher.encryptor()
        return base64.b64encode(
            encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        ).decode()


def _sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def _fields(body: bytes) -> dict[str, str]:
    """Read flat XML of a server of ours."""
    return {child.tag: child.text or "" for child in ElementTree.fromstring(body)}  # noqa: S314
