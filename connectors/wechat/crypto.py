"""Signatures and AES of the callback (wechat-platform.md 1.2–1.4).

wechatpy keeps the cipher and pads; the checks around it are ours: comparison in constant time,
strict Base64, padding and length inside the buffer, our own app id, a second key while the
account changes it.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from wechatpy.crypto.cryptography import WeChatCipher
from wechatpy.crypto.pkcs7 import PKCS7Encoder

_RANDOM = 16
_LENGTH = 4
_BLOCK = 16


class Undecipherable(Exception):
    """The ciphertext is not one of ours; the message says why, for the log."""


def signature_of(*parts: str) -> str:
    """Return SHA-1 over the sorted parts, as the platform signs."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def is_signed(signature: str, *parts: str) -> bool:
    """Compare in constant time, so that the right signature cannot be guessed byte by byte."""
    given = signature.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, signature_of(*parts).encode())


class MessageCipher:
    """AES-256-CBC of one account, under its present and, during a change, its previous key."""

    def __init__(self, app_id: str, keys: Sequence[str]) -> None:
        self._app_id = app_id.encode()
        self._ciphers = [WeChatCipher(_key(key)) for key in keys]

    def decrypt(self, encrypted: str) -> bytes:
        """Return the message, or raise `Undecipherable`."""
        try:
            data = base64.b64decode(encrypted.strip(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise Undecipherable("not Base64") from error
        if not data or len(data) % _BLOCK:
            raise Undecipherable("not whole blocks")
        reason = "no key"
        for cipher in self._ciphers:
            try:
                return self._message(cipher.decrypt(data))
            except Undecipherable as error:
                reason = str(error)
        raise Undecipherable(reason)

    def encrypt(self, message: bytes) -> str:
        """Return the message as the platform wants it, under the present key."""
        content = b"".join(
            (
                secrets.token_bytes(_RANDOM),
                len(message).to_bytes(_LENGTH, "big"),
                message,
                self._app_id,
            )
        )
        padded: bytes = PKCS7Encoder.encode(content)
        return base64.b64encode(self._ciphers[0].encrypt(padded)).decode()

    def _message(self, plain: bytes) -> bytes:
        pad = plain[-1]
        if not 1 <= pad <= 32 or pad > len(plain) - _RANDOM - _LENGTH:
            raise Undecipherable("padding outside 1–32")
        end = len(plain) - pad
        start = _RANDOM + _LENGTH
        length = int.from_bytes(plain[_RANDOM:start], "big")
        if start + length > end:
            raise Undecipherable("length field beyond the buffer")
        if not hmac.compare_digest(plain[start + length : end], self._app_id):
            raise Undecipherable("another account's app id")
        return plain[start : start + length]


def _key(encoding_aes_key: str) -> bytes:
    """Return the 32 bytes; the last character may carry bits that do not count."""
    return base64.b64decode(encoding_aes_key + "=")
