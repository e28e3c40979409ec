"""WeChat's signatures and AES envelope (`wechat-platform.md` 1.4), written independently.

The product uses wechatpy for the same; two implementations that understand each other are
better evidence than one that understands itself.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32  # PKCS#7 here pads to 32 bytes, not to AES's 16
RANDOM_BYTES = 16


class CryptoError(Exception):
    """A message that cannot be trusted or read; `code` is the sample library's number."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


def sign(*parts: str) -> str:
    """Return SHA-1 in hex over the sorted parts."""
    joined = "".join(sorted(parts)).encode()
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def check_signature(given: str, *parts: str) -> None:
    """Raise `CryptoError` -40001 unless the signature is right."""
    if not hmac.compare_digest(given.encode(), sign(*parts).encode()):
        raise CryptoError(-40001, "the signature does not match")


class Envelope:
    """Encrypts and decrypts for one account."""

    def __init__(self, encoding_aes_key: str, app_id: str) -> None:
        try:
            self._key = base64.b64decode(encoding_aes_key + "=")
        except binascii.Error as error:
            raise CryptoError(-40004, "the AES key is not Base64") from error
        if len(encoding_aes_key) != 43 or len(self._key) != 32:
            raise CryptoError(-40004, "the AES key does not have 43 characters")
        self._app_id = app_id.encode()
        self._cipher = Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))

    def encrypt(self, message: str, *, random_part: bytes | None = None) -> str:
        """Return the Base64 text of the encrypted message; `random_part` is for test vectors."""
        content = message.encode()
        plain = b"".join(
            (
                random_part or secrets.token_bytes(RANDOM_BYTES),
                struct.pack(">I", len(content)),
                content,
                self._app_id,
            )
        )
        pad = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher.encryptor()
        encrypted = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(encrypted).decode()

    def decrypt(self, text: str) -> str:
        """Return the message, or raise `CryptoError` when anything about it is wrong."""
        try:
            encrypted = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise CryptoError(-40010, "not Base64") from error
        if not encrypted or len(encrypted) % 16:
            raise CryptoError(-40007, "not whole AES blocks")
        decryptor = self._cipher.decryptor()
        padded = decryptor.update(encrypted) + decryptor.finalize()
        pad = padded[-1]
        if not 1 <= pad <= BLOCK or padded[-pad:] != bytes([pad]) * pad:
            raise CryptoError(-40008, "the padding is wrong")
        plain = padded[:-pad]
        (length,) = struct.unpack(">I", plain[16:20]) if len(plain) >= 20 else (-1,)
        if length < 0 or 20 + length > len(plain):
            raise CryptoError(-40008, "the length is outside the buffer")
        if plain[20 + length :] != self._app_id:
            raise CryptoError(-40005, "the app id is not ours")
        try:
            return plain[20 : 20 + length].decode()
        except UnicodeDecodeError as error:
            raise CryptoError(-40008, "not UTF-8") from error
