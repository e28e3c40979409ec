"""Sealing (加密存放): what is personal lies in Redis only as AES-GCM ciphertext."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class Sealer:
    """Seals small values under a key derived from the installation's master key.

    `place` names where the value lies (its Redis key); a value moved to another place does not
    open there.
    """

    def __init__(self, master_key: bytes) -> None:
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"weizheng redis sealing")
        self._cipher = AESGCM(derivation.derive(master_key))

    def seal(self, content: bytes, place: bytes = b"") -> bytes:
        """Return nonce and ciphertext; two seals of one content differ."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, content, place)

    def unseal(self, sealed: bytes, place: bytes = b"") -> bytes | None:
        """Return the content, or None when it was sealed under another key or changed."""
        if len(sealed) < _NONCE + 16:
            return None
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
        except InvalidTag:
            return None
